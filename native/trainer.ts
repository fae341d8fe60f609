import { addon, type EpochPosition, type EpochTotals, type TensorShape, type TrainerHandle } from './addon.js';
import { EngineError, invalidArgument } from './engine-error.js';
import { CheckedExamples, keepInPlace, withRegions } from './examples.js';
import { type Network, networkHandle } from './network.js';
import { expectNoOthers, fromTensors, toTensors } from './parameter-tensors.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import type { EpochProgress, EpochResult, Evaluation, Examples, Gradients, LossName, TrainerOptions } from './spec.js';

export interface EpochOptions {
  /** From 0 on. Fixes the order of the examples together with the trainer's seed. */
  epoch: number;
  /** At most one call of `onProgress` in this time, and one at the end of the epoch. */
  progressIntervalMs: number;
  onProgress: ((progress: EpochProgress) => void) | null;
  signal: AbortSignal | null;
  /** Ends the call after as many steps, in the midst of the epoch; the next call goes on. null, the default: no limit. */
  maxSteps?: number | null;
}

const stateFormat = 'millrace.trainer.2';
const lossesWithAccuracy: LossName[] = ['binaryCrossEntropy', 'categoricalCrossEntropy', 'hinge'];
const momentNames = ['optimizer.firstMoment.', 'optimizer.secondMoment.'];

/**
 * Trains one network. One call at a time: a second one before the first has settled, a use after `dispose`, and a
 * network that something else is using are refused with FAILED_PRECONDITION.
 */
export class Trainer {
  readonly #handle: TrainerHandle;
  readonly #shapes: TensorShape[];
  readonly #options: TrainerOptions;
  readonly #network: Network;
  readonly #checked = new CheckedExamples();
  #step = 0;

  constructor(network: Network, options: TrainerOptions) {
    this.#handle = new addon.TrainerHandle(networkHandle(network), options);
    this.#network = network;
    this.#shapes = networkHandle(network).tensors();
    this.#options = structuredClone(options);
  }

  /** Optimizer steps so far, over all epochs. */
  get step(): number {
    return Trainer.#of(this).#step;
  }

  /** Where `trainEpoch` would go on: after `step` steps of `epoch`. Between epochs `step` is 0. */
  get position(): { epoch: number; step: number } {
    const { epoch, step } = Trainer.#of(this).#handle.position();
    return { epoch, step };
  }

  /**
   * One pass over all examples on the engine's own threads. Where the trainer stands in the midst of the same epoch (after
   * CANCELLED, `maxSteps` or `loadState`), the rest of it, to the same bits and totals as in one go; the examples must be
   * the same.
   * Rejects with CANCELLED when `signal` is aborted, within one step, with everything as after the last full step; and
   * with DIVERGED when the loss is no longer a finite number, with everything as it was at the call. An error that
   * `onProgress` throws cancels the epoch and rejects it.
   */
  async trainEpoch(examples: Examples, options: EpochOptions): Promise<EpochResult> {
    const trainer = Trainer.#of(this);
    const { epoch, progressIntervalMs, onProgress, signal, maxSteps = null } = options;
    if (signal?.aborted) throw new EngineError('CANCELLED', null, `Epoch ${epoch} was cancelled before it began.`);
    keepInPlace(examples);
    const done = trainer.#examplesDone(epoch);
    let failure: { error: unknown } | null = null;
    const listener =
      onProgress === null
        ? null
        : (totals: EpochTotals) => {
            if (failure !== null || signal?.aborted) return;
            try {
              onProgress(trainer.#progress(epoch, totals, done));
            } catch (error) {
              failure = { error };
              trainer.#handle.cancel();
            }
          };
    const check = !trainer.#checked.has(examples);
    const running = trainer.#handle.trainEpoch(
      withRegions(examples),
      epoch,
      progressIntervalMs,
      listener,
      check,
      maxSteps,
    );
    const cancel = () => trainer.#handle.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const totals = await running;
      trainer.#checked.add(examples);
      if (failure !== null) throw (failure as { error: unknown }).error;
      const { step, steps, examples: count, loss, seconds } = totals;
      return { epoch, step, steps, examples: count, loss, accuracy: trainer.#accuracy(totals), seconds };
    } catch (error) {
      throw failure === null ? error : (failure as { error: unknown }).error;
    } finally {
      signal?.removeEventListener('abort', cancel);
      trainer.#step = trainer.#handle.step();
    }
  }

  /** Loss, accuracy and confusion over all examples, on the engine's threads. Weights are not changed. */
  async evaluate(examples: Examples): Promise<Evaluation> {
    const trainer = Trainer.#of(this);
    keepInPlace(examples);
    return trainer.#handle.evaluate(withRegions(examples));
  }

  /** The gradients of the mean loss over all examples as one batch. Weights are not changed. */
  async gradients(examples: Examples): Promise<Gradients> {
    const trainer = Trainer.#of(this);
    keepInPlace(examples);
    const { loss, parameters, inputs } = await trainer.#handle.gradients(withRegions(examples));
    const tensors = toTensors(trainer.#shapes, parameters, '');
    return { loss, parameters: Object.fromEntries([...tensors].map(([name, { data }]) => [name, data])), inputs };
  }

  /** A checkpoint as safetensors: weights, optimizer state, step, position in the epoch with its sums. */
  saveState(): Uint8Array {
    const trainer = Trainer.#of(this);
    const moments = trainer.#handle.moments();
    const tensors = toTensors(trainer.#shapes, networkHandle(trainer.#network).parameters(), '');
    for (const [index, flat] of moments.entries()) {
      for (const [name, tensor] of toTensors(trainer.#shapes, flat, momentNames[index]!)) tensors.set(name, tensor);
    }
    return writeSafetensors(tensors, {
      format: stateFormat,
      optimizer: trainer.#options.optimizer.type,
      step: String(trainer.#step),
      // JavaScript writes a number so that it reads as the same bits.
      position: JSON.stringify(trainer.#handle.position()),
    });
  }

  /** Goes on exactly where `saveState` was called. Refuses another network's or another optimizer's checkpoint. */
  loadState(bytes: Uint8Array): void {
    const trainer = Trainer.#of(this);
    const { tensors, metadata } = readSafetensors(bytes);
    const { type } = trainer.#options.optimizer;
    if (metadata.format !== stateFormat || metadata.optimizer !== type || !/^\d{1,15}$/.test(metadata.step ?? '')) {
      throw invalidArgument(
        '__metadata__',
        `Expected a checkpoint (${stateFormat}) of optimizer ${type} but received ${JSON.stringify(metadata)}.`,
      );
    }
    const prefixes = momentNames.slice(0, trainer.#handle.moments().length);
    expectNoOthers(trainer.#shapes, tensors, ['', ...prefixes]);
    const moments = prefixes.map((prefix) => fromTensors(trainer.#shapes, tensors, prefix));
    const before = trainer.#handle.position();
    trainer.#handle.setPosition(positionFrom(metadata.position));
    try {
      trainer.#handle.restore(Number(metadata.step), fromTensors(trainer.#shapes, tensors, ''), moments);
    } catch (error) {
      trainer.#handle.setPosition(before);
      throw error;
    }
    trainer.#step = Number(metadata.step);
  }

  /** Ends the engine's threads and frees the optimizer's state. The network stays. A second call does nothing. */
  dispose(): void {
    Trainer.#of(this).#handle.dispose();
  }

  #accuracy(totals: EpochTotals): number | null {
    const { loss } = this.#options;
    return lossesWithAccuracy.includes(typeof loss === 'string' ? loss : loss.type) ? totals.accuracy : null;
  }

  /** Of an epoch that would be gone on with. */
  #examplesDone(epoch: number): number {
    const position = this.#handle.position();
    return position.epoch === epoch ? position.step * position.batchRows : 0;
  }

  #progress(epoch: number, totals: EpochTotals, done: number): EpochProgress {
    const { step, steps, examples, loss, seconds } = totals;
    const examplesPerSecond = seconds > 0 ? (examples - done) / seconds : 0;
    return { epoch, step, steps, examples, loss, accuracy: this.#accuracy(totals), examplesPerSecond, seconds };
  }

  static #of(trainer: Trainer): Trainer {
    if (typeof trainer === 'object' && trainer !== null && #handle in trainer) return trainer;
    throw invalidArgument('trainer', 'Expected a Trainer.');
  }
}

/** What it holds is checked by the engine. */
function positionFrom(json: string | undefined): EpochPosition {
  try {
    return JSON.parse(json ?? '');
  } catch {
    throw invalidArgument('position', `Expected \`position\` to be JSON but received ${json}.`);
  }
}
