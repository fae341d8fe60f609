import { EngineError, type Examples, engineInfo, type FeatureBlock, Network, Trainer } from '../../native/index.js';
import { ServiceError } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
import { createArtifacts, versionMetrics } from './artifacts.js';
import type { Checkpoint, CheckpointStore } from './checkpoint-store.js';
import type { EventWriter } from './event-writer.js';
import type { EpochMetrics, Happening, RunnableJob, TestMetrics } from './job.js';
import type { JobState } from './job-state.js';
import { rate, remainingSeconds } from './progress.js';
import type { Publication } from './registry-client.js';
import { retryWhileUnavailable } from './retry.js';
import type { Tensors } from './tensor-decoder.js';
import type { TrainingMetrics } from './training-metrics.js';
import type { FittedPipeline, LabelKind, Split } from './training-spec.js';

/** What a run needs of preprocessing. */
export interface TensorSource {
  tensors(pipeline: FittedPipeline, labelKind: LabelKind, split: Split, signal: AbortSignal): Promise<Tensors>;
}

/** What a run needs of the registry. */
export interface ModelPublisher {
  /** Answers `models/NAME/versions/N`; safe to repeat. */
  publish(publication: Publication, signal: AbortSignal): Promise<string>;
}

/** What a run needs of the events that were kept. */
export interface EpochHistory {
  epochs(jobNumber: number, count: number): Promise<EpochMetrics[]>;
}

export interface RunDependencies {
  history: EpochHistory;
  preprocessing: TensorSource;
  registry: ModelPublisher;
  checkpoints: CheckpointStore;
  metrics: TrainingMetrics;
  log: Logger;
}

/** Time between two step events, ms. */
const progressIntervalMs = 100;
/** Rows that are measured in one go: a run that is to end waits for no more than these. */
const evaluationRowsMax = 65_536;

/** One job from its data to its model version. Whatever it throws ends it. */
export class TrainingRun {
  readonly #network: Network;
  readonly #trainer: Trainer;
  #epochsDone = 0;
  #isPublishing = false;
  #test: TestMetrics | null = null;
  #validationSeconds = 0;
  #stepTimeMs = Number.NEGATIVE_INFINITY;
  /** The checkpoint being written while the next epoch runs; null when none is. */
  #writing: Promise<void> | null = null;
  /** Aborted when something that runs beside the training fails. */
  readonly #failure = new AbortController();
  /** Ends the run within a step: because its owner wants it, or because of a failure. */
  readonly #signal: AbortSignal;

  constructor(
    private readonly job: RunnableJob,
    private readonly events: EventWriter,
    private readonly dependencies: RunDependencies,
    signal: AbortSignal,
  ) {
    const { spec, pipeline } = job;
    const layers = spec.layers.map((layer) => ({ type: 'dense' as const, ...layer }));
    this.#network = Network.create({ inputs: pipeline.featureCount, layers }, spec.seed);
    const { loss, optimizer, batchSize, seed } = spec;
    this.#trainer = new Trainer(this.#network, { loss, optimizer, batchSize, seed, threads: 0 });
    this.#signal = AbortSignal.any([signal, this.#failure.signal]);
  }

  /**
   * @param interrupted whether an earlier process has begun this job
   * @returns `models/NAME/versions/N`
   */
  async complete(interrupted: boolean): Promise<string> {
    try {
      if (interrupted) {
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
      this.dependencies.metrics.examplesPerSecond.set(0);
      this.#trainer.dispose();
      this.#network.dispose();
    }
  }

  get #epochsLeft(): number {
    return this.job.spec.epochs - this.#epochsDone;
  }

  /** Goes back to the newest checkpoint, or to the start. */
  async #resume(): Promise<void> {
    const checkpoint = await this.dependencies.checkpoints.read(this.job.id);
    if (checkpoint && this.#load(checkpoint)) {
      this.#epochsDone = checkpoint.epochsDone;
    }
    if (this.#epochsLeft === 0) {
      this.#test = this.job.test;
    }
    this.#emit({ kind: 'resumed', epochsDone: this.#epochsDone });
    this.#isPublishing = this.job.state === 'publishing' && this.#epochsLeft === 0;
    if (!this.#isPublishing) {
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
      return false;
    }
  }

  async #trainAndTest(): Promise<void> {
    const isTrained = this.#epochsLeft === 0;
    const isTested = this.#test !== null;
    const [train, validation, test] = await Promise.all([
      isTrained ? null : this.#fetch('train'),
      isTrained ? null : this.#fetch('validation'),
      isTested ? null : this.#fetch('test'),
    ]);
    if (train) {
      this.#enter('training');
      while (this.#epochsLeft > 0) {
        await this.#trainEpoch(train, validation);
      }
    }
    if (test) {
      // A result that was told must not be measured again on other weights.
      await this.#writing;
      this.#enter('testing');
      const { loss, accuracy } = await this.#evaluate(test);
      this.#test = { loss, accuracy, rowCount: test.rows };
      this.#emit({ kind: 'test', ...this.#test });
    }
  }

  /** The rows of a split, or null when it has none. */
  async #fetch(split: Split): Promise<Examples | null> {
    const { pipeline, spec } = this.job;
    if (pipeline.rowCounts[split] === 0) {
      return null;
    }
    const { preprocessing, log } = this.dependencies;
    const tensors = await retryWhileUnavailable(
      () => preprocessing.tensors(pipeline, spec.pipeline.labelKind!, split, this.#signal),
      { signal: this.#signal, log, service: 'preprocessing' },
    );
    const { rows, features: data, targets } = tensors;
    const { featureCount: columns, featureScale: scale, featureOffset: offset } = pipeline;
    const block: FeatureBlock =
      data instanceof Uint8Array
        ? { type: 'uint8', columns, data, scale, offset }
        : { type: 'float32', columns, data, scale, offset };
    return { rows, features: [block], targets };
  }

  async #trainEpoch(train: Examples, validation: Examples | null): Promise<void> {
    const { metrics } = this.dependencies;
    const epoch = this.#epochsDone + 1;
    const epochs = this.job.spec.epochs;
    const position = { epoch, epochs, examplesPerEpoch: train.rows };
    const result = await this.#trainer.trainEpoch(train, {
      epoch,
      progressIntervalMs,
      signal: this.#signal,
      onProgress: ({ step, steps, examples, loss, accuracy, examplesPerSecond }) => {
        metrics.examplesPerSecond.set(examplesPerSecond);
        if (!this.#isStepDue()) {
          return;
        }
        const pace = { examplesPerSecond, validationSeconds: this.#validationSeconds };
        const remaining = remainingSeconds({ ...position, examples, validated: false }, pace);
        this.#emit({
          ...{ kind: 'step', epoch, step, stepsPerEpoch: steps, loss, accuracy: this.#known(accuracy) },
          ...{ examplesPerSecond, remainingSeconds: remaining },
        });
      },
    });
    const begin = performance.now();
    const validated = validation && (await this.#evaluate(validation));
    this.#validationSeconds = validation ? (performance.now() - begin) / 1_000 : 0;
    const { loss, seconds, examples } = result;
    const pace = { examplesPerSecond: rate(examples, seconds), validationSeconds: this.#validationSeconds };
    this.#epochsDone = epoch;
    await this.#keep({
      ...{ epoch, epochs, loss, accuracy: this.#known(result.accuracy), seconds },
      validationLoss: validated?.loss ?? null,
      validationAccuracy: validated?.accuracy ?? null,
      examplesPerSecond: pace.examplesPerSecond,
      remainingSeconds: remainingSeconds({ ...position, examples, validated: true }, pace),
    });
    metrics.epochs.inc();
    metrics.examples.inc(examples);
  }

  /** Epochs may be far shorter than the time between two step events. */
  #isStepDue(): boolean {
    const now = performance.now();
    // The engine's clock and this one need not agree to the millisecond.
    const isDue = now - this.#stepTimeMs >= 0.9 * progressIntervalMs;
    this.#stepTimeMs = isDue ? now : this.#stepTimeMs;
    return isDue;
  }

  /**
   * Tells of an epoch, and has a checkpoint written while the next one runs. Training never waits for the disk: while one
   * checkpoint is being written, none is begun, except after the last epoch.
   */
  async #keep(metrics: EpochMetrics): Promise<void> {
    const told = this.events.append({ kind: 'epoch', ...metrics });
    this.#watch(told);
    if (this.#writing && this.#epochsLeft > 0) {
      return;
    }
    await this.#writing;
    const checkpoint = { epochsDone: this.#epochsDone, trainerState: this.#trainer.saveState() };
    // Never ahead of the events: a run that goes on from here reports what they say of the epochs before.
    const writing = told.then(() => this.dependencies.checkpoints.write(this.job.id, checkpoint));
    this.#writing = writing.finally(() => {
      this.#writing = null;
    });
    this.#watch(this.#writing);
  }

  /** Means over all rows, in slices so that a cancellation is seen in between. */
  async #evaluate(examples: Examples): Promise<{ loss: number; accuracy: number | null }> {
    const sums = { loss: 0, accuracy: 0 };
    for (let begin = 0; begin < examples.rows; begin += evaluationRowsMax) {
      const slice = rowsFrom(examples, begin, Math.min(begin + evaluationRowsMax, examples.rows));
      const { loss, accuracy } = await this.#trainer.evaluate(slice);
      this.#signal.throwIfAborted();
      sums.loss += loss * slice.rows;
      sums.accuracy += (accuracy ?? 0) * slice.rows;
    }
    const loss = sums.loss / examples.rows;
    if (!Number.isFinite(loss)) {
      const message = `Training diverged: after epoch ${this.#epochsDone} the loss on held-out rows is ${loss}. Lower the learning rate, or scale the features.`;
      throw new ServiceError('FAILED_PRECONDITION', 'DIVERGED', message);
    }
    return { loss, accuracy: this.#known(sums.accuracy / examples.rows) };
  }

  /** Only answers that are classes can be right. */
  #known(accuracy: number | null): number | null {
    return this.job.spec.pipeline.labelKind === 'number' ? null : accuracy;
  }

  /** From here on the job cannot be cancelled: the registry may have made the version although its answer is lost. */
  async #beginPublishing(): Promise<void> {
    // Publishing is repeatable only if the weights are: they must be kept before it begins.
    await this.#writing;
    if (!this.#isPublishing) {
      await this.events.append({ kind: 'stateChange', state: 'publishing' });
    }
    // A cancellation that was kept before this state has been told by now; none is taken after it.
    this.#signal.throwIfAborted();
  }

  async #publish(): Promise<string> {
    const { job } = this;
    const { version, instructionSet } = engineInfo();
    const weights = this.#network.toSafetensors({ format: 'millrace.model/1' });
    const epochs = await this.dependencies.history.epochs(job.number, this.#epochsDone);
    const sources = { spec: job.spec, pipeline: job.pipeline, weights, epochs, test: this.#test };
    const publication: Publication = {
      trainingJob: `trainingJobs/${job.id}`,
      spec: job.spec,
      pipeline: job.pipeline,
      engineVersion: version,
      instructionSet,
      artifacts: createArtifacts(sources),
      metrics: versionMetrics(epochs, this.#test),
    };
    const { registry, log } = this.dependencies;
    return retryWhileUnavailable(() => registry.publish(publication, this.#signal), {
      ...{ signal: this.#signal, log, service: 'registry' },
    });
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

/** Rows `begin` to `end` of examples, not copied. */
function rowsFrom(examples: Examples, begin: number, end: number): Examples {
  const rowsOf = (block: FeatureBlock) => {
    const data = block.data.subarray(begin * block.columns, end * block.columns);
    return { ...block, data } as FeatureBlock;
  };
  const targetsPerRow = examples.targets.length / examples.rows;
  return {
    ...examples,
    rows: end - begin,
    features: examples.features.map(rowsOf),
    targets: examples.targets.subarray(begin * targetsPerRow, end * targetsPerRow),
  };
}
