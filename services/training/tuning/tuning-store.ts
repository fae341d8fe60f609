import type { Kysely, Selectable, Transaction } from '../../platform/database.js';
import { ServiceError } from '../../platform/errors.js';
import { decodePageToken, toPage } from '../../platform/page-token.js';
import type { Schema } from '../schema.js';
import {
  enterTuningState,
  isTuningEnd,
  type KeptTuningEvent,
  newsOf,
  type Trial,
  type TuningHappening,
  type TuningJob,
  type TuningState,
  tuningEndStates,
} from './tuning-job.js';
import type { TuningTables } from './tuning-tables.js';

export type NewTuning = Pick<TuningJob, 'id' | 'owner' | 'priority' | 'labels' | 'spec' | 'tune'> & {
  requestId: string | null;
  requestDigest: string;
};

/** Who wants to know what has been committed. */
export interface TuningListener {
  /** Events of one tuning, in order. */
  onEvents(events: readonly KeptTuningEvent[]): void;
  onRemoved(tuningNumber: number): void;
}

type Query = Kysely<Schema> | Transaction<Schema>;
type StateChange = TuningHappening & { kind: 'stateChange' };

/** Tunings, their trials and events; an event is kept in the transaction of what it tells of. */
export class TuningStore {
  readonly #listeners = new Set<TuningListener>();

  constructor(
    private readonly database: Kysely<Schema>,
    private readonly now: () => number = Date.now,
  ) {}

  listen(listener: TuningListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A repeated `requestId` answers the tuning of the first time. */
  async create(given: NewTuning): Promise<TuningJob> {
    return this.#change(async (query, kept) => {
      const made = await this.findRequested(given.requestId, given.requestDigest, query);
      if (made) {
        return made;
      }
      const { spec, tune, labels, ...rest } = given;
      const row = {
        ...{ ...rest, spec: JSON.stringify(spec), tune: JSON.stringify(tune), labels: JSON.stringify(labels) },
        ...{ state: 'tuning', cancelRequested: 0, latestSequence: 0, createTimeMs: this.now() },
      };
      await query.insertInto('tunings').values(row).execute();
      const happening = { kind: 'stateChange', state: 'tuning' } as const;
      return this.#record(query, kept, await selectTuning(query, given.id), [happening]);
    });
  }

  /** The tuning made by an earlier request of this id, or null. ALREADY_EXISTS when that one asked for something else. */
  async findRequested(
    requestId: string | null,
    requestDigest: string,
    query: Query = this.database,
  ): Promise<TuningJob | null> {
    if (requestId === null) {
      return null;
    }
    const row = await query.selectFrom('tunings').selectAll().where('requestId', '=', requestId).executeTakeFirst();
    if (row && row.requestDigest !== requestDigest) {
      const message = `The request id ${JSON.stringify(requestId)} made tuningJobs/${row.id} from another request. Use a new id.`;
      throw new ServiceError('ALREADY_EXISTS', 'REQUEST_ID_REUSED', message);
    }
    return row ? toTuning(row) : null;
  }

  /** Throws NOT_FOUND. */
  async get(id: string): Promise<TuningJob> {
    return selectTuning(this.database, id);
  }

  async list(pageSize: number, pageToken: string): Promise<{ tunings: TuningJob[]; nextPageToken: string }> {
    const before = decodePageToken(pageToken, 'number');
    const rows = await this.database
      .selectFrom('tunings')
      .selectAll()
      .$if(before !== null, (query) => query.where('number', '<', before))
      .orderBy('number', 'desc')
      .limit(pageSize + 1)
      .execute();
    const [tunings, nextPageToken] = toPage(rows.map(toTuning), pageSize, ({ number }) => number);
    return { tunings, nextPageToken };
  }

  async unfinished(): Promise<TuningJob[]> {
    const rows = await this.database
      .selectFrom('tunings')
      .selectAll()
      .where('state', 'not in', tuningEndStates)
      .orderBy('number')
      .execute();
    return rows.map(toTuning);
  }

  async trials(tuning: number): Promise<Trial[]> {
    const rows = await this.database
      .selectFrom('trials')
      .selectAll()
      .where('tuning', '=', tuning)
      .orderBy('number')
      .execute();
    return rows.map(toTrial);
  }

  async events(tuning: number, after: number, limit: number): Promise<KeptTuningEvent[]> {
    const rows = await this.database
      .selectFrom('tuningEvents')
      .selectAll()
      .where('tuning', '=', tuning)
      .where('sequence', '>', after)
      .orderBy('sequence')
      .limit(limit)
      .execute();
    return rows.map(({ tuning: jobNumber, sequence, timeMs, happening }) => ({
      ...{ jobNumber, sequence, timeMs },
      happening: JSON.parse(happening) as TuningHappening,
    }));
  }

  /** Keeps a new trial, or what has become of one, and tells of it. */
  async keepTrial(tuning: number, trial: Trial): Promise<void> {
    await this.#change(async (query, kept) => {
      const row = {
        ...{ ...trial, tuning, values: JSON.stringify(trial.values), curve: JSON.stringify(trial.curve) },
      };
      const { values: _, tuning: __, number: ___, beginTimeMs: ____, ...changes } = row;
      await query
        .insertInto('trials')
        .values(row)
        .onConflict((conflict) => conflict.columns(['tuning', 'number']).doUpdateSet(changes))
        .execute();
      await this.#record(query, kept, await selectNumber(query, tuning), [{ kind: 'trial', trial: newsOf(trial) }]);
    });
  }

  async enter(tuning: number, change: Omit<StateChange, 'kind'>): Promise<TuningJob> {
    return this.#change(async (query, kept) =>
      this.#record(query, kept, await selectNumber(query, tuning), [{ kind: 'stateChange', ...change }]),
    );
  }

  /** Keeps the wish. FAILED_PRECONDITION of a tuning that has ended. */
  async requestCancel(id: string): Promise<TuningJob> {
    return this.#change(async (query) => {
      refuseEnded(await selectTuning(query, id), 'cancelled');
      await query.updateTable('tunings').set({ cancelRequested: 1 }).where('id', '=', id).execute();
      return selectTuning(query, id);
    });
  }

  /** Keeps the wish. FAILED_PRECONDITION of a tuning that has ended or is paused. */
  async requestPause(id: string): Promise<TuningJob> {
    return this.#change(async (query) => {
      const job = await selectTuning(query, id);
      refuseEnded(job, 'paused');
      if (job.state === 'paused') {
        throw refusal(id, 'paused', 'TUNING_PAUSED', 'it is paused already.');
      }
      await query.updateTable('tunings').set({ pauseRequested: 1 }).where('id', '=', id).execute();
      return selectTuning(query, id);
    });
  }

  /** Has a paused tuning go on; of one that is still to be paused it takes that back. FAILED_PRECONDITION of any other. */
  async requestResume(id: string): Promise<TuningJob> {
    return this.#change(async (query, kept) => {
      const job = await selectTuning(query, id);
      refuseEnded(job, 'resumed');
      if (job.state !== 'paused' && !job.pauseRequested) {
        throw refusal(id, 'resumed', 'TUNING_NOT_PAUSED', `it is ${job.state}, not paused.`);
      }
      await query.updateTable('tunings').set({ pauseRequested: 0 }).where('id', '=', id).execute();
      if (job.state === 'paused') {
        await this.#record(query, kept, job, [goingOn(job)]);
      }
      return selectTuning(query, id);
    });
  }

  /** Keeps that a tuning stands still because it was to pause; one that was resumed in the meantime goes on. */
  async keepPause(number: number): Promise<void> {
    await this.#change(async (query, kept) => {
      const job = await selectNumber(query, number);
      const paused: StateChange = { kind: 'stateChange', state: 'paused' };
      await this.#record(query, kept, job, job.pauseRequested ? [paused] : [paused, goingOn(job)]);
    });
  }

  /** Removes a tuning that has ended, with its trials and events. FAILED_PRECONDITION of any other. */
  async remove(id: string): Promise<void> {
    const { number } = await this.#change(async (query) => {
      const job = await this.requireEnded(id, query);
      await query.deleteFrom('tuningEvents').where('tuning', '=', job.number).execute();
      await query.deleteFrom('trials').where('tuning', '=', job.number).execute();
      await query.deleteFrom('tunings').where('number', '=', job.number).execute();
      return job;
    });
    for (const listener of this.#listeners) {
      listener.onRemoved(number);
    }
  }

  async requireEnded(id: string, query: Query = this.database): Promise<TuningJob> {
    const job = await selectTuning(query, id);
    if (!isTuningEnd(job.state)) {
      throw refusal(id, 'deleted', 'TUNING_NOT_ENDED', 'it has not ended. Cancel it first, or wait for its end.');
    }
    return job;
  }

  async #record(
    query: Query,
    kept: KeptTuningEvent[],
    before: TuningJob,
    happenings: TuningHappening[],
  ): Promise<TuningJob> {
    let job = before;
    for (const happening of happenings) {
      const timeMs = this.now();
      job = happening.kind === 'stateChange' ? enterTuningState(job, happening, timeMs) : job;
      job = { ...job, latestSequence: job.latestSequence + 1 };
      const event = { sequence: job.latestSequence, timeMs };
      const row = { tuning: job.number, ...event, happening: JSON.stringify(happening) };
      await query.insertInto('tuningEvents').values(row).execute();
      kept.push({ jobNumber: job.number, ...event, happening });
    }
    const { state, latestSequence, pauseTimeMs, pausedMs, endTimeMs, error, jobId, modelVersion } = job;
    const times = { pauseTimeMs, pausedMs, endTimeMs };
    const changes = { state, latestSequence, ...times, error: error && JSON.stringify(error), jobId, modelVersion };
    await query.updateTable('tunings').set(changes).where('number', '=', job.number).execute();
    return job;
  }

  /** Runs a transaction that notes the events it keeps; tells listeners of them once committed. */
  async #change<Result>(run: (query: Query, kept: KeptTuningEvent[]) => Promise<Result>): Promise<Result> {
    const kept: KeptTuningEvent[] = [];
    const result = await this.database.transaction().execute((query) => run(query, kept));
    if (kept.length > 0) {
      for (const listener of this.#listeners) {
        listener.onEvents(kept);
      }
    }
    return result;
  }
}

function refuseEnded({ id, state }: TuningJob, wish: string): void {
  if (isTuningEnd(state)) {
    const end = state === 'cancelled' ? `been cancelled${wish === 'cancelled' ? ' already' : ''}` : state;
    throw refusal(id, wish, 'TUNING_ENDED', `it has ${end}.`);
  }
}

/** A paused tuning goes on with what it was at. */
function goingOn({ jobId }: TuningJob): StateChange {
  return { kind: 'stateChange', ...(jobId === null ? { state: 'tuning' } : { state: 'publishing', jobId }) };
}

function refusal(id: string, wish: string, reason: string, why: string): ServiceError {
  return new ServiceError('FAILED_PRECONDITION', reason, `The tuning tuningJobs/${id} cannot be ${wish}: ${why}`);
}

async function selectTuning(query: Query, id: string): Promise<TuningJob> {
  const row = await query.selectFrom('tunings').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) {
    const message = `There is no tuning tuningJobs/${id}. List the tunings for those that are there.`;
    throw new ServiceError('NOT_FOUND', 'TUNING_JOB_NOT_FOUND', message);
  }
  return toTuning(row);
}

async function selectNumber(query: Query, number: number): Promise<TuningJob> {
  return toTuning(await query.selectFrom('tunings').selectAll().where('number', '=', number).executeTakeFirstOrThrow());
}

function toTuning(row: Selectable<TuningTables['tunings']>): TuningJob {
  const { requestId: _, requestDigest: __, ...job } = row;
  return {
    ...job,
    labels: JSON.parse(row.labels),
    spec: JSON.parse(row.spec),
    tune: JSON.parse(row.tune),
    state: row.state as TuningState,
    cancelRequested: row.cancelRequested === 1,
    pauseRequested: row.pauseRequested === 1,
    error: row.error === null ? null : JSON.parse(row.error),
  };
}

function toTrial({ tuning: _, ...row }: Selectable<TuningTables['trials']>): Trial {
  return {
    ...row,
    values: JSON.parse(row.values),
    curve: JSON.parse(row.curve),
    state: row.state as Trial['state'],
  };
}
