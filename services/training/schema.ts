import type { Generated, Migrations } from '../platform/database.js';

/** Tables of the training service. Times are milliseconds since 1970. */
export interface Schema {
  jobs: {
    number: Generated<number>;
    id: string;
    requestId: string | null;
    /** Digest of the spec as it was asked for, before the dataset's version was pinned. */
    requestDigest: string;
    /** JSON of `TrainingSpec`. */
    spec: string;
    /** JSON of `FittedPipeline`. */
    pipeline: string;
    state: string;
    epochsDone: number;
    latestSequence: number;
    /** 0 or 1. */
    cancelRequested: number;
    createTimeMs: number;
    startTimeMs: number | null;
    endTimeMs: number | null;
    /** JSON of `JobError`. */
    error: string | null;
    modelVersion: string | null;
    /** JSON of `EpochMetrics`. */
    latestEpoch: string | null;
    /** JSON of `TestMetrics`. */
    test: string | null;
  };
  events: {
    job: number;
    sequence: number;
    timeMs: number;
    kind: string;
    /** JSON of `Happening`. */
    happening: string;
  };
}

export const migrations: Migrations = {
  '2026-01-jobs': {
    async up(database) {
      await database.schema
        .createTable('jobs')
        // Without AUTOINCREMENT SQLite may give the number of a deleted job again.
        .addColumn('number', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('id', 'text', (column) => column.notNull().unique())
        .addColumn('requestId', 'text', (column) => column.unique())
        .addColumn('requestDigest', 'text', (column) => column.notNull())
        .addColumn('spec', 'text', (column) => column.notNull())
        .addColumn('pipeline', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('epochsDone', 'integer', (column) => column.notNull())
        .addColumn('latestSequence', 'bigint', (column) => column.notNull())
        .addColumn('cancelRequested', 'integer', (column) => column.notNull())
        .addColumn('createTimeMs', 'bigint', (column) => column.notNull())
        .addColumn('startTimeMs', 'bigint')
        .addColumn('endTimeMs', 'bigint')
        .addColumn('error', 'text')
        .addColumn('modelVersion', 'text')
        .addColumn('latestEpoch', 'text')
        .addColumn('test', 'text')
        .execute();
      await database.schema.createIndex('jobsByState').on('jobs').columns(['state', 'number']).execute();
      await database.schema
        .createTable('events')
        .addColumn('job', 'integer', (column) => column.notNull().references('jobs.number'))
        .addColumn('sequence', 'bigint', (column) => column.notNull())
        .addColumn('timeMs', 'bigint', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('happening', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('eventsKey', ['job', 'sequence'])
        .execute();
    },
  },
};
