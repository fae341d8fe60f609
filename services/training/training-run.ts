import {
  EngineError,
  type EpochOptions,
  type EpochProgress,
  type EpochResult,
  type Examples,
  engineInfo,
  Network,
  Trainer,
} from '../../native/index.js';
import { isDiskFull } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
import { createArtifacts, versionMetrics } from './artifacts.js';
import { bestName, type Checkpoint, type CheckpointStore } from './checkpoint-store.js';
import { observeEpoch, type StoppingState } from './early-stopping.js';
import { evaluate, type Measures, measureNorms, withPublishedWeights } from './evaluation.js';
import type { EventWriter } from './event-writer.js';
import type { EpochMetrics, Happening, RunnableJob, TestMetrics } from './job.js';
import { type JobExamples, jobExamples, type TensorSource } from './job-examples.js';
import type { JobState } from './job-state.js';
import { toNetworkSpec } from './network-shape.js';
import { type Pace, rate, remainingSeconds } from './progress.js';
import { promotionText } from './promotion-condition.js';
import type { Publication, Published } from './registry-client.js';
import { type Evaluation, evaluateNetwork } from './report/network-evaluation.js';
import { retryWhileUnavailable } from './retry.js';
import { stepsPerEpoch } from './spec-resolution.js';
import { trainerOptions } from './trainer-options.js';
import { type EndReason, endReason, epochsAllowed } from './training-goal.js';
import type { TrainingMetrics } from './training-metrics.js';
import type { Split } from './training-spec.js';

/** What a run needs of the registry. */
export interface ModelPublisher {
  /** Safe to repeat. */
  publish(publication: Publication, signal: AbortSignal): Promise<Published>;
}

/** What a run needs of the events that were kept. */
export interface EpochHistory {
  epochs(jobNumber: number, count: number): Promise<EpochMetrics[]>;
}

/** Why a run may be stopped from outside. */
export interface RunSignals {
  /** Its job was cancelled. */
  cancelled: AbortSignal;
  /** Its job is to pause where it stands. */
  paused: AbortSignal;
  /** The service stops; the job goes on when it starts again. */
  stopping: AbortSignal;
}

/** Where metrics are written for other programs. */
export interface MetricsBoard {
  /** Writes a job's metrics until it has ended or `signal` is aborted. Never fails. */
  write(jobId: string, signal: AbortSignal): Promise<void>;
  remove(jobId: string): Promise<void>;
}

export interface RunDependencies {
  history: EpochHistory;
  preprocessing: TensorSource;
  registry: ModelPublisher;
  checkpoints: CheckpointStore;
  board: MetricsBoard;
  metrics: TrainingMetrics;
  log: Logger;
}

/** One job from its data to its model version. Whatever it throws ends it. */
export class TrainingRun {
  readonly #network: Network;
  readonly #trainer: Trainer;
  #epochsDone = 0;
  #isPublishing = false;
  #test: TestMetrics | null = null;
  #evaluation: Evaluation | null = null;
  #validationSeconds = 0;
  /** Spent on the epoch that runs before the run was stopped in its midst. */
  #earlierSeconds = 0;
  /** Time between two step events, ms. */
  readonly #progressIntervalMs: number;
  /** Of training and validation up to the last finished epoch, s. */
  #secondsDone = 0;
  #stopping: StoppingState | null = null;
  /** The best epoch's checkpoint, until it is kept; null also where none is asked for. */
  #best: Checkpoint | null = null;
  #stepTimeMs = Number.NEGATIVE_INFINITY;
  /** The checkpoint being written while the next epoch runs; null when none is. */
  #writing: Promise<void> | null = null;
  /** Aborted when something that runs beside the training fails. */
  readonly #failure = new AbortController();
  /** Ends the run within a step: because its owner wants it, or because of a failure. */
  readonly #signal: AbortSignal;
  /** The same, or to pause: that is not done in the midst of what a checkpoint cannot hold. */
  readonly #signalOrPause: AbortSignal;
  /** When the newest epoch event is kept: no checkpoint may be ahead of it. */
  #told: Promise<void> = Promise.resolve();

  constructor(
    private readonly job: RunnableJob,
    threads: number,
    private readonly events: EventWriter,
    private readonly dependencies: RunDependencies,
    private readonly signals: RunSignals,
  ) {
    const { spec, pipeline } = job;
    this.#network = Network.create(toNetworkSpec(pipeline.featureCount, spec.layers), spec.seed);
    this.#trainer = new Trainer(this.#network, trainerOptions(spec, threads));
    this.#progressIntervalMs = 1_000 / job.stepEventsPerSecond;
    const { cancelled, stopping, paused } = signals;
    this.#signal = AbortSignal.any([cancelled, stopping, this.#failure.signal]);
    this.#signalOrPause = AbortSignal.any([this.#signal, paused]);
  }

  /**
   * @param isBegun whether the job was begun before
   * @returns `models/NAME/versions/N`
   */
  async complete(isBegun: boolean): Promise<string> {
    try {
      if (isBegun) {
        await this.#resume();
      }
      await this.#trainAndTest();
      await this.#beginPublishing();
      return await this.#publish();
    } catch (error) {
      // Whatever else is under way ends too. The first failure is the cause of those that follow.
      this.#failure.abort(error);
      throw this.#failure.signal.reason;
    } finally {
      await this.#writing?.catch(() => undefined);
      this.dependencies.metrics.setRate(this.job.id, 0);
      this.#trainer.dispose();
      this.#network.dispose();
    }
  }

  /** Why training ends here; null: it goes on. */
  get #endReason(): EndReason | null {
    const [epochsDone, secondsDone, stopping] = [this.#epochsDone, this.#secondsDone, this.#stopping];
    return endReason(this.job.spec, { epochsDone, stepsDone: this.#trainer.step, secondsDone, stopping });
  }

  /** Goes back to the newest checkpoint, or to the start. */
  async #resume(): Promise<void> {
    const checkpoint = await this.dependencies.checkpoints.read(this.job.id);
    if (checkpoint && this.#load(checkpoint)) {
      this.#epochsDone = checkpoint.epochsDone;
      this.#earlierSeconds = checkpoint.epochSeconds;
      this.#secondsDone = checkpoint.secondsDone;
      this.#stopping = checkpoint.stopping;
    }
    const isTrained = this.#endReason !== null;
    if (isTrained) {
      this.#test = this.job.test;
      this.#evaluation = await this.dependencies.checkpoints.readEvaluation(this.job.id);
    }
    const stepsDone = this.#trainer.position.step;
    this.#emit({ kind: 'resumed', epochsDone: this.#epochsDone, stepsDone });
    this.#isPublishing = this.job.state === 'publishing' && isTrained;
    if (!this.#isPublishing && this.job.state !== 'preparing') {
      this.#enter('preparing');
    }
  }

  #load({ trainerState }: Checkpoint): boolean {
    try {
      this.#trainer.loadState(trainerState);
      return true;
    } catch (error) {
      if (!(error instanceof EngineError)) {
        throw error;
      }
      // Another release of the engine may have written it. Training anew gives what the spec promises.
      this.dependencies.log.warn(
        { job: this.job.id, err: error },
        'checkpoint does not fit this engine, starting over',
      );
      this.#say('warning', 'The checkpoint is of another release of the engine. Training starts over.');
      return false;
    }
  }

  async #trainAndTest(): Promise<void> {
    const isTrained = this.#endReason !== null;
    const isTested = this.#test !== null;
    const [train, validation, test] = await Promise.all([
      isTrained ? null : this.#fetch('train'),
      isTrained && isTested ? null : this.#fetch('validation'),
      isTested ? null : this.#fetch('test'),
    ]);
    if (train) {
      const counts = [`${train.rows} training`, `${validation?.rows ?? 0} validation`, `${test?.rows ?? 0} test`];
      this.#say('info', `Read ${counts.join(', ')} rows of ${this.job.pipeline.featureCount} features.`);
      this.#enter('training');
      while (this.#endReason === null) {
        await this.#trainEpoch(train, validation);
      }
    }
    await this.#restoreBest();
    if (test) {
      // A result that was told must not be measured again on other weights.
      await this.#writing;
      this.#enter('testing');
      const { loss, accuracy } = await this.#evaluate(test);
      await this.#report(test, validation);
      this.#test = { loss, accuracy, rowCount: test.rows };
      this.#emit({ kind: 'test', ...this.#test });
    }
  }

  /** The epoch whose weights are tested and published. */
  get #restoredEpoch(): number {
    const { earlyStopping } = this.job.spec;
    return (earlyStopping?.restoreBest && this.#stopping?.bestEpoch) || this.#epochsDone;
  }

  async #restoreBest(): Promise<void> {
    if (this.#restoredEpoch === this.#epochsDone) {
      return;
    }
    await this.#writing;
    const best = await this.dependencies.checkpoints.read(this.job.id, bestName(this.#restoredEpoch));
    if (!best) {
      throw new Error(`the checkpoint of the best epoch, ${this.#restoredEpoch}, is missing`);
    }
    this.#trainer.loadState(best.trainerState);
  }

  #fetch(split: Split): Promise<JobExamples | null> {
    const { preprocessing, log } = this.dependencies;
    return jobExamples(this.job, split, preprocessing, {
      ...{ signal: this.#signalOrPause, log },
      onWait: (text) => this.#say('warning', text),
    });
  }

  async #trainEpoch(train: Examples, validation: Examples | null): Promise<void> {
    const { metrics } = this.dependencies;
    const epoch = this.#epochsDone + 1;
    const { spec } = this.job;
    const allowed = epochsAllowed(spec, stepsPerEpoch(train.rows, spec.batchSize));
    const epochs = Number.isFinite(allowed) ? Math.ceil(allowed) : 0;
    const position = { epoch, epochs: allowed, examplesPerEpoch: train.rows };
    const maxSteps = spec.steps === null ? null : spec.steps - this.#trainer.step;
    const result = await this.#trainUntilStopped(train, {
      epoch,
      maxSteps,
      progressIntervalMs: this.#progressIntervalMs,
      onProgress: ({ step, steps, examples, loss, accuracy, examplesPerSecond, learningRate }) => {
        metrics.setRate(this.job.id, examplesPerSecond);
        if (!this.#isStepDue()) {
          return;
        }
        const pace = this.#pace(examplesPerSecond);
        const remaining = remainingSeconds({ ...position, examples, validated: false }, pace);
        this.#emit({
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
    const isDue = epoch % spec.validation.everyEpochs === 0 || this.#endReason !== null;
    const begin = performance.now();
    const validated = validation && isDue ? await this.#evaluate(validation) : null;
    if (validated) {
      this.#validationSeconds = (performance.now() - begin) / 1_000;
      this.#secondsDone += this.#validationSeconds;
    }
    if (spec.schedule?.type === 'plateau' && (validated || !validation)) {
      this.#trainer.observe(validated?.loss ?? loss);
    }
    const pace = this.#pace(rate(examples, seconds));
    const norms = await measureNorms(this.#trainer, train);
    await this.#keep({
      ...{ epoch, epochs, loss, accuracy: this.#known(result.accuracy), seconds },
      validationLoss: validated?.loss ?? null,
      validationAccuracy: validated?.accuracy ?? null,
      examplesPerSecond: pace.examplesPerSecond,
      remainingSeconds: remainingSeconds({ ...position, examples, validated: true }, pace),
      learningRate: result.learningRate,
      steps: result.steps,
      ...norms,
    });
    metrics.epochs.inc();
    metrics.examples.inc(examples);
  }

  #pace(examplesPerSecond: number): Pace {
    const { seconds } = this.job.spec;
    const secondsLeft = seconds === null ? null : seconds - this.#secondsDone - this.#earlierSeconds;
    return { examplesPerSecond, validationSeconds: this.#validationSeconds, secondsLeft };
  }

  /** The whole epoch, or what of it steps and time allow. A run that is stopped in its midst, to go on later, keeps a checkpoint of the very step. */
  async #trainUntilStopped(train: Examples, options: Omit<EpochOptions, 'signal'>): Promise<EpochResult> {
    const begin = performance.now();
    const earlier = this.#secondsDone + this.#earlierSeconds;
    const timeUp = new AbortController();
    let last: EpochProgress | null = null;
    const onProgress = (progress: EpochProgress) => {
      options.onProgress?.(progress);
      last = progress;
      if (earlier + progress.seconds >= (this.job.spec.seconds ?? Number.POSITIVE_INFINITY)) {
        timeUp.abort();
      }
    };
    const signal = AbortSignal.any([this.#signalOrPause, timeUp.signal]);
    try {
      return await this.#trainer.trainEpoch(train, { ...options, onProgress, signal });
    } catch (error) {
      const isStopped = error instanceof EngineError && error.code === 'CANCELLED';
      if (isStopped && timeUp.signal.aborted && !this.#signalOrPause.aborted) {
        // As it was when time was up; at most a step has been done since.
        return last!;
      }
      if (isStopped && !this.signals.cancelled.aborted && !this.#failure.signal.aborted) {
        this.#earlierSeconds += (performance.now() - begin) / 1_000;
        await this.#keepPosition();
      }
      throw error;
    }
  }

  async #keepPosition(): Promise<void> {
    await this.#writing;
    try {
      await this.#write();
    } catch (error) {
      // What the last checkpoint has not is done again: it gives the same bits.
      this.dependencies.log.warn({ job: this.job.id, err: error }, 'no checkpoint of the step that the job stops at');
      const why = isDiskFull(error) ? 'the disk is full' : 'it could not be written';
      this.#say('warning', `There is no checkpoint of this step: ${why}. The job will go on from the one before.`);
    }
  }

  /** Epochs may be far shorter than the time between two step events. */
  #isStepDue(): boolean {
    const now = performance.now();
    // The engine's clock and this one need not agree to the millisecond.
    const isDue = now - this.#stepTimeMs >= 0.9 * this.#progressIntervalMs;
    this.#stepTimeMs = isDue ? now : this.#stepTimeMs;
    return isDue;
  }

  /**
   * Tells of an epoch, and has a checkpoint written while the next one runs. Training never waits for the disk: while one
   * checkpoint is being written, none is begun, except after the last epoch.
   */
  async #keep(metrics: EpochMetrics): Promise<void> {
    const { earlyStopping } = this.job.spec;
    if (earlyStopping) {
      this.#stopping = observeEpoch(earlyStopping, this.#stopping, metrics);
      const isBest = this.#stopping?.bestEpoch === metrics.epoch;
      this.#best = earlyStopping.restoreBest && isBest ? this.#checkpoint() : this.#best;
    }
    this.#told = this.events.append({ kind: 'epoch', ...metrics });
    this.#watch(this.#told);
    const reason = this.#endReason;
    if (reason) {
      const end = { epoch: this.#epochsDone, steps: this.#trainer.step, restoredEpoch: this.#restoredEpoch };
      this.#told = this.events.append({ kind: 'trainingEnd', reason, ...end });
      this.#watch(this.#told);
    }
    if (this.#writing && reason === null) {
      return;
    }
    await this.#writing;
    this.#writing = this.#write().finally(() => {
      this.#writing = null;
    });
    this.#watch(this.#writing);
  }

  /** Takes the state at once. Never written ahead of the events: a run that goes on reports what they say of its epochs. */
  async #write(): Promise<void> {
    const { checkpoints } = this.dependencies;
    const { id } = this.job;
    const best = this.#best;
    this.#best = null;
    const isSame = best?.epochsDone === this.#epochsDone && this.#trainer.position.step === 0;
    const checkpoint = isSame ? best! : this.#checkpoint();
    await this.#told;
    if (best) {
      await checkpoints.write(id, best, bestName(best.epochsDone));
    }
    await checkpoints.write(id, checkpoint);
    if (best) {
      await checkpoints.keepBest(id, best.epochsDone);
    }
    const { epochsDone, stepsDone, trainerState } = checkpoint;
    this.#emit({ kind: 'checkpoint', epochsDone, stepsDone, sizeBytes: trainerState.byteLength });
  }

  #checkpoint(): Checkpoint {
    return {
      epochsDone: this.#epochsDone,
      stepsDone: this.#trainer.position.step,
      epochSeconds: this.#earlierSeconds,
      secondsDone: this.#secondsDone,
      stopping: this.#stopping,
      trainerState: this.#trainer.saveState(),
    };
  }

  #say(severity: 'info' | 'warning', text: string): void {
    this.#emit({ kind: 'log', severity, text });
  }

  async #evaluate(examples: Examples): Promise<Measures> {
    const isAveraged = this.job.spec.averaging !== null;
    const { loss, accuracy } = await evaluate(this.#trainer, examples, { isAveraged, signal: this.#signal });
    return { loss, accuracy: this.#known(accuracy) };
  }

  /** Only answers that are classes can be right. */
  #known(accuracy: number | null): number | null {
    return this.job.spec.pipeline.labelKind === 'number' ? null : accuracy;
  }

  /** Looks closely at the answers to the test rows. Kept before the test is told of, so that it need not be done again. */
  async #report(test: JobExamples, validation: JobExamples | null): Promise<void> {
    const { id, spec, pipeline } = this.job;
    const task = { labelKind: spec.pipeline.labelKind!, pipeline, seed: spec.seed };
    this.#evaluation = await withPublishedWeights(this.#trainer, spec.averaging !== null, () =>
      evaluateNetwork(this.#network, task, test, validation, this.#signal),
    );
    await this.dependencies.checkpoints.writeEvaluation(id, this.#evaluation);
  }

  /** From here on the job cannot be cancelled: the registry may have made the version although its answer is lost. */
  async #beginPublishing(): Promise<void> {
    // Publishing is repeatable only if the weights are: they must be kept before it begins.
    await this.#writing;
    if (this.#isPublishing) {
      this.#signal.throwIfAborted();
      return;
    }
    this.#signalOrPause.throwIfAborted();
    await this.events.append({ kind: 'stateChange', state: 'publishing' });
    // A cancellation or pause that was kept before this state has been told by now; none is taken after it.
    this.#signalOrPause.throwIfAborted();
  }

  async #publish(): Promise<string> {
    const { job } = this;
    const { version, instructionSet } = engineInfo();
    if (job.spec.averaging) {
      this.#trainer.useAveragedWeights();
    }
    const weights = this.#network.toSafetensors({ format: 'millrace.model/1' });
    const epochs = await this.dependencies.history.epochs(job.number, this.#epochsDone);
    const restoredEpoch = this.#restoredEpoch;
    const tested = { test: this.#test, evaluation: this.#evaluation };
    const sources = { spec: job.spec, pipeline: job.pipeline, weights, epochs, restoredEpoch, tested };
    const publication: Publication = {
      trainingJob: `trainingJobs/${job.id}`,
      spec: job.spec,
      pipeline: job.pipeline,
      engineVersion: version,
      instructionSet,
      artifacts: createArtifacts(sources),
      metrics: versionMetrics(epochs[restoredEpoch - 1], tested),
    };
    const { registry, log } = this.dependencies;
    const { name, promotion } = await retryWhileUnavailable(() => registry.publish(publication, this.#signal), {
      ...{ signal: this.#signal, log, service: 'registry', onWait: (text: string) => this.#say('warning', text) },
    });
    if (promotion) {
      this.#say('info', promotionText(job.spec.publish, publication.metrics, promotion));
    }
    return name;
  }

  #enter(state: JobState): void {
    this.#emit({ kind: 'stateChange', state });
  }

  /** Training does not wait for its events; one that cannot be kept ends the run. */
  #emit(happening: Happening): void {
    this.#watch(this.events.append(happening));
  }

  /** Has the run fail with what runs beside it. */
  #watch(beside: Promise<void>): void {
    beside.catch((error) => this.#failure.abort(error));
  }
}
