import {
  type Driver,
  Kysely,
  type Migration,
  Migrator,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteStatement,
} from 'kysely';
import Libsql from 'libsql';
import { LRUCache } from 'lru-cache';
import { isDiskFull, ServiceError } from './errors.js';

export {
  type Generated,
  type Insertable,
  type Kysely,
  type RawBuilder,
  type Selectable,
  sql,
  type Transaction,
} from 'kysely';

/** Those that have not run for longest are prepared anew: lists of values make statements of any length. */
const statementsMax = 200;

/** Schema changes by name; they run in name order, each once. */
export type Migrations = Record<string, Migration>;

/**
 * Kysely takes SQLite for a database that cannot undo a change of its schema. It can; and a kill in the middle of a migration
 * must leave nothing of it, else the next start would find half the tables.
 */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** Prepares each statement once: Kysely asks for it anew whenever it runs, which was most of what a small transaction took. */
class PreparedStatements implements SqliteDatabase {
  readonly #statements = new LRUCache<string, SqliteStatement>({ max: statementsMax });

  constructor(private readonly sqlite: Libsql.Database) {}

  prepare(text: string): SqliteStatement {
    let statement = this.#statements.get(text);
    if (!statement) {
      // libsql has the interface of better-sqlite3, which Kysely's dialect asks for.
      statement = this.sqlite.prepare(text) as unknown as SqliteStatement;
      this.#statements.set(text, statement);
    }
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.sqlite.close();
  }
}

class Dialect extends SqliteDialect {
  constructor(private readonly sqlite: Libsql.Database) {
    super({ database: new PreparedStatements(sqlite) });
  }

  override createAdapter(): Adapter {
    return new Adapter();
  }

  /**
   * SQLite undoes a transaction by itself after some errors, such as a full disk: to ask for it once more would fail, and hide
   * that error (https://sqlite.org/lang_transaction.html, 2.3).
   */
  override createDriver(): Driver {
    const driver = super.createDriver();
    const rollback = driver.rollbackTransaction.bind(driver);
    driver.rollbackTransaction = async (connection) => {
      if (this.sqlite.inTransaction) {
        await rollback(connection);
      }
    };
    return driver;
  }
}

/**
 * Opens a SQLite file: write-ahead log, and every commit synced to the disk before it is acknowledged. The same migrations
 * and queries are meant to run on PostgreSQL.
 */
export async function openDatabase<Schema>(file: string, migrations: Migrations): Promise<Kysely<Schema>> {
  const database = new Kysely<Schema>({ dialect: new Dialect(openSqlite(file)) });
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error) {
    await database.destroy();
    throw isDiskFull(error) ? error : unusable(file, error);
  }
  return database;
}

function openSqlite(file: string): Libsql.Database {
  const sqlite = new Libsql(file, { timeout: 5_000 });
  try {
    for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON']) {
      sqlite.pragma(pragma);
    }
  } catch (error) {
    sqlite.close();
    throw isDiskFull(error) ? error : unusable(file, error);
  }
  return sqlite;
}

function unusable(file: string, error: unknown): ServiceError {
  const message = `The database ${file} cannot be used: ${(error as Error).message}. Was it made by a newer Millrace, or damaged? Restore it from a backup, or choose another folder with --data-dir.`;
  return new ServiceError('FAILED_PRECONDITION', 'DATABASE_UNUSABLE', message, { cause: error });
}
