import { EngineError, type Examples, engineInfo, Network, Trainer } from '../../native/index.js';
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

export interface RunDependencies {
  preprocessing: TensorSource;
  registry: ModelPublisher;
  checkpoints: CheckpointStore;
  metrics: TrainingMetrics;
  log: Logger;
}

/** Time between two step events, ms. */
const progressIntervalMs = 100;

/** One job from its data to its model version. Whatever it throws ends it. */
export class TrainingRun {
  readonly #network: Network;
  readonly #trainer: Trainer;
  readonly #epochs: EpochMetrics[] = [];
  #test: TestMetrics | null = null;
  #validationSeconds = 0;
  /** The checkpoint being written while the next epoch runs. */
  #writing: Promise<void> = Promise.resolve();
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
    this.#network = Network.create({ inputs: pipeline.featureCount, layers: spec.layers }, spec.seed);
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
      // Publishing is repeatable only if the weights are: they must be kept before it begins.
      await this.#writing;
      this.#enter('publishing');
      return await this.#publish();
    } catch (error) {
      throw this.#failure.signal.aborted ? this.#failure.signal.reason : error;
    } finally {
      // A failed write has aborted the run already; here only its end is waited for.
      await this.#writing.catch(() => undefined);
      this.dependencies.metrics.examplesPerSecond.set(0);
      this.#trainer.dispose();
      this.#network.dispose();
    }
  }

  get #epochsLeft(): number {
    return this.job.spec.epochs - this.#epochs.length;
  }

  /** Goes back to the newest checkpoint, or to the start. */
  async #resume(): Promise<void> {
    const checkpoint = await this.dependencies.checkpoints.read(this.job.id);
    if (checkpoint && this.#load(checkpoint)) {
      this.#epochs.push(...checkpoint.epochs);
    }
    if (this.#epochsLeft === 0) {
      this.#test = this.job.test;
    }
    this.#emit({ kind: 'resumed', epochsDone: this.#epochs.length });
    this.#enter('preparing');
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
    return { ...tensors, scale: pipeline.featureScale, offset: pipeline.featureOffset };
  }

  async #trainEpoch(train: Examples, validation: Examples | null): Promise<void> {
    const { metrics } = this.dependencies;
    const epoch = this.#epochs.length + 1;
    const epochs = this.job.spec.epochs;
    const position = { epoch, epochs, examplesPerEpoch: train.rows };
    const result = await this.#trainer.trainEpoch(train, {
      epoch,
      progressIntervalMs,
      signal: this.#signal,
      onProgress: ({ step, steps, examples, loss, accuracy, examplesPerSecond }) => {
        const pace = { examplesPerSecond, validationSeconds: this.#validationSeconds };
        metrics.examplesPerSecond.set(examplesPerSecond);
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
    this.#epochs.push({
      ...{ epoch, epochs, loss, accuracy: this.#known(result.accuracy), seconds },
      validationLoss: validated?.loss ?? null,
      validationAccuracy: validated?.accuracy ?? null,
      examplesPerSecond: pace.examplesPerSecond,
      remainingSeconds: remainingSeconds({ ...position, examples, validated: true }, pace),
    });
    await this.#keep();
    metrics.epochs.inc();
    metrics.examples.inc(examples);
  }

  /** Tells of the epoch that has ended, and has its checkpoint written while the next one runs. */
  async #keep(): Promise<void> {
    this.#emit({ kind: 'epoch', ...this.#epochs.at(-1)! });
    await this.#writing;
    const checkpoint = { epochs: [...this.#epochs], trainerState: this.#trainer.saveState() };
    this.#writing = this.dependencies.checkpoints.write(this.job.id, checkpoint);
    this.#writing.catch((error) => this.#failure.abort(error));
  }

  async #evaluate(examples: Examples): Promise<{ loss: number; accuracy: number | null }> {
    const { loss, accuracy } = await this.#trainer.evaluate(examples);
    this.#signal.throwIfAborted();
    if (!Number.isFinite(loss)) {
      const message = `Training diverged: after epoch ${this.#epochs.length} the loss on held-out rows is ${loss}. Lower the learning rate, or scale the features.`;
      throw new ServiceError('FAILED_PRECONDITION', 'DIVERGED', message);
    }
    return { loss, accuracy: this.#known(accuracy) };
  }

  /** Only answers that are classes can be right. */
  #known(accuracy: number | null): number | null {
    return this.job.spec.pipeline.labelKind === 'number' ? null : accuracy;
  }

  async #publish(): Promise<string> {
    const { job } = this;
    const { version, instructionSet } = engineInfo();
    const weights = this.#network.toSafetensors({ format: 'millrace.model/1' });
    const sources = { spec: job.spec, pipeline: job.pipeline, weights, epochs: this.#epochs, test: this.#test };
    const publication: Publication = {
      trainingJob: `trainingJobs/${job.id}`,
      spec: job.spec,
      pipeline: job.pipeline,
      engineVersion: version,
      instructionSet,
      artifacts: createArtifacts(sources),
      metrics: versionMetrics(this.#epochs, this.#test),
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
    this.events.append(happening).catch((error) => this.#failure.abort(error));
  }
}
