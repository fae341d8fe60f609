import { type Generated, type Migrations, sql } from '../../platform/database.js';

/** Tables of tunings. Times are milliseconds since 1970. */
export interface TuningTables {
  tunings: {
    number: Generated<number>;
    id: string;
    requestId: string | null;
    requestDigest: string;
    owner: string;
    priority: number;
    /** JSON of texts by name. */
    labels: string;
    /** JSON of the training spec's message, with the dataset's version pinned. */
    spec: string;
    /** JSON of `TuneSpec`. */
    tune: string;
    state: string;
    /** 0 or 1. */
    cancelRequested: number;
    /** 0 or 1. */
    pauseRequested: Generated<number>;
    latestSequence: number;
    createTimeMs: number;
    pauseTimeMs: number | null;
    /** How long it has been paused, up to the last time that it was resumed. */
    pausedMs: Generated<number>;
    endTimeMs: number | null;
    /** JSON of `JobError`. */
    error: string | null;
    jobId: string | null;
    modelVersion: string | null;
  };
  trials: {
    tuning: number;
    /** From 0. */
    number: number;
    /** JSON of `Assignment`. */
    values: string;
    state: string;
    objective: number | null;
    epochsDone: number;
    /** JSON of numbers. */
    curve: string;
    jobId: string | null;
    endReason: string | null;
    beginTimeMs: number;
    endTimeMs: number | null;
    /** How long it has been at work or in the queue. */
    spentMs: Generated<number>;
  };
  tuningEvents: {
    tuning: number;
    sequence: number;
    timeMs: number;
    /** JSON of `TuningHappening`. */
    happening: string;
  };
}

export const tuningMigrations: Migrations = {
  '2026-04-tunings': {
    async up(database) {
      await database.schema
        .createTable('tunings')
        // Without AUTOINCREMENT SQLite may give the number of a deleted tuning again.
        .addColumn('number', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('id', 'text', (column) => column.notNull().unique())
        .addColumn('requestId', 'text', (column) => column.unique())
        .addColumn('requestDigest', 'text', (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('priority', 'integer', (column) => column.notNull())
        .addColumn('labels', 'text', (column) => column.notNull())
        .addColumn('spec', 'text', (column) => column.notNull())
        .addColumn('tune', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('cancelRequested', 'integer', (column) => column.notNull())
        .addColumn('latestSequence', 'bigint', (column) => column.notNull())
        .addColumn('createTimeMs', 'bigint', (column) => column.notNull())
        .addColumn('endTimeMs', 'bigint')
        .addColumn('error', 'text')
        .addColumn('jobId', 'text')
        .addColumn('modelVersion', 'text')
        .execute();
      await database.schema
        .createTable('trials')
        .addColumn('tuning', 'integer', (column) => column.notNull().references('tunings.number'))
        .addColumn('number', 'integer', (column) => column.notNull())
        .addColumn('values', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('objective', 'double precision')
        .addColumn('epochsDone', 'integer', (column) => column.notNull())
        .addColumn('curve', 'text', (column) => column.notNull())
        .addColumn('jobId', 'text')
        .addColumn('endReason', 'text')
        .addColumn('beginTimeMs', 'bigint', (column) => column.notNull())
        .addColumn('endTimeMs', 'bigint')
        .addPrimaryKeyConstraint('trialsKey', ['tuning', 'number'])
        .execute();
      await database.schema
        .createTable('tuningEvents')
        .addColumn('tuning', 'integer', (column) => column.notNull().references('tunings.number'))
        .addColumn('sequence', 'bigint', (column) => column.notNull())
        .addColumn('timeMs', 'bigint', (column) => column.notNull())
        .addColumn('happening', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('tuningEventsKey', ['tuning', 'sequence'])
        .execute();
      await database.schema
        .alterTable('jobs')
        .addColumn('isTrial', 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
    },
  },
  '2026-05-tuning-pause': {
    async up(database) {
      // SQLite alters a table by one column at a time.
      for (const name of ['pauseRequested', 'pausedMs'] as const) {
        await database.schema
          .alterTable('tunings')
          .addColumn(name, 'bigint', (column) => column.notNull().defaultTo(0))
          .execute();
      }
      await database.schema.alterTable('tunings').addColumn('pauseTimeMs', 'bigint').execute();
      await database.schema
        .alterTable('trials')
        .addColumn('spentMs', 'bigint', (column) => column.notNull().defaultTo(0))
        .execute();
      await sql`update "trials" set "spentMs" = "endTimeMs" - "beginTimeMs" where "endTimeMs" is not null`.execute(
        database,
      );
    },
  },
};
