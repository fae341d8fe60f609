import {
  EngineError,
  type EpochOptions,
  type EpochProgress,
  type EpochResult,
  type Examples,
  Network,
  Trainer,
} from '../../native/index.js';
import { ServiceError } from '../platform/errors.js';
import type { CheckpointKeeper } from './checkpoint-keeper.js';
import { CheckpointClock } from './checkpoint-rule.js';
import type { Checkpoint } from './checkpoint-store.js';
import { divergence, isDivergence, scaledRates } from './divergence.js';
import { observeEpoch, type StoppingState } from './early-stopping.js';
import { evaluate, type Measures, measureNorms, withPublishedWeights } from './evaluation.js';
import type { EpochMetrics, RunnableJob } from './job.js';
import type { JobExamples } from './job-examples.js';
import { toNetworkSpec } from './network-shape.js';
import { type Pace, rate, remainingSeconds } from './progress.js';
import { measureFigures } from './report/network-evaluation.js';
import type { RunControl } from './run-control.js';
import { stepsPerEpoch } from './spec-resolution.js';
import { trainerOptions } from './trainer-options.js';
import { type EndReason, endReason, epochsAllowed } from './training-goal.js';
import type { TrainingMetrics } from './training-metrics.js';
import { isNumeric } from './training-spec.js';
import { wantedFigures } from './validation-metric.js';

type SliceOptions = Omit<EpochOptions, 'signal' | 'maxSteps' | 'onProgress'> & {
  onProgress: (progress: EpochProgress) => void;
};

/** What the engine says of it begins with another word. */
function inWords({ message }: Error): string {
  return message.startsWith('Training diverged') ? message : `Training diverged. ${message}`;
}

/** The longest time that a timer takes. */
const timerMsMax = 2 ** 31 - 1;

/** A network on its way through the epochs of a job. */
export class NetworkTraining {
  readonly network: Network;
  #trainer: Trainer;
  #epochsDone = 0;
  #validationSeconds = 0;
  /** Spent on the epoch that runs before the run was stopped in its midst. */
  #earlierSeconds = 0;
  /** Of training and validation up to the last finished epoch, s. */
  #secondsDone = 0;
  #stopping: StoppingState | null = null;
  /** Time between two step events, ms. */
  readonly #progressIntervalMs: number;
  #stepTimeMs = Number.NEGATIVE_INFINITY;
  readonly #clock: CheckpointClock;
  /** How often training has gone back because it had diverged. */
  #retriesDone = 0;
  /** Where it goes back to: the end of the last epoch; null where it is not to. */
  #good: Checkpoint | null = null;

  constructor(
    private readonly job: RunnableJob,
    private readonly threads: number,
    private readonly control: RunControl,
    private readonly keeper: CheckpointKeeper,
    private readonly metrics: TrainingMetrics,
  ) {
    const { spec, pipeline } = job;
    this.network = Network.create(toNetworkSpec(pipeline.featureCount, spec.layers), spec.seed);
    this.#trainer = new Trainer(this.network, trainerOptions(spec, threads));
    this.#progressIntervalMs = 1_000 / job.stepEventsPerSecond;
    this.#clock = new CheckpointClock(spec.checkpoints);
    this.#good = spec.onDivergence && this.#checkpoint();
  }

  get epochsDone(): number {
    return this.#epochsDone;
  }

  /** Of the epoch that has begun. */
  get stepsDone(): number {
    return this.#trainer.position.step;
  }

  /** Why training ends here; null: it goes on. */
  get endReason(): EndReason | null {
    const [epochsDone, secondsDone, stopping] = [this.#epochsDone, this.#secondsDone, this.#stopping];
    return endReason(this.job.spec, { epochsDone, stepsDone: this.#trainer.step, secondsDone, stopping });
  }

  /** The epoch whose weights are tested and published. */
  get restoredEpoch(): number {
    const { earlyStopping } = this.job.spec;
    return (earlyStopping?.restoreBest && this.#stopping?.bestEpoch) || this.#epochsDone;
  }

  /** Goes on where a checkpoint was taken. */
  async load(checkpoint: Checkpoint): Promise<void> {
    const { epochsDone, stepsDone, epochSeconds, secondsDone, stopping, retriesDone, trainerState } = checkpoint;
    const isBetween = stepsDone === 0 || epochsDone === 0;
    const good = this.#good && (isBetween ? checkpoint : await this.keeper.epoch(epochsDone));
    const before = this.#retriesDone;
    if (retriesDone !== before) {
      this.#replaceTrainer(retriesDone);
    }
    try {
      this.#trainer.loadState(trainerState);
    } catch (error) {
      this.#replaceTrainer(before);
      throw error;
    }
    this.#epochsDone = epochsDone;
    this.#earlierSeconds = epochSeconds;
    this.#secondsDone = secondsDone;
    this.#stopping = stopping;
    if (epochsDone > 0) {
      this.#good = good;
    }
  }

  async trainToEnd(train: JobExamples, validation: JobExamples | null): Promise<void> {
    while (this.endReason === null) {
      try {
        await this.#trainEpoch(train, validation);
      } catch (error) {
        if (!isDivergence(error)) {
          throw error;
        }
        this.#goBack(error);
      }
    }
  }

  /** Takes the weights that are tested and published. */
  async restoreBest(): Promise<void> {
    if (this.restoredEpoch !== this.#epochsDone) {
      const { trainerState } = await this.keeper.epoch(this.restoredEpoch);
      // It may be from before a divergence, when learning rates were others.
      this.#trainer.loadState(trainerState, { otherRates: true });
    }
  }

  async evaluate(examples: Examples): Promise<Measures> {
    const isAveraged = this.job.spec.averaging !== null;
    const { loss, accuracy } = await evaluate(this.#trainer, examples, { isAveraged, signal: this.control.signal });
    return { loss, accuracy: this.#known(accuracy) };
  }

  /** The validation rows, by the figures that the spec asks for too. */
  async #validate(validation: JobExamples): Promise<Measures & { figures: Record<string, number> | null }> {
    const { spec, pipeline } = this.job;
    const measures = await this.evaluate(validation);
    const names = wantedFigures(spec.metrics, spec.earlyStopping);
    if (names.length === 0) {
      return { ...measures, figures: null };
    }
    const task = { labelKind: spec.pipeline.labelKind!, pipeline };
    const figures = await this.withPublishedWeights(() =>
      measureFigures(this.network, task, validation, names, this.control.signal),
    );
    const known = Object.entries(figures).filter((entry): entry is [string, number] => entry[1] !== null);
    return { ...measures, figures: Object.fromEntries(known) };
  }

  /** Does something while the network has the weights that would be published now. */
  async withPublishedWeights<T>(body: () => Promise<T>): Promise<T> {
    return withPublishedWeights(this.#trainer, this.job.spec.averaging !== null, body);
  }

  /** The weights to be published; training cannot go on after that. */
  finalWeights(): Uint8Array {
    if (this.job.spec.averaging) {
      this.#trainer.useAveragedWeights();
    }
    return this.network.toSafetensors({ format: 'millrace.model/1' });
  }

  dispose(): void {
    this.#trainer.dispose();
    this.network.dispose();
  }

  async #trainEpoch(train: JobExamples, validation: JobExamples | null): Promise<void> {
    const epoch = this.#epochsDone + 1;
    const { spec } = this.job;
    const allowed = epochsAllowed(spec, stepsPerEpoch(train.rows, spec.batchSize));
    const epochs = Number.isFinite(allowed) ? Math.ceil(allowed) : 0;
    const position = { epoch, epochs: allowed, examplesPerEpoch: train.rows };
    const result = await this.#trainWithCheckpoints(train, {
      epoch,
      progressIntervalMs: this.#progressIntervalMs,
      onProgress: ({ step, steps, examples, loss, accuracy, examplesPerSecond, learningRate }) => {
        this.metrics.setRate(this.job.id, examplesPerSecond);
        if (!this.#isStepDue()) {
          return;
        }
        const pace = this.#pace(examplesPerSecond);
        const remaining = remainingSeconds({ ...position, examples, validated: false }, pace);
        this.control.emit({
          ...{ kind: 'step', epoch, step, stepsPerEpoch: steps, loss, accuracy: this.#known(accuracy) },
          ...{ examplesPerSecond, remainingSeconds: remaining, learningRate },
        });
      },
    });
    const { loss, examples } = result;
    this.#epochsDone = epoch;
    const seconds = this.#earlierSeconds + result.seconds;
    this.#earlierSeconds = 0;
    this.#secondsDone += seconds;
    const isDue = epoch % spec.validation.everyEpochs === 0 || this.endReason !== null;
    const begin = performance.now();
    const validated = validation && isDue ? await this.#validate(validation) : null;
    if (validated) {
      this.#validationSeconds = (performance.now() - begin) / 1_000;
      this.#secondsDone += this.#validationSeconds;
    }
    if (spec.schedule?.type === 'plateau' && (validated || !validation)) {
      this.#trainer.observe(validated?.loss ?? loss);
    }
    const pace = this.#pace(rate(examples, seconds));
    const norms = await measureNorms(this.#trainer, train);
    if (!Number.isFinite(norms.weightNorm)) {
      throw divergence(this.#trainer.step, `the norm of the weights is ${norms.weightNorm}`);
    }
    await this.#keep({
      ...{ epoch, epochs, loss, accuracy: this.#known(result.accuracy), seconds },
      validationLoss: validated?.loss ?? null,
      validationAccuracy: validated?.accuracy ?? null,
      ...(validated?.figures ? { validationMetrics: validated.figures } : {}),
      examplesPerSecond: pace.examplesPerSecond,
      remainingSeconds: remainingSeconds({ ...position, examples, validated: true }, pace),
      learningRate: result.learningRate,
      steps: result.steps,
      ...norms,
    });
    this.metrics.epochs.inc();
    this.metrics.examples.inc(examples);
  }

  /** Goes back to the end of the last epoch, with lower learning rates; throws when that is not asked for, or was done often enough. */
  #goBack(error: EngineError | ServiceError): void {
    const rule = this.job.spec.onDivergence;
    if (!rule || !this.#good || this.#retriesDone >= rule.retries) {
      const times = this.#retriesDone === 0 ? '' : ` This was with learning rates lowered ${this.#retriesDone} times.`;
      throw new ServiceError('FAILED_PRECONDITION', 'DIVERGED', `${inWords(error)}${times}`, { cause: error });
    }
    const { epochsDone, stopping, trainerState } = this.#good;
    this.#replaceTrainer(this.#retriesDone + 1);
    this.#trainer.loadState(trainerState, { otherRates: true });
    this.#epochsDone = epochsDone;
    this.#stopping = stopping;
    // The time is spent, though it has led nowhere.
    this.#secondsDone += this.#earlierSeconds;
    this.#earlierSeconds = 0;
    const factor = rule.learningRateFactor ** this.#retriesDone;
    const place = epochsDone === 0 ? 'from the start' : `from the end of epoch ${epochsDone}`;
    const text = `${inWords(error)} It goes on ${place} with learning rates times ${Number(factor.toPrecision(6))} (${this.#retriesDone} of ${rule.retries} retries).`;
    this.control.say('warning', text);
    this.control.emit({ kind: 'resumed', epochsDone, stepsDone: 0 });
  }

  /** Lowers the learning rates, as often as training has gone back. Where the training stands is to be loaded. */
  #replaceTrainer(retriesDone: number): void {
    const { spec } = this.job;
    this.#retriesDone = retriesDone;
    this.#trainer.dispose();
    const factor = (spec.onDivergence?.learningRateFactor ?? 1) ** retriesDone;
    this.#trainer = new Trainer(this.network, trainerOptions({ ...spec, ...scaledRates(spec, factor) }, this.threads));
  }

  #pace(examplesPerSecond: number): Pace {
    const { seconds } = this.job.spec;
    const secondsLeft = seconds === null ? null : seconds - this.#secondsDone - this.#earlierSeconds;
    return { examplesPerSecond, validationSeconds: this.#validationSeconds, secondsLeft };
  }

  /** The whole epoch, or what of it steps and time allow, with the checkpoints that come due in its midst. */
  async #trainWithCheckpoints(train: Examples, options: SliceOptions): Promise<EpochResult> {
    const stepsMax = this.job.spec.steps ?? Number.POSITIVE_INFINITY;
    for (;;) {
      const result = await this.#trainSlice(train, options, stepsMax - this.#trainer.step);
      if (
        result !== null &&
        (result.step === result.steps || this.#trainer.step >= stepsMax || this.#isTimeUp(result))
      ) {
        return result;
      }
      this.#earlierSeconds += result?.seconds ?? 0;
      this.#clock.restart();
      await this.keeper.keep(() => this.#checkpoint(), false);
    }
  }

  /**
   * Trains until a checkpoint is due, or the epoch or the training ends; null: until time made a checkpoint due. A run that is stopped
   * meanwhile, to go on later, keeps a checkpoint of the very step.
   */
  async #trainSlice(train: Examples, options: SliceOptions, stepsLeft: number): Promise<EpochResult | null> {
    const { signalOrPause } = this.control;
    const begin = performance.now();
    const timeUp = new AbortController();
    const due = new AbortController();
    let last: EpochProgress | null = null;
    const onProgress = (progress: EpochProgress) => {
      options.onProgress(progress);
      last = progress;
      if (this.#isTimeUp(progress)) {
        timeUp.abort();
      }
    };
    const milliseconds = this.#clock.millisecondsLeft();
    const timer = milliseconds === null ? undefined : setTimeout(() => due.abort(), Math.min(milliseconds, timerMsMax));
    const signal = AbortSignal.any([signalOrPause, timeUp.signal, due.signal]);
    const steps = Math.min(stepsLeft, this.#clock.stepsLeft(this.#trainer.step) ?? Number.POSITIVE_INFINITY);
    const maxSteps = Number.isFinite(steps) ? steps : null;
    try {
      return await this.#trainer.trainEpoch(train, { ...options, maxSteps, onProgress, signal });
    } catch (error) {
      const isStopped = error instanceof EngineError && error.code === 'CANCELLED';
      const isOwn = isStopped && !signalOrPause.aborted;
      if (isOwn && timeUp.signal.aborted) {
        // As it was when time was up; at most a step has been done since.
        return last!;
      }
      this.#earlierSeconds += (performance.now() - begin) / 1_000;
      if (isOwn) {
        return null;
      }
      if (isStopped && !this.control.isLost) {
        await this.keeper.keepPosition(() => this.#checkpoint());
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param seconds of the call of the engine that runs */
  #isTimeUp({ seconds }: { seconds: number }): boolean {
    return this.#secondsDone + this.#earlierSeconds + seconds >= (this.job.spec.seconds ?? Number.POSITIVE_INFINITY);
  }

  /** Epochs may be far shorter than the time between two step events. */
  #isStepDue(): boolean {
    const now = performance.now();
    // The engine's clock and this one need not agree to the millisecond.
    const isDue = now - this.#stepTimeMs >= 0.9 * this.#progressIntervalMs;
    this.#stepTimeMs = isDue ? now : this.#stepTimeMs;
    return isDue;
  }

  /** Tells of an epoch, and has a checkpoint written while the next one runs. */
  async #keep(metrics: EpochMetrics): Promise<void> {
    const { earlyStopping } = this.job.spec;
    if (earlyStopping) {
      this.#stopping = observeEpoch(earlyStopping, this.#stopping, metrics);
    }
    const isBest = earlyStopping?.restoreBest && this.#stopping?.bestEpoch === metrics.epoch;
    const taken = isBest || this.#good ? this.#checkpoint() : null;
    if (taken) {
      this.keeper.note(taken);
      this.#good &&= taken;
    }
    this.control.emit({ kind: 'epoch', ...metrics });
    const reason = this.endReason;
    if (reason) {
      const end = { epoch: this.#epochsDone, steps: this.#trainer.step, restoredEpoch: this.restoredEpoch };
      this.control.emit({ kind: 'trainingEnd', reason, ...end });
    }
    if (reason !== null || this.#clock.isDue({ epochs: this.#epochsDone, steps: this.#trainer.step })) {
      this.#clock.restart();
      await this.keeper.keep(() => taken ?? this.#checkpoint(), reason !== null);
    }
  }

  #checkpoint(): Checkpoint {
    const { earlyStopping, onDivergence } = this.job.spec;
    const stepsDone = this.#trainer.position.step;
    const best = earlyStopping?.restoreBest ? this.#stopping?.bestEpoch : undefined;
    const good = onDivergence && stepsDone > 0 && this.#epochsDone > 0 ? this.#epochsDone : undefined;
    return {
      epochsDone: this.#epochsDone,
      stepsDone,
      retriesDone: this.#retriesDone,
      needs: [...new Set([best, good])].filter((epoch) => epoch !== undefined),
      epochSeconds: this.#earlierSeconds,
      secondsDone: this.#secondsDone,
      stopping: this.#stopping,
      trainerState: this.#trainer.saveState(),
    };
  }

  /** Only answers that are classes can be right. */
  #known(accuracy: number | null): number | null {
    return isNumeric(this.job.spec.pipeline.labelKind) ? null : accuracy;
  }
}
