import type { Migrations, Transaction } from '../platform/database.js';

/** Tables of the registry. Times are milliseconds since 1970. */
export interface Schema {
  models: { id: string; createTimeMs: number; updateTimeMs: number };
  /** Outlives its model, so that a number never means two versions. */
  versionNumbers: { model: string; last: number };
  modelVersions: {
    model: string;
    version: number;
    digest: string;
    /** JSON of `Lineage`. */
    lineage: string | null;
    /** JSON, number by name. */
    metrics: string;
    /** JSON of `Promotion`. */
    promotion: string | null;
    requestId: string | null;
    createTimeMs: number;
  };
  artifacts: { model: string; version: number; path: string; digest: string; sizeBytes: number };
  aliases: { model: string; alias: string; version: number };
  deployments: {
    model: string;
    /** JSON of `Deployment`. */
    settings: string;
    updateTimeMs: number;
  };
}

export type Query = Transaction<Schema>;

export const migrations: Migrations = {
  '2026-01-models': {
    async up(database) {
      await database.schema
        .createTable('models')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('createTimeMs', 'bigint', (column) => column.notNull())
        .addColumn('updateTimeMs', 'bigint', (column) => column.notNull())
        .execute();
      await database.schema
        .createTable('versionNumbers')
        .addColumn('model', 'text', (column) => column.primaryKey())
        .addColumn('last', 'bigint', (column) => column.notNull())
        .execute();
      await database.schema
        .createTable('modelVersions')
        .addColumn('model', 'text', (column) => column.notNull().references('models.id'))
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addColumn('lineage', 'text')
        .addColumn('metrics', 'text', (column) => column.notNull())
        .addColumn('requestId', 'text')
        .addColumn('createTimeMs', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('modelVersionsKey', ['model', 'version'])
        .addUniqueConstraint('modelVersionsRequest', ['model', 'requestId'])
        .execute();
      await database.schema
        .createTable('artifacts')
        .addColumn('model', 'text', (column) => column.notNull())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addColumn('path', 'text', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addColumn('sizeBytes', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('artifactsKey', ['model', 'version', 'path'])
        .addForeignKeyConstraint('artifactsVersion', ['model', 'version'], 'modelVersions', ['model', 'version'])
        .execute();
      await database.schema
        .createTable('aliases')
        .addColumn('model', 'text', (column) => column.notNull())
        .addColumn('alias', 'text', (column) => column.notNull())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('aliasesKey', ['model', 'alias'])
        .addForeignKeyConstraint('aliasesVersion', ['model', 'version'], 'modelVersions', ['model', 'version'])
        .execute();
    },
  },
  '2026-02-deployments': {
    async up(database) {
      await database.schema
        .createTable('deployments')
        .addColumn('model', 'text', (column) => column.primaryKey().references('models.id'))
        .addColumn('settings', 'text', (column) => column.notNull())
        .addColumn('updateTimeMs', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  '2026-03-promotions': {
    async up(database) {
      await database.schema.alterTable('modelVersions').addColumn('promotion', 'text').execute();
    },
  },
};
