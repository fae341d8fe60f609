import { addon, type EpochTotals, type TensorShape, type TrainerHandle } from './addon.js';
import { EngineError, invalidArgument } from './engine-error.js';
import { CheckedExamples, keepExamplesInPlace, withRegions } from './examples.js';
import { type Network, networkHandle } from './network.js';
import { toTensors } from './parameter-tensors.js';
import type { EpochProgress, EpochResult, Evaluation, Examples, Gradients, LossName, TrainerOptions } from './spec.js';
import { completed, optimizationOf } from './trainer-options.js';
import { readTrainerState, writeTrainerState } from './trainer-state.js';

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

const lossesWithAccuracy: LossName[] = ['binaryCrossEntropy', 'categoricalCrossEntropy', 'hinge'];

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
  #learningRate: number;

  constructor(network: Network, options: TrainerOptions) {
    const complete = completed(options);
    this.#handle = new addon.TrainerHandle(networkHandle(network), complete);
    this.#options = structuredClone(complete);
    this.#network = network;
    this.#shapes = networkHandle(network).tensors();
    this.#learningRate = this.#handle.learningRate();
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
    keepExamplesInPlace(examples);
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
      const { step, steps, examples: count, loss, seconds, learningRate } = totals;
      return { epoch, step, steps, examples: count, loss, accuracy: trainer.#accuracy(totals), seconds, learningRate };
    } catch (error) {
      throw failure === null ? error : (failure as { error: unknown }).error;
    } finally {
      signal?.removeEventListener('abort', cancel);
      trainer.#step = trainer.#handle.step();
      trainer.#learningRate = trainer.#handle.learningRate();
    }
  }

  /** Loss, accuracy and confusion over all examples, on the engine's threads. Weights are not changed. */
  async evaluate(examples: Examples): Promise<Evaluation> {
    const trainer = Trainer.#of(this);
    keepExamplesInPlace(examples);
    return trainer.#handle.evaluate(withRegions(examples));
  }

  /**
   * The gradients of the mean loss over all examples as one batch. Weights are not changed. As in training, dropout drops
   * (what it would in the next step) and batch normalisation uses the batch's statistics; with `training: false` both do
   * as in prediction, which is what an explanation of an answer asks for.
   */
  async gradients(examples: Examples, { training = true }: { training?: boolean } = {}): Promise<Gradients> {
    const trainer = Trainer.#of(this);
    keepExamplesInPlace(examples);
    const { loss, parameters, inputs } = await trainer.#handle.gradients(withRegions(examples), training);
    const tensors = toTensors(trainer.#shapes, parameters, '');
    return { loss, parameters: Object.fromEntries([...tensors].map(([name, { data }]) => [name, data])), inputs };
  }

  /**
   * Euclidean norms over all parameters: of the gradient of the mean loss over all examples as one batch, as `gradients` has
   * it, and of the parameters themselves.
   */
  async norms(examples: Examples): Promise<{ gradient: number; parameters: number }> {
    const trainer = Trainer.#of(this);
    keepExamplesInPlace(examples);
    const { parameters } = await trainer.#handle.gradients(withRegions(examples), true);
    const own = networkHandle(trainer.#network).parameters();
    return { gradient: euclideanNorm(parameters), parameters: euclideanNorm(own) };
  }

  /**
   * [rows]: for each example the Euclidean norm of the gradient of its own loss with respect to all parameters, with
   * dropout and batch normalisation as in prediction. No gradient is stored: for a dense layer the squared norm is the
   * product of two row norms (Goodfellow 2015, "Efficient per-example gradient computations").
   */
  async gradientNorms(examples: Examples): Promise<Float64Array> {
    const trainer = Trainer.#of(this);
    keepExamplesInPlace(examples);
    return trainer.#handle.gradientNorms(withRegions(examples));
  }

  /** The learning rate of the next step. */
  get learningRate(): number {
    return Trainer.#of(this).#learningRate;
  }

  /** Tells the schedule plateau a metric, usually once an epoch; other schedules refuse it with FAILED_PRECONDITION. */
  observe(metric: number): void {
    const trainer = Trainer.#of(this);
    trainer.#handle.observe(metric);
    trainer.#learningRate = trainer.#handle.learningRate();
  }

  /**
   * Puts the moving average of the weights into the network, in place of the weights. Training may go on from there; the
   * average goes on as well. Refused with FAILED_PRECONDITION without `averaging`, and before the first step.
   */
  useAveragedWeights(): void {
    Trainer.#of(this).#handle.useAveragedWeights();
  }

  /** A checkpoint as safetensors: weights, optimizer state, average, step, schedule, position in the epoch. */
  saveState(): Uint8Array {
    const trainer = Trainer.#of(this);
    const state = trainer.#handle.optimizerState();
    return writeTrainerState(trainer.#shapes, optimizationOf(trainer.#options), {
      step: trainer.#step,
      position: trainer.#handle.position(),
      parameters: networkHandle(trainer.#network).parameters(),
      ...state,
    });
  }

  /**
   * Goes on exactly where `saveState` was called. Refuses the checkpoint of another network, and of a trainer with
   * another optimizer, schedule, regularization, clipping or averaging; with `otherRates` learning rates may differ, and
   * training goes on with those of this trainer.
   */
  loadState(bytes: Uint8Array, { otherRates = false }: { otherRates?: boolean } = {}): void {
    const trainer = Trainer.#of(this);
    const names = trainer.#handle.optimizerState().blocks.map(({ name }) => name);
    const state = readTrainerState(trainer.#shapes, optimizationOf(trainer.#options), names, bytes, otherRates);
    const before = trainer.#handle.position();
    trainer.#handle.setPosition(state.position);
    try {
      trainer.#handle.restore(state.step, state.parameters, state.blocks, state.plateau);
    } catch (error) {
      trainer.#handle.setPosition(before);
      throw error;
    }
    trainer.#step = state.step;
    trainer.#learningRate = trainer.#handle.learningRate();
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
    const { step, steps, examples, loss, seconds, learningRate } = totals;
    const examplesPerSecond = seconds > 0 ? (examples - done) / seconds : 0;
    const accuracy = this.#accuracy(totals);
    return { epoch, step, steps, examples, loss, accuracy, examplesPerSecond, learningRate, seconds };
  }

  static #of(trainer: Trainer): Trainer {
    if (typeof trainer === 'object' && trainer !== null && #handle in trainer) return trainer;
    throw invalidArgument('trainer', 'Expected a Trainer.');
  }
}

function euclideanNorm(vector: Float32Array): number {
  let squares = 0;
  // Called once in a while, the loop is seldom compiled well: an iterator takes 20 times as long then.
  for (let i = 0; i < vector.length; i++) {
    squares += vector[i]! * vector[i]!;
  }
  return Math.sqrt(squares);
}
