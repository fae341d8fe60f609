import type { Kysely, Selectable, Transaction } from '../platform/database.js';
import { ServiceError } from '../platform/errors.js';
import type { TrainingJob } from './job.js';
import type { JobState } from './job-state.js';
import type { Schema } from './schema.js';
import { completeSpec } from './training-spec.js';

/** The database, or a transaction on it. */
export type Query = Kysely<Schema> | Transaction<Schema>;

/** All but the pipeline, which may hold large vocabularies and is needed for a run only. */
export const jobColumns = [
  ...([
    'number',
    'id',
    'owner',
    'priority',
    'labels',
    'isTrial',
    'stepEventsPerSecond',
    'spec',
    'state',
    'epochsDone',
    'latestSequence',
  ] as const),
  ...(['cancelRequested', 'pauseRequested', 'attemptCount', 'createTimeMs', 'startTimeMs', 'pauseTimeMs'] as const),
  ...(['endTimeMs', 'error', 'modelVersion', 'latestEpoch', 'test'] as const),
] satisfies (keyof Schema['jobs'])[];

export type JobRow = Pick<Selectable<Schema['jobs']>, (typeof jobColumns)[number]>;

/** Throws NOT_FOUND. */
export async function selectJob(query: Query, id: string): Promise<TrainingJob> {
  const row = await query.selectFrom('jobs').select(jobColumns).where('id', '=', id).executeTakeFirst();
  if (!row) {
    throw jobNotFound(id);
  }
  return toJob(row);
}

export function jobNotFound(id: string): ServiceError {
  const message = `There is no job trainingJobs/${id}. List the jobs for those that are there.`;
  return new ServiceError('NOT_FOUND', 'TRAINING_JOB_NOT_FOUND', message);
}

export function toJob(row: JobRow): TrainingJob {
  return {
    number: row.number,
    id: row.id,
    owner: row.owner,
    priority: row.priority,
    labels: JSON.parse(row.labels),
    isTrial: row.isTrial === 1,
    stepEventsPerSecond: row.stepEventsPerSecond,
    spec: completeSpec(JSON.parse(row.spec)),
    state: row.state as JobState,
    epochsDone: row.epochsDone,
    latestSequence: row.latestSequence,
    cancelRequested: row.cancelRequested === 1,
    pauseRequested: row.pauseRequested === 1,
    attemptCount: row.attemptCount,
    createTimeMs: row.createTimeMs,
    startTimeMs: row.startTimeMs,
    pauseTimeMs: row.pauseTimeMs,
    endTimeMs: row.endTimeMs,
    error: fromJson(row.error),
    modelVersion: row.modelVersion,
    latestEpoch: fromJson(row.latestEpoch),
    test: fromJson(row.test),
  };
}

/** What an event may change of a job's row. */
export function changesOf(job: TrainingJob) {
  const { state, epochsDone, latestSequence, startTimeMs, pauseTimeMs, endTimeMs, modelVersion } = job;
  return {
    ...{ state, epochsDone, latestSequence, startTimeMs, pauseTimeMs, endTimeMs, modelVersion },
    error: toJson(job.error),
    latestEpoch: toJson(job.latestEpoch),
    test: toJson(job.test),
  };
}

function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function fromJson<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
