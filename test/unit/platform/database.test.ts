import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Migrations, openDatabase, sql } from '../../../services/platform/database.js';
import { isDiskFull } from '../../../services/platform/errors.js';
import { tempFolder } from '../../support/temp-folder.js';

interface Schema {
  parents: { id: number; text: string };
  children: { id: number; parent: number };
}

const migrations: Migrations = {
  '1': {
    async up(database) {
      await database.schema
        .createTable('parents')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('text', 'text')
        .execute();
    },
  },
};
const more: Migrations = {
  ...migrations,
  '2': {
    async up(database) {
      await database.schema
        .createTable('children')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('parent', 'integer', (column) => column.references('parents.id'))
        .execute();
    },
  },
};

const newFile = () => path.join(tempFolder(), 'test.db');

describe('openDatabase', () => {
  it('tells what went wrong in a transaction that SQLite has undone by itself, as on a full disk', async () => {
    const database = await openDatabase<Schema>(newFile(), migrations);
    const change = database.transaction().execute(async (transaction) => {
      await transaction.insertInto('parents').values({ id: 1, text: 'a' }).execute();
      await sql`insert or rollback into parents (id, text) values (1, 'b')`.execute(transaction);
    });
    await expect(change).rejects.toThrow('UNIQUE constraint failed: parents.id');
    expect(await database.selectFrom('parents').selectAll().execute()).toEqual([]);
    await database.destroy();
  });

  it('runs the same statement again after it has failed, and after its table has got a column', async () => {
    const database = await openDatabase<Schema>(newFile(), migrations);
    const insert = (id: number) => database.insertInto('parents').values({ id, text: 'a' }).execute();
    const select = () => database.selectFrom('parents').selectAll().execute();
    await insert(1);
    await expect(insert(1)).rejects.toThrow('UNIQUE constraint failed: parents.id');
    await insert(2);
    expect(await select()).toEqual([1, 2].map((id) => ({ id, text: 'a' })));
    await database.schema.alterTable('parents').addColumn('more', 'integer').execute();
    expect(await select()).toEqual([1, 2].map((id) => ({ id, text: 'a', more: null })));
    for (let count = 1; count <= 300; count += 1) {
      const ids = Array.from({ length: count }, (_, i) => i);
      await database.selectFrom('parents').selectAll().where('id', 'in', ids).execute();
    }
    expect(await select()).toHaveLength(2);
    await database.destroy();
  });

  it('refuses a file that is no database', async () => {
    const file = newFile();
    writeFileSync(file, 'this is not a database file, but long enough to be taken for one'.repeat(20));
    await expect(openDatabase(file, migrations)).rejects.toMatchObject({ reason: 'DATABASE_UNUSABLE' });
  });

  it('refuses a database that a newer program has made', async () => {
    const file = newFile();
    await (await openDatabase(file, more)).destroy();
    await expect(openDatabase(file, migrations)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'DATABASE_UNUSABLE',
    });
  });

  it('leaves nothing of a migration that breaks off, and runs it whole the next time', async () => {
    const file = newFile();
    const broken: Migrations = {
      '1': {
        async up(database) {
          await migrations['1']!.up(database);
          throw new Error('broken off');
        },
      },
    };
    await expect(openDatabase(file, broken)).rejects.toMatchObject({ reason: 'DATABASE_UNUSABLE' });
    const database = await openDatabase<Schema>(file, migrations);
    expect(await database.selectFrom('parents').selectAll().execute()).toEqual([]);
    await database.destroy();
  });

  it('runs each migration once and keeps the data', async () => {
    const file = newFile();
    const first = await openDatabase<Schema>(file, migrations);
    await first.insertInto('parents').values({ id: 1, text: 'a' }).execute();
    await first.destroy();
    const second = await openDatabase<Schema>(file, more);
    await second.insertInto('children').values({ id: 1, parent: 1 }).execute();
    expect(await second.selectFrom('parents').selectAll().execute()).toEqual([{ id: 1, text: 'a' }]);
    await second.destroy();
  });

  it('holds foreign keys, syncs every commit and writes ahead', async () => {
    const database = await openDatabase<Schema>(newFile(), more);
    await expect(database.insertInto('children').values({ id: 1, parent: 9 }).execute()).rejects.toThrow(/FOREIGN KEY/);
    const pragma = async (name: string) =>
      Object.values((await sql.raw(`PRAGMA ${name}`).execute(database)).rows[0] as object)[0];
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(2);
    await database.destroy();
  });

  it('takes a transaction back when it fails', async () => {
    const database = await openDatabase<Schema>(newFile(), more);
    const failing = database.transaction().execute(async (query) => {
      await query.insertInto('parents').values({ id: 1, text: 'a' }).execute();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await database.selectFrom('parents').selectAll().execute()).toEqual([]);
    await database.destroy();
  });

  it('reports a full disk as one', async () => {
    const database = await openDatabase<Schema>(newFile(), more);
    await sql`PRAGMA max_page_count = 10`.execute(database);
    const error = await database
      .insertInto('parents')
      .values({ id: 1, text: 'x'.repeat(100_000) })
      .execute()
      .catch((reason: unknown) => reason);
    expect(isDiskFull(error)).toBe(true);
    await database.destroy();
  });
});
