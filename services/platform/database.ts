import { Kysely, type Migration, Migrator, type SqliteDatabase, SqliteDialect } from 'kysely';
import Libsql from 'libsql';

export { type Generated, type Insertable, type Kysely, type Selectable, sql, type Transaction } from 'kysely';

/** Schema changes by name; they run in name order, each once. */
export type Migrations = Record<string, Migration>;

/**
 * Opens a SQLite file: write-ahead log, and every commit synced to the disk before it is acknowledged. The same migrations
 * and queries are meant to run on PostgreSQL.
 */
export async function openDatabase<Schema>(file: string, migrations: Migrations): Promise<Kysely<Schema>> {
  const sqlite = new Libsql(file, { timeout: 5_000 });
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON']) {
    sqlite.pragma(pragma);
  }
  // libsql has the interface of better-sqlite3, which Kysely's dialect asks for.
  const database = new Kysely<Schema>({
    dialect: new SqliteDialect({ database: sqlite as unknown as SqliteDatabase }),
  });
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error) {
    await database.destroy();
    throw error;
  }
  return database;
}
