import { type Generated, type Migrations, sql } from '../platform/database.js';
import { type TuningTables, tuningMigrations } from './tuning/tuning-tables.js';

/** Tables of the training service. Times are milliseconds since 1970. */
export interface Schema extends TuningTables {
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
    /** 0 or 1. */
    pauseRequested: Generated<number>;
    owner: string;
    priority: number;
    /** JSON of texts by name. */
    labels: string;
    /** `models/NAME` that is published to. */
    model: string;
    stepEventsPerSecond: Generated<number>;
    /** 0 or 1: of a tuning, so that it neither tests nor publishes. */
    isTrial: Generated<number>;
    attemptCount: Generated<number>;
    /** Grows with every claim, over all jobs; 0 before the first. */
    claimOrder: Generated<number>;
    createTimeMs: number;
    startTimeMs: number | null;
    pauseTimeMs: number | null;
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
    /** Grows with every event, over all jobs; none is given twice, though there may be gaps. */
    position: Generated<number>;
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
  '2026-02-queue': {
    async up(database) {
      const jobs = () => database.schema.alterTable('jobs');
      const added = [
        jobs().addColumn('owner', 'text', (column) => column.notNull().defaultTo('')),
        jobs().addColumn('priority', 'integer', (column) => column.notNull().defaultTo(0)),
        jobs().addColumn('labels', 'text', (column) => column.notNull().defaultTo('{}')),
        jobs().addColumn('model', 'text', (column) => column.notNull().defaultTo('')),
        jobs().addColumn('pauseRequested', 'integer', (column) => column.notNull().defaultTo(0)),
        jobs().addColumn('pauseTimeMs', 'bigint'),
        jobs().addColumn('attemptCount', 'integer', (column) => column.notNull().defaultTo(0)),
        jobs().addColumn('claimOrder', 'bigint', (column) => column.notNull().defaultTo(0)),
      ];
      for (const column of added) {
        await column.execute();
      }
      await sql`update jobs set model = spec -> 'publish' ->> 'model'`.execute(database);
      await sql`update jobs set "attemptCount" = 1 where "startTimeMs" is not null`.execute(database);
      await database.schema.createIndex('jobsByOwner').on('jobs').columns(['owner', 'claimOrder']).execute();
      await database.schema.createIndex('jobsByTurn').on('jobs').column('claimOrder').execute();
      await database.schema.alterTable('events').renameTo('oldEvents').execute();
      await database.schema
        .createTable('events')
        .addColumn('position', 'integer', (column) => column.primaryKey().autoIncrement())
        .addColumn('job', 'integer', (column) => column.notNull().references('jobs.number'))
        .addColumn('sequence', 'bigint', (column) => column.notNull())
        .addColumn('timeMs', 'bigint', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('happening', 'text', (column) => column.notNull())
        .addUniqueConstraint('eventsOfJob', ['job', 'sequence'])
        .execute();
      await sql`insert into events (job, sequence, "timeMs", kind, happening)
        select job, sequence, "timeMs", kind, happening from "oldEvents" order by "timeMs", job, sequence`.execute(
        database,
      );
      await database.schema.dropTable('oldEvents').execute();
    },
  },
  '2026-03-step-events': {
    async up(database) {
      await database.schema
        .alterTable('jobs')
        .addColumn('stepEventsPerSecond', 'integer', (column) => column.notNull().defaultTo(10))
        .execute();
    },
  },
  ...tuningMigrations,
};
