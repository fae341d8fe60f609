import type { Kysely } from '../platform/database.js';
import { ServiceError } from '../platform/errors.js';
import {
  applyEvent,
  type EpochMetrics,
  type Happening,
  type RunnableJob,
  type TrainingEvent,
  type TrainingJob,
} from './job.js';
import { keepClaim, selectNext } from './job-claim.js';
import type { Placing } from './job-creation.js';
import { type JobPage, type Listing, listJobs } from './job-list.js';
import { refuseCancel, refuseDelete, refusePause, refuseResume } from './job-refusal.js';
import { changesOf, jobColumns, type Query, selectJob, toJob } from './job-row.js';
import { endStates, type JobState, jobStates } from './job-state.js';
import type { Schema } from './schema.js';
import type { FittedPipeline, TrainingSpec } from './training-spec.js';

export interface NewJob extends Placing {
  id: string;
  requestId: string | null;
  requestDigest: string;
  spec: TrainingSpec;
  pipeline: FittedPipeline;
}

export interface ClaimedJob {
  job: RunnableJob;
  /** Whether it was begun before, and may have a checkpoint to go on from. */
  isBegun: boolean;
}

/** What a running job is to do at its next step. */
export interface Wishes {
  cancel: boolean;
  pause: boolean;
}

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

  /** Calls `listener` with a job's number after every commit of events, and its removal; returns how to stop that. */
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
        labels: JSON.stringify(given.labels),
        spec: JSON.stringify(given.spec),
        model: given.spec.publish.model,
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

  async list(listing: Listing): Promise<JobPage> {
    return listJobs(this.database, listing);
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
      await this.#record(query, await selectNumber(query, jobNumber), happenings);
      return [undefined, jobNumber];
    });
  }

  /**
   * Takes the job to run next, if there is one. One that waited in the queue is `preparing` from then on.
   * @param running numbers of the jobs that this process runs already
   */
  async claimNext(running: readonly number[] = []): Promise<ClaimedJob | null> {
    return this.#change<ClaimedJob | null>(async (query) => {
      const number = await selectNext(query, running);
      if (number === null) {
        return [null, null];
      }
      const row = await query.selectFrom('jobs').selectAll().where('number', '=', number).executeTakeFirstOrThrow();
      await keepClaim(query, number);
      const found = { ...toJob(row), attemptCount: row.attemptCount + 1 };
      const isQueued = found.state === 'queued';
      const job = isQueued ? await this.#record(query, found, [{ kind: 'stateChange', state: 'preparing' }]) : found;
      const pipeline = JSON.parse(row.pipeline) as FittedPipeline;
      return [{ job: { ...job, pipeline }, isBegun: row.attemptCount > 0 }, isQueued ? number : null];
    });
  }

  /** Ends a queued or paused job at once; of a running one it keeps the wish. FAILED_PRECONDITION from publishing on. */
  async requestCancel(id: string): Promise<TrainingJob> {
    return this.#change(async (query) => {
      const job = await selectJob(query, id);
      refuseCancel(job);
      await query.updateTable('jobs').set({ cancelRequested: 1 }).where('number', '=', job.number).execute();
      if (job.state === 'queued' || job.state === 'paused') {
        await this.#record(query, job, [{ kind: 'stateChange', state: 'cancelled' }]);
      }
      return [await selectJob(query, id), job.number];
    });
  }

  /** Pauses a queued job at once; of a running one it keeps the wish. FAILED_PRECONDITION from publishing on. */
  async requestPause(id: string): Promise<TrainingJob> {
    return this.#change(async (query) => {
      const job = await selectJob(query, id);
      refusePause(job);
      await query.updateTable('jobs').set({ pauseRequested: 1 }).where('number', '=', job.number).execute();
      if (job.state === 'queued') {
        await this.#record(query, job, [{ kind: 'stateChange', state: 'paused' }]);
      }
      return [await selectJob(query, id), job.number];
    });
  }

  /** Queues a paused job; of one that is still to be paused it takes that back. FAILED_PRECONDITION of any other. */
  async requestResume(id: string): Promise<TrainingJob> {
    return this.#change(async (query) => {
      const job = await selectJob(query, id);
      refuseResume(job);
      await query.updateTable('jobs').set({ pauseRequested: 0 }).where('number', '=', job.number).execute();
      if (job.state === 'paused') {
        await this.#record(query, job, [{ kind: 'stateChange', state: 'queued' }]);
      }
      return [await selectJob(query, id), job.number];
    });
  }

  /** What was asked of a running job. */
  async wishes(jobNumber: number): Promise<Wishes> {
    const row = await this.database
      .selectFrom('jobs')
      .select(['cancelRequested', 'pauseRequested'])
      .where('number', '=', jobNumber)
      .executeTakeFirstOrThrow();
    return { cancel: row.cancelRequested === 1, pause: row.pauseRequested === 1 };
  }

  /**
   * Keeps that a running job has stopped because it was to pause. What was asked of it in the meantime counts: one that was
   * cancelled ends, and one that was resumed queues.
   */
  async keepPause(jobNumber: number): Promise<JobState> {
    return this.#change(async (query) => {
      const before = await selectNumber(query, jobNumber);
      const states: JobState[] = before.cancelRequested
        ? ['cancelled']
        : ['paused', ...(before.pauseRequested ? [] : (['queued'] as const))];
      const happenings = states.map((state): Happening => ({ kind: 'stateChange', state }));
      const { state } = await this.#record(query, before, happenings);
      return [state, jobNumber];
    });
  }

  /** Removes a job that has ended, with its events. FAILED_PRECONDITION of any other. */
  async remove(id: string): Promise<void> {
    await this.#change(async (query) => {
      const job = await selectJob(query, id);
      refuseDelete(job);
      await query.deleteFrom('events').where('job', '=', job.number).execute();
      await query.deleteFrom('jobs').where('number', '=', job.number).execute();
      return [undefined, job.number];
    });
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
    await query.updateTable('jobs').set(changesOf(job)).where('number', '=', job.number).execute();
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

async function selectNumber(query: Query, jobNumber: number): Promise<TrainingJob> {
  const row = await query
    .selectFrom('jobs')
    .select(jobColumns)
    .where('number', '=', jobNumber)
    .executeTakeFirstOrThrow();
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
    const message = `The request id ${JSON.stringify(requestId)} made trainingJobs/${row.id} from another spec, or for another place in the queue. Use a new id.`;
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
