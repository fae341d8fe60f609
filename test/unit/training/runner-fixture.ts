import path from 'node:path';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import { createLog } from '../../../services/platform/log.js';
import { assignFolds, takeShare } from '../../../services/preprocessing/training-part.js';
import { CheckpointStore } from '../../../services/training/checkpoint-store.js';
import type { Happening } from '../../../services/training/job.js';
import type { PipelineFitter } from '../../../services/training/job-creation.js';
import type { TensorSource } from '../../../services/training/job-examples.js';
import { JobRunner } from '../../../services/training/job-runner.js';
import { JobStore } from '../../../services/training/job-store.js';
import type { Publication } from '../../../services/training/registry-client.js';
import type { ModelPublisher } from '../../../services/training/run-dependencies.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { TrainingMetrics } from '../../../services/training/training-metrics.js';
import type { FitRequest, FittedPipeline, SpecDraft, TrainingPart } from '../../../services/training/training-spec.js';
import { tempFolder } from '../../support/temp-folder.js';
import { fittedPipeline, newJob, validDraft } from './spec-draft.js';

const rowCounts = { train: 64, validation: 16, test: 16 };
const board = { write: async () => undefined, remove: async () => undefined };
const log = createLog('test', 'silent');
export const diskFull = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });

/** Two classes: a row is of class 1 when its first value is the larger one. */
export const twoClasses: TensorSource = {
  tensors: async (pipeline, _, split) => {
    const rows = pipeline.rowCounts[split];
    const features = Float32Array.from({ length: rows * 2 }, (_value, i) => ((i * 7_919) % 101) / 101);
    const targets = Int32Array.from({ length: rows }, (_value, i) => (features[2 * i]! > features[2 * i + 1]! ? 1 : 0));
    return { rows, features, targets };
  },
};

/** What happened, but for what comes at no fixed place. */
export const kinds = (happenings: Happening[]) =>
  happenings
    .filter(({ kind }) => !['step', 'checkpoint', 'log'].includes(kind))
    .map((happening) => (happening.kind === 'stateChange' ? happening.state : happening.kind));

export const weightsOf = (publication: Publication) => Buffer.from(publication.artifacts['model.safetensors']!);

const partPrefix = 'pipelines/part-';

/** A runner with a store of its own, and with services beside it that each test may exchange. */
export class RunnerFixture {
  readonly published: Publication[] = [];
  registry: ModelPublisher = {
    publish: async (publication) => {
      this.published.push(publication);
      return { name: 'models/m/versions/1', promotion: null };
    },
  };
  preprocessing = twoClasses;
  /** What `fit` was asked for. */
  readonly fits: FitRequest[] = [];
  /** What `fit` throws; null: it fits. */
  refuseFit: (request: FitRequest) => Error | null = () => null;
  /** Of the job that was made last. */
  #whole: FittedPipeline = fittedPipeline();
  cancelled = new AbortController();
  paused = new AbortController();
  stopping = new AbortController();

  private constructor(
    private readonly database: Kysely<Schema>,
    readonly store: JobStore,
    readonly checkpoints: CheckpointStore,
  ) {}

  static async open(): Promise<RunnerFixture> {
    const folder = tempFolder();
    const database = await openDatabase<Schema>(path.join(folder, 'training.db'), migrations);
    const checkpoints = await CheckpointStore.open(path.join(folder, 'checkpoints'));
    return new RunnerFixture(database, new JobStore(database, () => 0), checkpoints);
  }

  close(): Promise<void> {
    return this.database.destroy();
  }

  spec(changes: Partial<SpecDraft> = {}, rows = rowCounts) {
    const layers = [{ type: 'dense' as const, units: 2, activation: 'softmax' as const, kernelInitializer: null }];
    const numbers = { featureCount: 2, featureScale: 1, featureOffset: 0, featureType: 'float32' } as const;
    const pipeline = fittedPipeline({ ...numbers, classes: ['0', '1'], rowCounts: rows });
    return { spec: resolveSpec(validDraft({ layers, epochs: 3, ...changes }), pipeline), pipeline };
  }

  /** Queues a job, `a` unless another is named. */
  async create(changes: Partial<SpecDraft> = {}, rows = rowCounts, id = 'a'): Promise<void> {
    const made = this.spec(changes, rows);
    this.#whole = made.pipeline;
    await this.store.create(newJob({ id, ...made }));
  }

  /** Claims and runs the next job; answers what happened to it, first to last. */
  async run(): Promise<Happening[]> {
    const { store, registry, checkpoints } = this;
    const claimed = (await store.claimNext())!;
    const metrics = new TrainingMetrics(() => store.countByState());
    const beside = { preprocessing: this.#parted, fitter: { fit: this.#fit }, registry };
    const runner = new JobRunner(store, { history: store, ...beside, checkpoints, board, metrics, log });
    const { cancelled, paused, stopping } = this;
    const signals = { cancelled: cancelled.signal, paused: paused.signal, stopping: stopping.signal };
    await runner.run(claimed, 1, signals);
    return (await store.events(claimed.job.number, 0, 1_000)).map(({ happening }) => happening);
  }

  /** A pipeline of a part: its rows are those of the whole training split that preprocessing would take. */
  readonly #fit: PipelineFitter['fit'] = async (_, request, signal) => {
    this.fits.push(request);
    const refusal = this.refuseFit(request);
    if (refusal) {
      throw refusal;
    }
    const whole = this.#whole;
    const part = request.part!;
    const { train, held } = await this.partOf(part, signal);
    const rowCounts = { ...whole.rowCounts, train: train.length, test: held.length };
    return { ...whole, name: `${partPrefix}${JSON.stringify(part)}`, rowCounts };
  };

  /** Which rows of the training split a part trains on, and which it is scored on. */
  async partOf(
    part: TrainingPart,
    signal = new AbortController().signal,
  ): Promise<{ train: number[]; held: number[] }> {
    const { targets } = await this.preprocessing.tensors(this.#whole, 'classes', 'train', signal);
    const strata = part.stratified ? targets : null;
    const foldOf = assignFolds(this.#whole.rowCounts.train, part, strata);
    const rows = Array.from(foldOf.keys());
    return {
      train: rows.filter(takeShare(foldOf, part, strata)),
      held: rows.filter((row) => foldOf[row] === part.fold),
    };
  }

  readonly #parted: TensorSource = {
    tensors: async (pipeline, kind, split, signal) => {
      if (!pipeline.name.startsWith(partPrefix) || split === 'validation') {
        return this.preprocessing.tensors(pipeline, kind, split, signal);
      }
      const part = JSON.parse(pipeline.name.slice(partPrefix.length)) as TrainingPart;
      const rows = (await this.partOf(part, signal))[split === 'train' ? 'train' : 'held'];
      const { features, targets } = await this.preprocessing.tensors(this.#whole, kind, 'train', signal);
      return {
        rows: rows.length,
        features: Float32Array.from(rows.flatMap((row) => [...features.subarray(2 * row, 2 * row + 2)])),
        targets:
          targets instanceof Int32Array
            ? Int32Array.from(rows, (row) => targets[row]!)
            : Float32Array.from(rows, (row) => targets[row]!),
      };
    },
  };

  /** Has the service stop once something has happened to the job; it goes on at the next `run`. */
  stopAfter(isReached: (happening: Happening) => boolean): void {
    const append = this.store.append.bind(this.store);
    this.stopping = new AbortController();
    this.store.append = async (number, happenings) => {
      await append(number, happenings);
      if (happenings.some(isReached)) {
        this.store.append = append;
        const { stopping } = this;
        this.stopping = new AbortController();
        stopping.abort();
      }
    };
  }
}
