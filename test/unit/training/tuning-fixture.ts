import path from 'node:path';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import { createLog } from '../../../services/platform/log.js';
import type { Happening, TrainingJob } from '../../../services/training/job.js';
import { JobQueue } from '../../../services/training/job-queue.js';
import type { JobRunner } from '../../../services/training/job-runner.js';
import { type ClaimedJob, JobStore } from '../../../services/training/job-store.js';
import type { RunSignals } from '../../../services/training/run-control.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { toSpecMessage } from '../../../services/training/spec-rpc.js';
import type { TuneSpec } from '../../../services/training/tuning/tune-spec.js';
import type { KeptTuningEvent, TuningJob } from '../../../services/training/tuning/tuning-job.js';
import { TuningStore } from '../../../services/training/tuning/tuning-store.js';
import { watchTuning } from '../../../services/training/tuning/tuning-watch.js';
import { Tunings } from '../../../services/training/tuning/tunings.js';
import { toSpecDraft } from '../../../services/training/tuning-rpc.js';
import { tempFolder } from '../../support/temp-folder.js';
import { fittedPipeline, newJob, validDraft } from './spec-draft.js';

export const epochs = 9;
const log = createLog('test', 'silent');

const rate = { type: 'logUniform', low: 1e-4, high: 1 } as const;
/** Which learning rate is best? */
export const tune: TuneSpec = {
  ...{ space: [{ name: 'optimizer.learning_rate', range: rate, when: [] }], spaceMessage: {}, method: 'random' },
  ...{ trials: 4, parallel: 1, objective: 'validationLoss', stopEarly: 'asha', seconds: null, seed: 5 },
  asha: { minimumValidations: 1, reductionFactor: 3 },
  hyperband: { maximumValidations: epochs, reductionFactor: 3 },
};

/** The services of tunings on a database of their own, with trainings that are played and not done. */
export class TuningFixture {
  readonly jobs: JobStore;
  readonly store: TuningStore;
  queue!: JobQueue;
  tunings!: Tunings;
  nowMs = 0;
  /** Awaited before each epoch. */
  beforeEpoch: (job: TrainingJob, epoch: number) => Promise<void> = async () => undefined;

  private constructor(private readonly database: Kysely<Schema>) {
    this.jobs = new JobStore(database);
    this.store = new TuningStore(database, () => this.nowMs);
  }

  static async open(): Promise<TuningFixture> {
    const fixture = new TuningFixture(await openDatabase(path.join(tempFolder(), 'training.db'), migrations));
    await fixture.start();
    return fixture;
  }

  async start(): Promise<void> {
    const runner = { run: this.#play, release: async () => undefined, erase: async () => undefined };
    this.queue = new JobQueue(this.jobs, runner as unknown as JobRunner, log, [1]);
    const createJob = async (
      spec: object,
      { requestId, isTrial = false }: { requestId: string | null; isTrial?: boolean },
    ) => {
      const pipeline = fittedPipeline();
      const resolved = resolveSpec(toSpecDraft(spec), pipeline);
      const id = requestId!.replaceAll('/', '-').toLowerCase();
      const job = await this.jobs.create(newJob({ id, requestId, isTrial, spec: resolved, pipeline }));
      this.queue.wake();
      return job;
    };
    const now = () => this.nowMs;
    this.tunings = new Tunings({ tunings: this.store, jobs: this.jobs, queue: this.queue, createJob, log, now });
    this.queue.start();
    await this.tunings.start();
  }

  /** Leaves everything where it stands, as the service does. */
  async stop(): Promise<void> {
    await Promise.all([this.tunings.stop(), this.queue.stop()]);
  }

  async close(): Promise<void> {
    await this.stop();
    await this.database.destroy();
  }

  async begin(id: string, changes: Partial<TuneSpec> = {}): Promise<TuningJob> {
    const folds = { crossValidation: {}, learningCurve: {} };
    const spec = toSpecMessage(resolveSpec(validDraft({ epochs, ...folds }), fittedPipeline()));
    const request = { requestId: null, requestDigest: '', owner: '', priority: 0, labels: {} };
    const tuning = await this.store.create({ ...request, id, spec, tune: { ...tune, ...changes } });
    this.tunings.begin(tuning);
    return tuning;
  }

  /** Events from the first on until one is what is waited for. */
  async until(id: string, isReached: (event: KeptTuningEvent) => boolean): Promise<KeptTuningEvent[]> {
    const seen: KeptTuningEvent[] = [];
    for await (const event of watchTuning(this.store, id, 0, new AbortController().signal)) {
      seen.push(event);
      if (isReached(event)) {
        return seen;
      }
    }
    return seen;
  }

  /** What a tuning has come to, but for times and names. */
  async board(id: string) {
    const { number, state } = await this.store.get(id);
    const trials = await this.store.trials(number);
    return {
      state,
      trials: trials.map(({ values, state, objective, epochsDone, curve, endReason }) => {
        return { values, state, objective, epochsDone, curve, endReason };
      }),
    };
  }

  readonly #play = async ({ job, isBegun }: ClaimedJob, _: number, signals: RunSignals): Promise<void> => {
    const append = (...happenings: Happening[]) => this.jobs.append(job.number, happenings);
    const { epochsDone } = job;
    if (isBegun) {
      const prepared: Happening[] = job.state === 'preparing' ? [] : [{ kind: 'stateChange', state: 'preparing' }];
      await append(...prepared, { kind: 'resumed', epochsDone, stepsDone: 0 });
    }
    await append({ kind: 'stateChange', state: 'training' });
    const { learningRate } = job.spec.optimizer as { learningRate: number };
    for (let epoch = epochsDone + 1; epoch <= epochs; epoch++) {
      await this.beforeEpoch(job, epoch);
      if (signals.cancelled.aborted) {
        return append({ kind: 'stateChange', state: 'cancelled' });
      }
      if (signals.stopping.aborted) {
        return;
      }
      if (signals.paused.aborted) {
        await this.jobs.keepPause(job.number);
        return;
      }
      // Falls to how far the rate is from 0.01, by factors.
      const loss = Math.abs(Math.log10(learningRate) + 2) + 1 / epoch;
      await append({ kind: 'epoch', ...epochMetrics, epoch, validationLoss: loss });
      // A training of its own would let others have their turn here too.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const end = { reason: 'epochs', epoch: epochs, steps: epochs, restoredEpoch: epochs } as const;
    await append({ kind: 'trainingEnd', ...end });
    const publishing: Happening[] = [
      { kind: 'stateChange', state: 'testing' },
      { kind: 'stateChange', state: 'publishing' },
    ];
    const modelVersion = 'models/mnist/versions/1';
    await append(...(job.isTrial ? [] : publishing), {
      kind: 'stateChange',
      state: 'succeeded',
      ...(job.isTrial ? {} : { modelVersion }),
    });
  };
}

const epochMetrics = {
  ...{ epochs, steps: 1, loss: 1, accuracy: null, validationAccuracy: null, seconds: 1, examplesPerSecond: 1 },
  ...{ remainingSeconds: 0, learningRate: 1, gradientNorm: 1, weightNorm: 1 },
};
