import { EngineError, engineInfo } from '../../native/index.js';
import { ServiceError } from '../platform/errors.js';
import { createArtifacts, versionMetrics } from './artifacts.js';
import { CheckpointKeeper } from './checkpoint-keeper.js';
import type { EventWriter } from './event-writer.js';
import { assignFolds, classWeightsOf, foldWarnings, partByFold, specOfPart, summarise } from './folds.js';
import type { RunnableJob, TestMetrics } from './job.js';
import { type JobExamples, jobExamples } from './job-examples.js';
import { NetworkTraining, type Part } from './network-training.js';
import { promotionText } from './promotion-condition.js';
import type { Publication } from './registry-client.js';
import { type Evaluation, evaluateNetwork } from './report/network-evaluation.js';
import { retryWhileUnavailable } from './retry.js';
import { RunControl, type RunSignals } from './run-control.js';
import type { RunDependencies } from './run-dependencies.js';
import type { Split } from './training-spec.js';

/** One job from its data to its model version. Whatever it throws ends it. */
export class TrainingRun {
  readonly #control: RunControl;
  /** Which training is under way. */
  #part: Part;
  #keeper: CheckpointKeeper;
  #training: NetworkTraining;
  #isPublishing = false;
  #test: TestMetrics | null = null;
  #evaluation: Evaluation | null = null;

  constructor(
    private readonly job: RunnableJob,
    private readonly threads: number,
    private readonly events: EventWriter,
    private readonly dependencies: RunDependencies,
    signals: RunSignals,
  ) {
    this.#control = new RunControl(events, signals);
    this.#part = this.#firstPart;
    [this.#keeper, this.#training] = this.#makeTraining(this.#part);
  }

  /**
   * @param isBegun whether the job was begun before
   * @returns `models/NAME/versions/N`; null of a trial, which is through once it is trained
   */
  async complete(isBegun: boolean): Promise<string | null> {
    try {
      if (isBegun) {
        await this.#resume();
      }
      await this.#trainAndTest();
      if (this.job.isTrial) {
        await this.#keeper.settle();
        this.#control.signalOrPause.throwIfAborted();
        return null;
      }
      await this.#beginPublishing();
      return await this.#publish();
    } catch (error) {
      throw this.#control.fail(error);
    } finally {
      await this.#keeper.settle().catch(() => undefined);
      this.dependencies.metrics.setRate(this.job.id, 0);
      this.#training.dispose();
    }
  }

  get #firstPart(): Part {
    return { fold: this.job.spec.crossValidation ? 1 : 0, scores: [] };
  }

  /** Whether the network that is published is through with its training. */
  get #isTrained(): boolean {
    return this.#part.fold === 0 && this.#training.endReason !== null;
  }

  #makeTraining(part: Part): [CheckpointKeeper, NetworkTraining] {
    const { job } = this;
    const { checkpoints, metrics, log } = this.dependencies;
    const { keepLast } = job.spec.checkpoints;
    const keeper = new CheckpointKeeper(job.id, keepLast, part.fold, checkpoints, this.#control, log);
    const own = { ...job, spec: specOfPart(job, part.fold) };
    return [keeper, new NetworkTraining(own, this.threads, this.#control, keeper, metrics, part)];
  }

  /** Puts a new training in the place of the one before, which writes no more. */
  #begin(part: Part): void {
    this.#training.dispose();
    this.#part = part;
    [this.#keeper, this.#training] = this.#makeTraining(part);
  }

  /** Goes back to the newest checkpoint, or to the start. */
  async #resume(): Promise<void> {
    await this.#loadNewest();
    const isTrained = this.#isTrained;
    if (isTrained) {
      this.#test = this.job.test;
      this.#evaluation = await this.dependencies.checkpoints.readEvaluation(this.job.id);
    }
    const { epochsDone, stepsDone } = this.#training;
    const { fold } = this.#part;
    this.#control.emit({ kind: 'resumed', epochsDone, stepsDone, ...(fold ? { fold } : {}) });
    this.#isPublishing = this.job.state === 'publishing' && isTrained;
    if (!this.#isPublishing && this.job.state !== 'preparing') {
      this.#control.enter('preparing');
    }
  }

  async #loadNewest(): Promise<void> {
    const { checkpoints } = this.dependencies;
    for (const name of await checkpoints.names(this.job.id)) {
      try {
        const checkpoint = (await checkpoints.read(this.job.id, name))!;
        const { fold, scores } = checkpoint;
        this.#begin({ fold, scores });
        await this.#training.load(checkpoint);
        return;
      } catch (error) {
        const isDamaged = error instanceof ServiceError && error.code === 'DATA_LOSS';
        if (!isDamaged && !(error instanceof EngineError)) {
          throw error;
        }
        this.#begin(this.#firstPart);
        // Another release of the engine may have written it. What it has not is trained anew, to what the spec promises.
        this.dependencies.log.warn({ job: this.job.id, err: error }, 'checkpoint cannot be gone on from');
        const text =
          'A checkpoint is damaged or of another release of the engine. Training goes on from an earlier place.';
        this.#control.say('warning', text);
      }
    }
  }

  async #trainAndTest(): Promise<void> {
    const isTrained = this.#isTrained;
    // Trials are told apart by their validation: what is said of the test rows in the end must not have been looked at.
    const isTested = this.#test !== null || this.job.isTrial;
    const [train, validation, test] = await Promise.all([
      isTrained ? null : this.#fetch('train'),
      isTrained && isTested ? null : this.#fetch('validation'),
      isTested ? null : this.#fetch('test'),
    ]);
    if (train) {
      const counts = [`${train.rows} training`, `${validation?.rows ?? 0} validation`, `${test?.rows ?? 0} test`];
      this.#control.say('info', `Read ${counts.join(', ')} rows of ${this.job.pipeline.featureCount} features.`);
      this.#control.enter('training');
      await this.#completeFolds(train, validation);
      await this.#training.trainToEnd(train, validation);
    }
    await this.#training.restoreBest();
    if (test) {
      // A result that was told must not be measured again on other weights.
      await this.#keeper.settle();
      this.#control.enter('testing');
      const { loss, accuracy } = await this.#training.evaluate(test);
      await this.#report(test, validation);
      this.#test = { loss, accuracy, rowCount: test.rows };
      this.#control.emit({ kind: 'test', ...this.#test });
    }
  }

  /** Trains for each fold that is left, and scores it; then the training begins that is published. */
  async #completeFolds(train: JobExamples, validation: JobExamples | null): Promise<void> {
    const { spec, pipeline } = this.job;
    const { crossValidation } = spec;
    if (this.#part.fold === 0 || !crossValidation) {
      return;
    }
    const strata = crossValidation.stratified ? train.targets : null;
    const foldOf = assignFolds(train.rows, crossValidation, strata);
    for (const text of this.#part.scores.length === 0 ? foldWarnings(pipeline, crossValidation, strata) : []) {
      this.#control.say('warning', text);
    }
    while (this.#part.fold > 0) {
      const { fold, scores } = this.#part;
      const rows = partByFold(train, foldOf, fold, classWeightsOf(spec, pipeline));
      await this.#training.trainToEnd(rows.train, validation);
      await this.#training.restoreBest();
      // A score that was told must not be measured again on other weights.
      await this.#keeper.settle();
      const score = { fold, rowCount: rows.held.rows, metrics: await this.#training.score(rows.held) };
      const all = [...scores, score];
      const { folds } = crossValidation;
      this.#control.emit({ kind: 'fold', folds, ...score });
      if (fold === folds) {
        this.#control.emit({ kind: 'crossValidation', folds, ...summarise(all) });
      }
      this.#begin({ fold: fold === folds ? 0 : fold + 1, scores: all });
    }
  }

  #fetch(split: Split): Promise<JobExamples | null> {
    const { preprocessing, log } = this.dependencies;
    return jobExamples(this.job, split, preprocessing, {
      ...{ signal: this.#control.signalOrPause, log },
      onWait: (text) => this.#control.say('warning', text),
    });
  }

  /** Looks closely at the answers to the test rows. Kept before the test is told of, so that it need not be done again. */
  async #report(test: JobExamples, validation: JobExamples | null): Promise<void> {
    const { id, spec, pipeline } = this.job;
    const task = { labelKind: spec.pipeline.labelKind!, pipeline, seed: spec.seed };
    this.#evaluation = await this.#training.withPublishedWeights(() =>
      evaluateNetwork(this.#training.network, task, test, validation, this.#control.signal),
    );
    await this.dependencies.checkpoints.writeEvaluation(id, this.#evaluation);
  }

  /** From here on the job cannot be cancelled: the registry may have made the version although its answer is lost. */
  async #beginPublishing(): Promise<void> {
    const { signal, signalOrPause } = this.#control;
    // Publishing is repeatable only if the weights are: they must be kept before it begins.
    await this.#keeper.settle();
    if (this.#isPublishing) {
      signal.throwIfAborted();
      return;
    }
    signalOrPause.throwIfAborted();
    await this.events.append({ kind: 'stateChange', state: 'publishing' });
    // A cancellation or pause that was kept before this state has been told by now; none is taken after it.
    signalOrPause.throwIfAborted();
  }

  async #publish(): Promise<string> {
    const { job } = this;
    const { version, instructionSet } = engineInfo();
    const weights = this.#training.finalWeights();
    const epochs = await this.dependencies.history.epochs(job.number, this.#training.epochsDone);
    const { restoredEpoch } = this.#training;
    const tested = { test: this.#test, evaluation: this.#evaluation, scores: this.#part.scores };
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
    const { signal } = this.#control;
    const { name, promotion } = await retryWhileUnavailable(() => registry.publish(publication, signal), {
      ...{ signal, log, service: 'registry', onWait: (text: string) => this.#control.say('warning', text) },
    });
    if (promotion) {
      this.#control.say('info', promotionText(job.spec.publish, publication.metrics, promotion));
    }
    return name;
  }
}
