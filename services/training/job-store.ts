import type { Kysely, RawBuilder } from '../platform/database.js';
import { ServiceError } from '../platform/errors.js';
import { insertEvents, selectEvents, toEvent } from './event-row.js';
import {
  applyEvent,
  type EpochMetrics,
  type Happening,
  type KeptEvent,
  type RunnableJob,
  type TrainingEvent,
  type TrainingJob,
} from './job.js';
import { JobCache } from './job-cache.js';
import { keepClaim, selectNext } from './job-claim.js';
import type { Placing } from './job-creation.js';
import { type JobPage, type Listing, listJobs } from './job-list.js';
import { refuseCancel, refuseDelete, refusePause, refuseResume } from './job-refusal.js';
import { changesOf, jobColumns, type Query, selectJob, toJob } from './job-row.js';
import { endStates, finalStates, isEndState, type JobState, jobStates } from './job-state.js';
import type { Schema } from './schema.js';
import type { FittedPipeline, TrainingSpec } from './training-spec.js';

export interface NewJob extends Placing {
  id: string;
  requestId: string | null;
  requestDigest: string;
  isTrial: boolean;
  spec: TrainingSpec;
  pipeline: FittedPipeline;
}

export interface ClaimedJob {
  job: RunnableJob;
  /** Whether it was begun before, and may have a checkpoint to go on from. */
  isBegun: boolean;
}

/** Who wants to know what has been committed. */
export interface StoreListener {
  /** Events of one job, in order. */
  onEvents(events: readonly KeptEvent[]): void;
  /** A job has been deleted. */
  onRemoved(jobNumber: number): void;
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
  readonly #listeners = new Set<StoreListener>();
  readonly #cache = new JobCache();

  constructor(
    private readonly database: Kysely<Schema>,
    private readonly now: () => number = Date.now,
    /** Most jobs that have not ended. */
    private readonly unfinishedMax = 1_000,
  ) {}

  /** Tells `listener` of every commit from now on; returns how to stop that. */
  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Queues a job. A repeated `requestId` answers the job of the first time. */
  async create(given: NewJob): Promise<TrainingJob> {
    return this.#change(async (query, kept) => {
      const made = await selectRequested(query, given.requestId, given.requestDigest);
      if (made) {
        return made;
      }
      await this.#requireRoom(query);
      const row = {
        ...given,
        labels: JSON.stringify(given.labels),
        isTrial: given.isTrial ? 1 : 0,
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
      const queued = {
        sequence: 1,
        timeMs: row.createTimeMs,
        happening: { kind: 'stateChange', state: 'queued' },
      } as const;
      kept.push(...(await insertEvents(query, { number, id: given.id }, [queued])));
      await query.updateTable('jobs').set({ latestSequence: 1 }).where('number', '=', number).execute();
      return selectJob(query, given.id);
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
    const latestPosition = await this.latestPosition();
    const page = await this.database.transaction().execute((query) => listJobs(query, this.#cache, listing));
    return { ...page, latestPosition };
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

  /** Null when there is no such job. */
  async isEnded(id: string): Promise<boolean | null> {
    const row = await this.database.selectFrom('jobs').select('state').where('id', '=', id).executeTakeFirst();
    return row ? isEndState(row.state as JobState) : null;
  }

  /** IDs of the jobs that may go on. */
  async resumableIds(): Promise<Set<string>> {
    const rows = await this.database.selectFrom('jobs').select('id').where('state', 'not in', finalStates).execute();
    return new Set(rows.map(({ id }) => id));
  }

  /** Events of a job after `sequence`, in order. */
  async events(jobNumber: number, sequence: number, limit: number): Promise<KeptEvent[]> {
    const rows = await selectEvents(this.database)
      .where('job', '=', jobNumber)
      .where('sequence', '>', sequence)
      .orderBy('sequence')
      .limit(limit)
      .execute();
    return rows.map(toEvent);
  }

  /** Events after `position` of all jobs that meet a condition, in order. */
  async allEvents(condition: RawBuilder<boolean>, position: number, limit: number): Promise<KeptEvent[]> {
    const rows = await selectEvents(this.database)
      .where('position', '>', position)
      .where(condition)
      .orderBy('position')
      .limit(limit)
      .execute();
    return rows.map(toEvent);
  }

  /** Position of the newest event; 0 before the first. */
  async latestPosition(): Promise<number> {
    const { position } = await this.database
      .selectFrom('events')
      .select(({ fn }) => fn.max('position').as('position'))
      .executeTakeFirstOrThrow();
    return position ?? 0;
  }

  /** Whether a job is there and meets a condition. */
  async meets(condition: RawBuilder<boolean>, jobNumber: number): Promise<boolean> {
    const row = await this.database
      .selectFrom('jobs')
      .select('number')
      .where('number', '=', jobNumber)
      .where(condition)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Time of the newest step event of a job before `sequence`; null when there is none. */
  async lastStepTime(jobNumber: number, sequence: number): Promise<number | null> {
    const row = await this.database
      .selectFrom('events')
      .select('timeMs')
      .where('job', '=', jobNumber)
      .where('sequence', '<', sequence)
      .where('kind', '=', 'step')
      .orderBy('sequence', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row?.timeMs ?? null;
  }

  /** What each of the first `count` epochs brought, folds aside; of one that was repeated, what it brought last. */
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
      if (!metrics.fold) {
        epochs[metrics.epoch - 1] = metrics;
      }
    }
    return epochs.slice(0, count);
  }

  /** Numbers and keeps what has happened to a job, in one transaction. */
  async append(jobNumber: number, happenings: Happening[]): Promise<void> {
    await this.#change(async (query, kept) => {
      await this.#record(query, kept, await selectNumber(query, jobNumber), happenings);
    });
  }

  /**
   * Takes the job to run next, if there is one. One that waited in the queue is `preparing` from then on.
   * @param running numbers of the jobs that this process runs already
   */
  async claimNext(running: readonly number[] = []): Promise<ClaimedJob | null> {
    return this.#change(async (query, kept) => {
      const number = await selectNext(query, running);
      if (number === null) {
        return null;
      }
      const row = await query.selectFrom('jobs').selectAll().where('number', '=', number).executeTakeFirstOrThrow();
      await keepClaim(query, number);
      const found = { ...toJob(row), attemptCount: row.attemptCount + 1 };
      const job =
        found.state === 'queued'
          ? await this.#record(query, kept, found, [{ kind: 'stateChange', state: 'preparing' }])
          : found;
      const pipeline = JSON.parse(row.pipeline) as FittedPipeline;
      return { job: { ...job, pipeline }, isBegun: row.attemptCount > 0 };
    });
  }

  /** Ends a queued or paused job at once; of a running one it keeps the wish. FAILED_PRECONDITION from publishing on. */
  async requestCancel(id: string): Promise<TrainingJob> {
    return this.#change(async (query, kept) => {
      const job = await selectJob(query, id);
      refuseCancel(job);
      await query.updateTable('jobs').set({ cancelRequested: 1 }).where('number', '=', job.number).execute();
      if (job.state === 'queued' || job.state === 'paused') {
        await this.#record(query, kept, job, [{ kind: 'stateChange', state: 'cancelled' }]);
      }
      return selectJob(query, id);
    });
  }

  /** Pauses a queued job at once; of a running one it keeps the wish. FAILED_PRECONDITION from publishing on. */
  async requestPause(id: string): Promise<TrainingJob> {
    return this.#change(async (query, kept) => {
      const job = await selectJob(query, id);
      refusePause(job);
      await query.updateTable('jobs').set({ pauseRequested: 1 }).where('number', '=', job.number).execute();
      if (job.state === 'queued') {
        await this.#record(query, kept, job, [{ kind: 'stateChange', state: 'paused' }]);
      }
      return selectJob(query, id);
    });
  }

  /**
   * Queues a paused job, or one that has failed; of one that is still to be paused it takes that back. FAILED_PRECONDITION of any
   * other, RESOURCE_EXHAUSTED when a job that has failed finds no room.
   */
  async requestResume(id: string): Promise<TrainingJob> {
    return this.#change(async (query, kept) => {
      const job = await selectJob(query, id);
      refuseResume(job);
      const hasFailed = job.state === 'failed';
      if (hasFailed) {
        await this.#requireRoom(query);
      }
      const wishes = { pauseRequested: 0, ...(hasFailed ? { cancelRequested: 0 } : {}) };
      await query.updateTable('jobs').set(wishes).where('number', '=', job.number).execute();
      if (job.state === 'paused' || hasFailed) {
        await this.#record(query, kept, job, [{ kind: 'stateChange', state: 'queued' }]);
      }
      return selectJob(query, id);
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
    return this.#change(async (query, kept) => {
      const before = await selectNumber(query, jobNumber);
      const states: JobState[] = before.cancelRequested
        ? ['cancelled']
        : ['paused', ...(before.pauseRequested ? [] : (['queued'] as const))];
      const happenings = states.map((state): Happening => ({ kind: 'stateChange', state }));
      const { state } = await this.#record(query, kept, before, happenings);
      return state;
    });
  }

  /** Removes a job that has ended, with its events. FAILED_PRECONDITION of any other. */
  async remove(id: string): Promise<void> {
    const number = await this.#change(async (query) => {
      const job = await selectJob(query, id);
      refuseDelete(job);
      await query.deleteFrom('events').where('job', '=', job.number).execute();
      await query.deleteFrom('jobs').where('number', '=', job.number).execute();
      return job.number;
    });
    for (const listener of this.#listeners) {
      listener.onRemoved(number);
    }
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

  /** Numbers and keeps events, with what they change in the job; adds them to `kept`. */
  async #record(query: Query, kept: KeptEvent[], before: TrainingJob, happenings: Happening[]): Promise<TrainingJob> {
    let job = before;
    const events: TrainingEvent[] = [];
    for (const happening of happenings) {
      const event = { sequence: job.latestSequence + 1, timeMs: this.now(), happening };
      job = applyEvent(job, event);
      events.push(event);
    }
    kept.push(...(await insertEvents(query, job, events)));
    await query.updateTable('jobs').set(changesOf(job)).where('number', '=', job.number).execute();
    return job;
  }

  /** Runs a transaction that notes the events it keeps; tells listeners of them once committed. */
  async #change<Result>(run: (query: Query, kept: KeptEvent[]) => Promise<Result>): Promise<Result> {
    const kept: KeptEvent[] = [];
    const result = await this.database.transaction().execute((query) => run(query, kept));
    if (kept.length > 0) {
      for (const listener of this.#listeners) {
        listener.onEvents(kept);
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
