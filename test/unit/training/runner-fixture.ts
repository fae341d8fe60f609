import path from 'node:path';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import { createLog } from '../../../services/platform/log.js';
import { CheckpointStore } from '../../../services/training/checkpoint-store.js';
import type { Happening } from '../../../services/training/job.js';
import type { TensorSource } from '../../../services/training/job-examples.js';
import { JobRunner } from '../../../services/training/job-runner.js';
import { JobStore } from '../../../services/training/job-store.js';
import type { Publication } from '../../../services/training/registry-client.js';
import type { ModelPublisher } from '../../../services/training/run-dependencies.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { TrainingMetrics } from '../../../services/training/training-metrics.js';
import type { SpecDraft } from '../../../services/training/training-spec.js';
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
    await this.store.create(newJob({ id, ...this.spec(changes, rows) }));
  }

  /** Claims and runs the next job; answers what happened to it, first to last. */
  async run(): Promise<Happening[]> {
    const { store, preprocessing, registry, checkpoints } = this;
    const claimed = (await store.claimNext())!;
    const metrics = new TrainingMetrics(() => store.countByState());
    const runner = new JobRunner(store, { history: store, preprocessing, registry, checkpoints, board, metrics, log });
    const { cancelled, paused, stopping } = this;
    const signals = { cancelled: cancelled.signal, paused: paused.signal, stopping: stopping.signal };
    await runner.run(claimed, 1, signals);
    return (await store.events(claimed.job.number, 0, 1_000)).map(({ happening }) => happening);
  }

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
