import { type EngineError, type Examples, Network, Trainer } from '../../native/index.js';
import { ServiceError } from '../platform/errors.js';
import type { CheckpointKeeper } from './checkpoint-keeper.js';
import type { Checkpoint } from './checkpoint-store.js';
import { divergence, isDivergence, scaledRates } from './divergence.js';
import { observeEpoch, type StoppingState } from './early-stopping.js';
import { EpochSlices } from './epoch-slices.js';
import { evaluate, type Measures, measureNorms, withPublishedWeights } from './evaluation.js';
import type { FoldScore } from './folds.js';
import type { EpochMetrics, OfFold, RunnableJob } from './job.js';
import type { JobExamples } from './job-examples.js';
import { toNetworkSpec } from './network-shape.js';
import { type Pace, rate, remainingSeconds } from './progress.js';
import { measureFigures } from './report/network-evaluation.js';
import type { RunControl } from './run-control.js';
import { trainerOptions } from './trainer-options.js';
import { type EndReason, endReason, epochsAllowed } from './training-goal.js';
import { stepsPerEpoch } from './training-length.js';
import type { TrainingMetrics } from './training-metrics.js';
import { isNumeric } from './training-spec.js';
import { wantedFigures } from './validation-metric.js';

/** What the engine says of it begins with another word. */
function inWords({ message }: Error): string {
  return message.startsWith('Training diverged') ? message : `Training diverged. ${message}`;
}

/** Which of a job's trainings it is. */
export interface Part {
  /** Place among `partsOf` the job, from 1; 0: the training that is published. */
  fold: number;
  /** Of the parts before. */
  scores: FoldScore[];
  /** What events say of it. */
  ofFold: OfFold;
}

/** A network on its way through the epochs of a job. */
export class NetworkTraining {
  readonly network: Network;
  #trainer: Trainer;
  #epochsDone = 0;
  #validationSeconds = 0;
  #stopping: StoppingState | null = null;
  /** Time between two step events, ms. */
  readonly #progressIntervalMs: number;
  #stepTimeMs = Number.NEGATIVE_INFINITY;
  readonly #slices: EpochSlices;
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
    private readonly part: Part,
  ) {
    const { spec, pipeline } = job;
    this.network = Network.create(toNetworkSpec(pipeline.featureCount, spec.layers), spec.seed);
    this.#trainer = new Trainer(this.network, trainerOptions(spec, threads));
    this.#progressIntervalMs = 1_000 / job.stepEventsPerSecond;
    this.#slices = new EpochSlices(spec, control, keeper, () => this.#checkpoint());
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
    const [epochsDone, secondsDone, stopping] = [this.#epochsDone, this.#slices.secondsDone, this.#stopping];
    return endReason(this.job.spec, { epochsDone, stepsDone: this.#trainer.step, secondsDone, stopping });
  }

  /** The epoch whose weights are tested and published. */
  get restoredEpoch(): number {
    const { earlyStopping } = this.job.spec;
    return (earlyStopping?.restoreBest && this.#stopping?.bestEpoch) || this.#epochsDone;
  }

  /** What events say of it. */
  get #ofFold(): OfFold {
    return this.part.ofFold;
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
    this.#slices.epochSeconds = epochSeconds;
    this.#slices.secondsDone = secondsDone;
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

  /** All measures of rows that it was not trained on, by their names in a report; those that they leave undefined are left out. */
  async score(examples: JobExamples): Promise<Record<string, number>> {
    const { loss, accuracy } = await this.evaluate(examples);
    return { loss, ...(accuracy === null ? {} : { accuracy }), ...(await this.#figures(examples, null)) };
  }

  /** The validation rows, by the figures that the spec asks for too. */
  async #validate(validation: JobExamples): Promise<Measures & { figures: Record<string, number> | null }> {
    const { spec } = this.job;
    const measures = await this.evaluate(validation);
    const names = wantedFigures(spec.metrics, spec.earlyStopping);
    return { ...measures, figures: names.length === 0 ? null : await this.#figures(validation, names) };
  }

  /** @param names null: all */
  async #figures(examples: JobExamples, names: string[] | null): Promise<Record<string, number>> {
    const { spec, pipeline } = this.job;
    const task = { labelKind: spec.pipeline.labelKind!, pipeline };
    const figures = await this.withPublishedWeights(() =>
      measureFigures(this.network, task, examples, names, this.control.signal),
    );
    return Object.fromEntries(Object.entries(figures).filter((entry): entry is [string, number] => entry[1] !== null));
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
    const result = await this.#slices.trainEpoch(this.#trainer, train, {
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
          ...{ examplesPerSecond, remainingSeconds: remaining, learningRate, ...this.#ofFold },
        });
      },
    });
    const { loss, examples } = result;
    this.#epochsDone = epoch;
    const seconds = this.#slices.epochSeconds + result.seconds;
    this.#slices.epochSeconds = 0;
    this.#slices.secondsDone += seconds;
    const isDue = epoch % spec.validation.everyEpochs === 0 || this.endReason !== null;
    const begin = performance.now();
    const validated = validation && isDue ? await this.#validate(validation) : null;
    if (validated) {
      this.#validationSeconds = (performance.now() - begin) / 1_000;
      this.#slices.secondsDone += this.#validationSeconds;
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
      ...{ ...norms, ...this.#ofFold },
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
    this.#slices.secondsDone += this.#slices.epochSeconds;
    this.#slices.epochSeconds = 0;
    const factor = rule.learningRateFactor ** this.#retriesDone;
    const place = epochsDone === 0 ? 'from the start' : `from the end of epoch ${epochsDone}`;
    const text = `${inWords(error)} It goes on ${place} with learning rates times ${Number(factor.toPrecision(6))} (${this.#retriesDone} of ${rule.retries} retries).`;
    this.control.say('warning', text);
    this.control.emit({ kind: 'resumed', epochsDone, stepsDone: 0, ...this.#ofFold });
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
    const secondsLeft = seconds === null ? null : seconds - this.#slices.secondsDone - this.#slices.epochSeconds;
    return { examplesPerSecond, validationSeconds: this.#validationSeconds, secondsLeft };
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
      this.control.emit({ kind: 'trainingEnd', reason, ...end, ...this.#ofFold });
    }
    if (reason !== null || this.#slices.clock.isDue({ epochs: this.#epochsDone, steps: this.#trainer.step })) {
      this.#slices.clock.restart();
      await this.keeper.keep(() => taken ?? this.#checkpoint(), reason !== null);
    }
  }

  #checkpoint(): Checkpoint {
    const { earlyStopping, onDivergence } = this.job.spec;
    const stepsDone = this.#trainer.position.step;
    const best = earlyStopping?.restoreBest ? this.#stopping?.bestEpoch : undefined;
    const good = onDivergence && stepsDone > 0 && this.#epochsDone > 0 ? this.#epochsDone : undefined;
    return {
      ...{ fold: this.part.fold, scores: this.part.scores },
      epochsDone: this.#epochsDone,
      stepsDone,
      retriesDone: this.#retriesDone,
      needs: [...new Set([best, good])].filter((epoch) => epoch !== undefined),
      epochSeconds: this.#slices.epochSeconds,
      secondsDone: this.#slices.secondsDone,
      stopping: this.#stopping,
      trainerState: this.#trainer.saveState(),
    };
  }

  /** Only answers that are classes can be right. */
  #known(accuracy: number | null): number | null {
    return isNumeric(this.job.spec.pipeline.labelKind) ? null : accuracy;
  }
}
