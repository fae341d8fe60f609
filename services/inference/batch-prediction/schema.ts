import type { Generated, Migrations } from '../../platform/database.js';

/** Tables of the batch predictions. Times are milliseconds since 1970. */
export interface Schema {
  jobs: {
    number: Generated<number>;
    id: string;
    requestId: string | null;
    /** Digest of the job as it was asked for, before anything was pinned. */
    requestDigest: string;
    /** JSON of `BatchPredictionSpec`. */
    spec: string;
    state: string;
    attempts: number;
    /** Attempts that ended with the process. */
    interruptions: number;
    /** 0 or 1. */
    cancelRequested: number;
    /** Of the last attempt, once it has ended. */
    rowsDone: number;
    skippedRows: number;
    createTimeMs: number;
    startTimeMs: number | null;
    endTimeMs: number | null;
    /** JSON of `BatchPredictionError`. */
    error: string | null;
    outputVersion: string | null;
  };
}

export const migrations: Migrations = {
  '2026-01-batch-predictions': {
    async up(database) {
      await database.schema
        .createTable('jobs')
        // Without AUTOINCREMENT SQLite may give the number of a deleted job again.
        .addColumn('number', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('id', 'text', (column) => column.notNull().unique())
        .addColumn('requestId', 'text', (column) => column.unique())
        .addColumn('requestDigest', 'text', (column) => column.notNull())
        .addColumn('spec', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('interruptions', 'integer', (column) => column.notNull())
        .addColumn('cancelRequested', 'integer', (column) => column.notNull())
        .addColumn('rowsDone', 'bigint', (column) => column.notNull())
        .addColumn('skippedRows', 'bigint', (column) => column.notNull())
        .addColumn('createTimeMs', 'bigint', (column) => column.notNull())
        .addColumn('startTimeMs', 'bigint')
        .addColumn('endTimeMs', 'bigint')
        .addColumn('error', 'text')
        .addColumn('outputVersion', 'text')
        .execute();
      await database.schema.createIndex('jobsByState').on('jobs').columns(['state', 'number']).execute();
    },
  },
};
