import { EngineError, engineInfo } from '../../native/index.js';
import { RpcError } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import { createArtifacts, versionMetrics } from './artifacts.js';
import { CheckpointKeeper } from './checkpoint-keeper.js';
import type { EventWriter } from './event-writer.js';
import {
  type FoldScore,
  foldScores,
  foldWarning,
  type JobPart,
  ofPart,
  partsOf,
  specOfPart,
  summarise,
  toTrainingPart,
} from './folds.js';
import type { RunnableJob, TestMetrics } from './job.js';
import { type JobExamples, jobExamples, withoutClassWeights } from './job-examples.js';
import { NetworkTraining, type Part } from './network-training.js';
import { promotionText } from './promotion-condition.js';
import type { Publication } from './registry-client.js';
import { learningCurveOf } from './report/learning-curve.js';
import { type Evaluation, evaluateNetwork } from './report/network-evaluation.js';
import { retryWhileUnavailable } from './retry.js';
import { RunControl, type RunSignals } from './run-control.js';
import type { RunDependencies } from './run-dependencies.js';
import type { FittedPipeline, Split } from './training-spec.js';

/** One of a run's trainings. */
interface Stage {
  part: Part;
  /** With the spec and the pipeline of the part. */
  job: RunnableJob;
  keeper: CheckpointKeeper;
  training: NetworkTraining;
}

/** One job from its data to its model version. Whatever it throws ends it. */
export class TrainingRun {
  readonly #control: RunControl;
  /** Those before the training that is published. */
  readonly #parts: JobPart[];
  /** Which training is under way; null: none has begun. */
  #stage: Stage | null = null;
  /** Whether it was told that training has begun. */
  #isTraining = false;
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
    this.#parts = partsOf(job.spec);
  }

  /**
   * @param isBegun whether the job was begun before
   * @returns `models/NAME/versions/N`; null of a trial, which is through once it is trained
   */
  async complete(isBegun: boolean): Promise<string | null> {
    try {
      if (isBegun) {
        await this.#resume();
      } else {
        await this.#begin(this.#firstPart);
      }
      await this.#trainAndTest();
      if (this.job.isTrial) {
        await this.#now.keeper.settle();
        this.#control.signalOrPause.throwIfAborted();
        return null;
      }
      await this.#beginPublishing();
      return await this.#publish();
    } catch (error) {
      throw this.#control.fail(error);
    } finally {
      await this.#stage?.keeper.settle().catch(() => undefined);
      this.dependencies.metrics.setRate(this.job.id, 0);
      this.#stage?.training.dispose();
    }
  }

  /** @param place among the parts, from 1; 0: the training that is published */
  #partAt(place: number, scores: FoldScore[]): Part {
    return { fold: place, scores, ofFold: ofPart(this.#parts[place - 1]) };
  }

  /** Whether the network that is published is through with its training. */
  get #isTrained(): boolean {
    return this.#now.part.fold === 0 && this.#training.endReason !== null;
  }

  get #firstPart(): Part {
    return this.#partAt(this.#parts.length > 0 ? 1 : 0, []);
  }

  get #now(): Stage {
    if (!this.#stage) {
      throw new Error('no training has begun');
    }
    return this.#stage;
  }

  get #training(): NetworkTraining {
    return this.#now.training;
  }

  /** Puts a new training in the place of the one before, which writes no more. */
  async #begin(part: Part): Promise<void> {
    this.#stage?.training.dispose();
    this.#stage = null;
    const { checkpoints, metrics, log } = this.dependencies;
    const jobPart = this.#parts[part.fold - 1];
    const job = jobPart ? await this.#jobOf(jobPart) : this.job;
    const { keepLast } = job.spec.checkpoints;
    const keeper = new CheckpointKeeper(job.id, keepLast, part.fold, part.ofFold, checkpoints, this.#control, log);
    const training = new NetworkTraining(job, this.threads, this.#control, keeper, metrics, part);
    this.#stage = { part, job, keeper, training };
  }

  /** The job as a part has it: with a pipeline of its own, which is the same each time that it is fitted. */
  async #jobOf(part: JobPart): Promise<RunnableJob> {
    const pipeline = await this.#fit(part);
    return { ...this.job, pipeline, spec: specOfPart(this.job, pipeline) };
  }

  async #fit(part: JobPart): Promise<FittedPipeline> {
    const { fitter, log } = this.dependencies;
    const { dataset, pipeline, split, sampleWeight } = this.job.spec;
    const signal = this.#control.signalOrPause;
    const request = { pipeline, split, sampleWeight: sampleWeight ?? '', part: toTrainingPart(part) };
    try {
      return await retryWhileUnavailable(() => fitter.fit(dataset, request, signal), {
        ...{ signal, log, service: 'preprocessing', onWait: (text: string) => this.#control.say('warning', text) },
      });
    } catch (error) {
      if (error instanceof RpcError && error.code === 'INVALID_ARGUMENT') {
        const size = part.trainSize === null ? '' : ` at size ${part.trainSize}`;
        const message = `The pipeline cannot be fitted without fold ${part.fold} of ${part.rule.folds}${size}: ${error.message}`;
        throw new ServiceError('FAILED_PRECONDITION', 'PART_UNFIT', message, { cause: error });
      }
      throw error;
    }
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
    this.#control.emit({ kind: 'resumed', epochsDone, stepsDone, ...this.#now.part.ofFold });
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
        await this.#begin(this.#partAt(fold, scores));
        await this.#training.load(checkpoint);
        return;
      } catch (error) {
        const isDamaged = error instanceof ServiceError && error.code === 'DATA_LOSS';
        if (!isDamaged && !(error instanceof EngineError)) {
          throw error;
        }
        // Another release of the engine may have written it. What it has not is trained anew, to what the spec promises.
        this.dependencies.log.warn({ job: this.job.id, err: error }, 'checkpoint cannot be gone on from');
        const text =
          'A checkpoint is damaged or of another release of the engine. Training goes on from an earlier place.';
        this.#control.say('warning', text);
      }
    }
    await this.#begin(this.#firstPart);
  }

  async #trainAndTest(): Promise<void> {
    await this.#completeParts();
    const isTrained = this.#isTrained;
    // Trials are told apart by their validation: what is said of the test rows in the end must not have been looked at.
    const isTested = this.#test !== null || this.job.isTrial;
    const [train, validation, test] = await Promise.all([
      isTrained ? null : this.#fetch('train'),
      isTrained && isTested ? null : this.#fetch('validation'),
      isTested ? null : this.#fetch('test'),
    ]);
    if (train) {
      this.#enterTraining(train, validation, test);
      await this.#training.trainToEnd(train, validation);
    }
    await this.#training.restoreBest();
    if (test) {
      // A result that was told must not be measured again on other weights.
      await this.#now.keeper.settle();
      this.#control.enter('testing');
      const { loss, accuracy } = await this.#training.evaluate(test);
      await this.#report(test, validation);
      this.#test = { loss, accuracy, rowCount: test.rows };
      this.#control.emit({ kind: 'test', ...this.#test });
    }
  }

  #enterTraining(train: JobExamples, validation: JobExamples | null, test: JobExamples | null): void {
    if (!this.#isTraining) {
      const counts = [`${train.rows} training`, `${validation?.rows ?? 0} validation`, `${test?.rows ?? 0} test`];
      const { featureCount } = this.#now.job.pipeline;
      this.#control.say('info', `Read ${counts.join(', ')} rows of ${featureCount} features.`);
      this.#control.enter('training');
      this.#isTraining = true;
    }
  }

  /** Trains for each part that is left, and scores it; then the training begins that is published. */
  async #completeParts(): Promise<void> {
    while (this.#now.part.fold > 0) {
      const { fold: place, scores } = this.#now.part;
      const part = this.#parts[place - 1]!;
      const all = [...scores, await this.#completePart(part)];
      const next = place === this.#parts.length ? 0 : place + 1;
      if (this.#parts[next - 1]?.rule !== part.rule) {
        this.#summarise(part, all);
      }
      await this.#begin(this.#partAt(next, all));
    }
  }

  async #completePart(part: JobPart): Promise<FoldScore> {
    const splits = ['train', 'validation', 'test'] as const;
    const [train, validation, held] = await Promise.all(splits.map((split) => this.#fetch(split)));
    if (!train || !held) {
      throw new Error('a part has no rows');
    }
    this.#enterTraining(train, validation!, held);
    const { rule, fold, trainSize } = part;
    if (fold === 1 && trainSize === null && rule.stratified) {
      const warning = foldWarning(this.job.pipeline, rule, [...train.targets, ...held.targets]);
      if (warning) {
        this.#control.say('warning', warning);
      }
    }
    await this.#training.trainToEnd(train, validation!);
    await this.#training.restoreBest();
    // A score that was told must not be measured again on other weights.
    await this.#now.keeper.settle();
    const score: FoldScore = { fold, rowCount: held.rows, metrics: await this.#training.score(held) };
    if (trainSize !== null) {
      const trainMetrics = await this.#training.score(withoutClassWeights(train));
      Object.assign(score, { trainSize, trainRowCount: train.rows, trainMetrics });
    }
    this.#control.emit({ kind: 'fold', folds: rule.folds, ...score });
    return score;
  }

  /** What all parts of a cross-validation or a learning curve come to. */
  #summarise({ rule, trainSize }: JobPart, scores: FoldScore[]): void {
    const curve = trainSize === null ? null : learningCurveOf(scores);
    this.#control.emit(
      curve
        ? { kind: 'learningCurve', ...curve }
        : { kind: 'crossValidation', folds: rule.folds, ...summarise(foldScores(scores)) },
    );
  }

  #fetch(split: Split): Promise<JobExamples | null> {
    const { preprocessing, log } = this.dependencies;
    return jobExamples(this.#now.job, split, preprocessing, {
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
    await this.#now.keeper.settle();
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
    const tested = { test: this.#test, evaluation: this.#evaluation, scores: this.#now.part.scores };
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
