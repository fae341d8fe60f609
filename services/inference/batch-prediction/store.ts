import type { Kysely, Selectable, Transaction } from '../../platform/database.js';
import { ServiceError } from '../../platform/errors.js';
import {
  type BatchPrediction,
  type BatchPredictionError,
  type BatchPredictionSpec,
  type BatchPredictionState,
  isEndState,
} from './batch-prediction.js';
import type { Schema } from './schema.js';

export interface NewBatchPrediction {
  id: string;
  requestId: string | null;
  requestDigest: string;
  spec: BatchPredictionSpec;
}

/** How an attempt ended for good. */
export type Outcome =
  | { state: 'succeeded'; outputVersion: string }
  | { state: 'failed'; error: BatchPredictionError }
  | { state: 'cancelled' };

export interface ClaimedBatchPrediction {
  job: BatchPrediction;
  /** Attempts so far that ended with the process, without a word. */
  interruptions: number;
}

type Row = Selectable<Schema['jobs']>;
type Query = Kysely<Schema> | Transaction<Schema>;

const unfinished: BatchPredictionState[] = ['queued', 'running'];

/** Jobs as they are kept: whatever a method has answered is safe. */
export class BatchPredictionStore {
  constructor(
    private readonly database: Kysely<Schema>,
    private readonly now: () => number = Date.now,
    /** Most jobs that have not ended. */
    private readonly unfinishedMax = 1_000,
  ) {}

  /** Queues a job. A repeated `requestId` answers the job of the first time. */
  async create({ spec, ...given }: NewBatchPrediction): Promise<BatchPrediction> {
    return this.database.transaction().execute(async (query) => {
      const made = await selectRequested(query, given.requestId, given.requestDigest);
      if (made) {
        return made;
      }
      await this.#requireRoom(query);
      const row = {
        ...given,
        spec: JSON.stringify(spec),
        state: 'queued',
        attempts: 0,
        interruptions: 0,
        cancelRequested: 0,
        rowsDone: 0,
        skippedRows: 0,
        createTimeMs: this.now(),
      };
      return toJob(await query.insertInto('jobs').values(row).returningAll().executeTakeFirstOrThrow());
    });
  }

  /** The job made by an earlier request of this id, or null. ALREADY_EXISTS when that one asked for something else. */
  findRequested(requestId: string | null, requestDigest: string): Promise<BatchPrediction | null> {
    return selectRequested(this.database, requestId, requestDigest);
  }

  async get(id: string): Promise<BatchPrediction> {
    return toJob(await selectRow(this.database, id));
  }

  /** Newest first, those older than number `before`. */
  async list(limit: number, before: number | null): Promise<BatchPrediction[]> {
    let page = this.database.selectFrom('jobs').selectAll().orderBy('number', 'desc').limit(limit);
    if (before !== null) {
      page = page.where('number', '<', before);
    }
    return (await page.execute()).map(toJob);
  }

  /** Begins an attempt of the oldest job that has not ended; null: there is none. */
  async claimNext(): Promise<ClaimedBatchPrediction | null> {
    return this.database.transaction().execute(async (query) => {
      const row = await query
        .selectFrom('jobs')
        .selectAll()
        .where('state', 'in', unfinished)
        .orderBy('number')
        .limit(1)
        .executeTakeFirst();
      if (!row) {
        return null;
      }
      const changes = {
        state: 'running',
        attempts: row.attempts + 1,
        interruptions: row.interruptions + (row.state === 'running' ? 1 : 0),
        startTimeMs: row.startTimeMs ?? this.now(),
      };
      await query.updateTable('jobs').set(changes).where('number', '=', row.number).execute();
      return { job: toJob({ ...row, ...changes }), interruptions: changes.interruptions };
    });
  }

  /** Begins another attempt of a job that runs. */
  async beginAgain(jobNumber: number): Promise<void> {
    await this.database
      .updateTable('jobs')
      .set(({ eb }) => ({ attempts: eb('attempts', '+', 1) }))
      .where('number', '=', jobNumber)
      .execute();
  }

  /** Puts a job back that runs: it has its turn again when the service is back. */
  async putBack(jobNumber: number): Promise<void> {
    await this.database.updateTable('jobs').set({ state: 'queued' }).where('number', '=', jobNumber).execute();
  }

  async finish(
    jobNumber: number,
    outcome: Outcome,
    { rowsDone, skippedRows }: { rowsDone: number; skippedRows: number },
  ): Promise<void> {
    const error = outcome.state === 'failed' ? JSON.stringify(outcome.error) : null;
    const outputVersion = outcome.state === 'succeeded' ? outcome.outputVersion : null;
    const { state } = outcome;
    await this.database
      .updateTable('jobs')
      .set({ state, error, outputVersion, rowsDone, skippedRows, endTimeMs: this.now() })
      .where('number', '=', jobNumber)
      .execute();
  }

  /** Ends a queued job at once; of a running one it keeps the wish. */
  async requestCancel(id: string): Promise<BatchPrediction> {
    return this.database.transaction().execute(async (query) => {
      const row = await selectRow(query, id);
      if (isEndState(row.state as BatchPredictionState)) {
        const message = `The job batchPredictions/${id} cannot be cancelled: it has ${row.state === 'cancelled' ? 'been cancelled already' : row.state}.`;
        throw new ServiceError('FAILED_PRECONDITION', 'JOB_ENDED', message);
      }
      const changes =
        row.state === 'queued'
          ? { cancelRequested: 1, state: 'cancelled', endTimeMs: this.now() }
          : { cancelRequested: 1 };
      await query.updateTable('jobs').set(changes).where('number', '=', row.number).execute();
      return toJob({ ...row, ...changes });
    });
  }

  async #requireRoom(query: Query): Promise<void> {
    const { count } = await query
      .selectFrom('jobs')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('state', 'in', unfinished)
      .executeTakeFirstOrThrow();
    if (Number(count) >= this.unfinishedMax) {
      const message = `The queue is full: ${count} batch predictions have not ended. Wait for some to end, or cancel those that are not needed.`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'QUEUE_FULL', message);
    }
  }
}

async function selectRow(query: Query, id: string): Promise<Row> {
  const row = await query.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) {
    const message = `There is no job batchPredictions/${id}. List the jobs for those that are there.`;
    throw new ServiceError('NOT_FOUND', 'BATCH_PREDICTION_NOT_FOUND', message);
  }
  return row;
}

async function selectRequested(
  query: Query,
  requestId: string | null,
  requestDigest: string,
): Promise<BatchPrediction | null> {
  if (requestId === null) {
    return null;
  }
  const row = await query.selectFrom('jobs').selectAll().where('requestId', '=', requestId).executeTakeFirst();
  if (row && row.requestDigest !== requestDigest) {
    const message = `The request id ${JSON.stringify(requestId)} made batchPredictions/${row.id}, another job. Use a new id.`;
    throw new ServiceError('ALREADY_EXISTS', 'REQUEST_ID_REUSED', message);
  }
  return row ? toJob(row) : null;
}

function toJob(row: Row): BatchPrediction {
  const { number, id, attempts, rowsDone, skippedRows, createTimeMs, startTimeMs, endTimeMs, outputVersion } = row;
  return {
    ...{ number, id, attempts, rowsDone, skippedRows, createTimeMs, startTimeMs, endTimeMs, outputVersion },
    spec: JSON.parse(row.spec) as BatchPredictionSpec,
    state: row.state as BatchPredictionState,
    cancelRequested: row.cancelRequested === 1,
    error: row.error === null ? null : (JSON.parse(row.error) as BatchPredictionError),
    waitingReason: '',
  };
}
