import type { Kysely, Selectable, Transaction } from '../platform/database.js';
import { ServiceError } from '../platform/errors.js';
import {
  applyEvent,
  type EpochMetrics,
  type Happening,
  type RunnableJob,
  type TrainingEvent,
  type TrainingJob,
} from './job.js';
import { isEndState, type JobState, jobStates } from './job-state.js';
import type { Schema } from './schema.js';
import type { FittedPipeline, TrainingSpec } from './training-spec.js';

export interface NewJob {
  id: string;
  requestId: string | null;
  requestDigest: string;
  spec: TrainingSpec;
  pipeline: FittedPipeline;
}

/** All but the pipeline, which may hold large vocabularies and is needed for a run only. */
const jobColumns = [
  ...(['number', 'id', 'spec', 'state', 'epochsDone', 'latestSequence', 'cancelRequested', 'createTimeMs'] as const),
  ...(['startTimeMs', 'endTimeMs', 'error', 'modelVersion', 'latestEpoch', 'test'] as const),
] satisfies (keyof Schema['jobs'])[];

type JobRow = Pick<Selectable<Schema['jobs']>, (typeof jobColumns)[number]>;
type Query = Kysely<Schema> | Transaction<Schema>;

const endStates = jobStates.filter(isEndState);

/**
 * Jobs and their events. Events get their numbers in the transaction that keeps them, together with what they change in the
 * job: a number that anybody has seen is never given again.
 */
export class JobStore {
  readonly #listeners = new Set<(jobNumber: number) => void>();

  constructor(
    private readonly database: Kysely<Schema>,
    private readonly now: () => number = Date.now,
    /** Most jobs that have not ended. */
    private readonly unfinishedMax = 1_000,
  ) {}

  /** Calls `listener` with a job's number after every commit of events; returns how to stop that. */
  onEvents(listener: (jobNumber: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Queues a job. A repeated `requestId` answers the job of the first time. */
  async create(given: NewJob): Promise<TrainingJob> {
    return this.#change(async (query) => {
      const made = await selectRequested(query, given.requestId, given.requestDigest);
      if (made) {
        return [made, null];
      }
      await this.#requireRoom(query);
      const row = {
        ...given,
        spec: JSON.stringify(given.spec),
        pipeline: JSON.stringify(given.pipeline),
        state: 'queued',
        epochsDone: 0,
        latestSequence: 0,
        cancelRequested: 0,
        createTimeMs: this.now(),
      };
      const { number } = await query.insertInto('jobs').values(row).returning('number').executeTakeFirstOrThrow();
      await insertEvents(query, number, [
        { sequence: 1, timeMs: row.createTimeMs, happening: { kind: 'stateChange', state: 'queued' } },
      ]);
      await query.updateTable('jobs').set({ latestSequence: 1 }).where('number', '=', number).execute();
      return [await selectJob(query, given.id), number];
    });
  }

  /** The job made by an earlier request of this id, or null. ALREADY_EXISTS when that one asked for something else. */
  async findRequested(requestId: string | null, requestDigest: string): Promise<TrainingJob | null> {
    return selectRequested(this.database, requestId, requestDigest);
  }

  async get(id: string): Promise<TrainingJob> {
    return selectJob(this.database, id);
  }

  /** Newest first, those older than number `before`. */
  async list(limit: number, before: number | null): Promise<TrainingJob[]> {
    let page = this.database.selectFrom('jobs').select(jobColumns).orderBy('number', 'desc').limit(limit);
    if (before !== null) {
      page = page.where('number', '<', before);
    }
    return (await page.execute()).map(toJob);
  }

  async countByState(): Promise<Record<JobState, number>> {
    const rows = await this.database
      .selectFrom('jobs')
      .select(['state', ({ fn }) => fn.countAll<number>().as('count')])
      .groupBy('state')
      .execute();
    const counts = Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
    for (const { state, count } of rows) {
      counts[state as JobState] = Number(count);
    }
    return counts;
  }

  /** IDs of the jobs that have not ended. */
  async unfinishedIds(): Promise<Set<string>> {
    const rows = await this.database.selectFrom('jobs').select('id').where('state', 'not in', endStates).execute();
    return new Set(rows.map(({ id }) => id));
  }

  /** Events after `sequence`, in order. */
  async events(jobNumber: number, sequence: number, limit: number): Promise<TrainingEvent[]> {
    const rows = await this.database
      .selectFrom('events')
      .select(['sequence', 'timeMs', 'happening'])
      .where('job', '=', jobNumber)
      .where('sequence', '>', sequence)
      .orderBy('sequence')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ ...row, happening: JSON.parse(row.happening) as Happening }));
  }

  /** What each of the first `count` epochs brought; of one that was repeated, what it brought last. */
  async epochs(jobNumber: number, count: number): Promise<EpochMetrics[]> {
    const rows = await this.database
      .selectFrom('events')
      .select('happening')
      .where('job', '=', jobNumber)
      .where('kind', '=', 'epoch')
      .orderBy('sequence')
      .execute();
    const epochs: EpochMetrics[] = [];
    for (const row of rows) {
      const { kind: _, ...metrics } = JSON.parse(row.happening) as EpochMetrics & { kind: 'epoch' };
      epochs[metrics.epoch - 1] = metrics;
    }
    return epochs.slice(0, count);
  }

  /** Numbers and keeps what has happened to a job, in one transaction. */
  async append(jobNumber: number, happenings: Happening[]): Promise<void> {
    await this.#change(async (query) => {
      const row = await query
        .selectFrom('jobs')
        .select(jobColumns)
        .where('number', '=', jobNumber)
        .executeTakeFirstOrThrow();
      await this.#record(query, toJob(row), happenings);
      return [undefined, jobNumber];
    });
  }

  /** Takes the oldest job that has not ended. One that waited in the queue is `preparing` from then on. */
  async claimNext(): Promise<{ job: RunnableJob; interrupted: boolean } | null> {
    return this.#change(async (query) => {
      const row = await query
        .selectFrom('jobs')
        .selectAll()
        .where('state', 'not in', endStates)
        .orderBy('number')
        .limit(1)
        .executeTakeFirst();
      if (!row) {
        return [null, null];
      }
      const found = toJob(row);
      const interrupted = found.state !== 'queued';
      const job = interrupted ? found : await this.#record(query, found, [{ kind: 'stateChange', state: 'preparing' }]);
      const pipeline = JSON.parse(row.pipeline) as FittedPipeline;
      return [{ job: { ...job, pipeline }, interrupted }, interrupted ? null : row.number];
    });
  }

  /** Ends a queued job at once; of a running one it keeps the wish. FAILED_PRECONDITION from publishing on. */
  async requestCancel(id: string): Promise<TrainingJob> {
    return this.#change(async (query) => {
      const job = await selectJob(query, id);
      refuseCancel(job);
      await query.updateTable('jobs').set({ cancelRequested: 1 }).where('number', '=', job.number).execute();
      if (job.state === 'queued') {
        await this.#record(query, job, [{ kind: 'stateChange', state: 'cancelled' }]);
      }
      return [await selectJob(query, id), job.number];
    });
  }

  async isCancelRequested(jobNumber: number): Promise<boolean> {
    const row = await this.database
      .selectFrom('jobs')
      .select('cancelRequested')
      .where('number', '=', jobNumber)
      .executeTakeFirstOrThrow();
    return row.cancelRequested === 1;
  }

  async #requireRoom(query: Query): Promise<void> {
    const { unfinished } = await query
      .selectFrom('jobs')
      .select(({ fn }) => fn.countAll<number>().as('unfinished'))
      .where('state', 'not in', endStates)
      .executeTakeFirstOrThrow();
    if (Number(unfinished) >= this.unfinishedMax) {
      const message = `The queue is full: ${unfinished} jobs have not ended. Wait for some to end, or cancel those that are not needed.`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'QUEUE_FULL', message);
    }
  }

  async #record(query: Query, before: TrainingJob, happenings: Happening[]): Promise<TrainingJob> {
    let job = before;
    const events: TrainingEvent[] = [];
    for (const happening of happenings) {
      const event = { sequence: job.latestSequence + 1, timeMs: this.now(), happening };
      job = applyEvent(job, event);
      events.push(event);
    }
    await insertEvents(query, job.number, events);
    const { state, epochsDone, latestSequence, startTimeMs, endTimeMs, modelVersion } = job;
    const changes = {
      ...{ state, epochsDone, latestSequence, startTimeMs, endTimeMs, modelVersion },
      error: toJson(job.error),
      latestEpoch: toJson(job.latestEpoch),
      test: toJson(job.test),
    };
    await query.updateTable('jobs').set(changes).where('number', '=', job.number).execute();
    return job;
  }

  /** Runs a transaction that answers a result and the number of the job with new events; tells listeners once committed. */
  async #change<Result>(run: (query: Query) => Promise<[Result, number | null]>): Promise<Result> {
    const [result, changed] = await this.database.transaction().execute(run);
    if (changed !== null) {
      for (const listener of this.#listeners) {
        listener(changed);
      }
    }
    return result;
  }
}

/** Of a job that publishes, the registry may have the version already: cancelling could no longer undo it. */
function refuseCancel({ id, state, spec }: TrainingJob): void {
  if (isEndState(state)) {
    const message = `The job trainingJobs/${id} cannot be cancelled: it has ${state === 'cancelled' ? 'been cancelled already' : state}.`;
    throw new ServiceError('FAILED_PRECONDITION', 'JOB_ENDED', message);
  }
  if (state === 'publishing') {
    const message = `The job trainingJobs/${id} cannot be cancelled: it is publishing its version of ${spec.publish.model}, and ends once the registry has answered.`;
    throw new ServiceError('FAILED_PRECONDITION', 'JOB_PUBLISHING', message);
  }
}

async function selectJob(query: Query, id: string): Promise<TrainingJob> {
  const row = await query.selectFrom('jobs').select(jobColumns).where('id', '=', id).executeTakeFirst();
  if (!row) {
    const message = `There is no job trainingJobs/${id}. List the jobs for those that are there.`;
    throw new ServiceError('NOT_FOUND', 'TRAINING_JOB_NOT_FOUND', message);
  }
  return toJob(row);
}

async function selectRequested(
  query: Query,
  requestId: string | null,
  requestDigest: string,
): Promise<TrainingJob | null> {
  if (requestId === null) {
    return null;
  }
  const row = await query
    .selectFrom('jobs')
    .select([...jobColumns, 'requestDigest'])
    .where('requestId', '=', requestId)
    .executeTakeFirst();
  if (row && row.requestDigest !== requestDigest) {
    const message = `The request id ${JSON.stringify(requestId)} made trainingJobs/${row.id} from another spec. Use a new id.`;
    throw new ServiceError('ALREADY_EXISTS', 'REQUEST_ID_REUSED', message);
  }
  return row ? toJob(row) : null;
}

async function insertEvents(query: Query, job: number, events: TrainingEvent[]): Promise<void> {
  if (events.length > 0) {
    const rows = events.map(({ happening, ...event }) => ({
      ...{ job, ...event },
      ...{ kind: happening.kind, happening: JSON.stringify(happening) },
    }));
    await query.insertInto('events').values(rows).execute();
  }
}

function toJob(row: JobRow): TrainingJob {
  return {
    number: row.number,
    id: row.id,
    spec: JSON.parse(row.spec),
    state: row.state as JobState,
    epochsDone: row.epochsDone,
    latestSequence: row.latestSequence,
    cancelRequested: row.cancelRequested === 1,
    createTimeMs: row.createTimeMs,
    startTimeMs: row.startTimeMs,
    endTimeMs: row.endTimeMs,
    error: fromJson(row.error),
    modelVersion: row.modelVersion,
    latestEpoch: fromJson(row.latestEpoch),
    test: fromJson(row.test),
  };
}

function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function fromJson<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
