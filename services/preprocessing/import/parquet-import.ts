import type { DuckDBDataChunk } from '@duckdb/node-api';
import { type Column, columnsMax, typeName } from '../column.js';
import { DuckDb, identifier, literalPath } from './duckdb.js';
import { toBatches } from './duckdb-batch.js';
import { columnTypeOf, sqlTypeOf } from './duckdb-type.js';
import { refuseGivenTypes } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportContext, ImportSource } from './import-source.js';
import { checkParquet } from './parquet-footer.js';

const table = 'read_parquet($1, hive_partitioning = false)';

/** Opens Parquet files. Lists of numbers that all have one length become fixed-size lists, which pipelines can read. */
export async function openParquet(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource> {
  refuseGivenTypes(context.types, 'Parquet');
  for (const file of files) {
    await checkParquet(file);
  }
  const database = await DuckDb.open(context.spillFolder, context.signal);
  try {
    const columns = await describe(database, files[0]!.path);
    for (const { path } of files.slice(1)) {
      checkSameColumns(path, await describe(database, path), files[0]!.path, columns);
    }
    await fixLengths(database, files, columns);
    const selection = selectionOf(columns);
    const rowCounts: number[] = [];
    for (const { path } of files) {
      rowCounts.push(await countRows(database, path));
    }
    return { columns, batches: readFiles(files, rowCounts, selection, columns, context) };
  } finally {
    await database.close();
  }
}

async function describe(database: DuckDb, path: string): Promise<Column[]> {
  const found = await database.columnsOf(`SELECT * FROM ${table} LIMIT 0`, [literalPath(path)]).catch(explain(path));
  if (found.length > columnsMax) {
    throw invalidFile(path, `Expected at most ${columnsMax} columns but it has ${found.length}.`);
  }
  const names = await topLevelNames(database, path);
  return found.map(({ name, type }, i) => {
    // DuckDB tells columns apart without regard to case, and gives other names to those that it would confuse.
    if (name !== names[i]) {
      const message = `Expected columns with names of their own (case aside) but two are called ${JSON.stringify(names[i])}.`;
      throw invalidFile(path, message);
    }
    const columnType = columnTypeOf(type);
    if (!columnType) {
      throw invalidFile(path, `Expected columns of types that a dataset keeps but ${JSON.stringify(name)} is ${type}.`);
    }
    return { name, type: columnType, shape: [] };
  });
}

/** As the file has them. The schema is a tree, written out node by node. */
async function topLevelNames(database: DuckDb, path: string): Promise<string[]> {
  const rows = await database
    .rows('SELECT name, num_children FROM parquet_schema($1)', [literalPath(path)])
    .catch(explain(path));
  const names: string[] = [];
  let inside = 0;
  for (const [name, children] of rows.slice(1)) {
    if (inside === 0) {
      names.push(String(name));
    }
    inside = Math.max(inside - 1, 0) + Number(children ?? 0);
  }
  return names;
}

function checkSameColumns(path: string, columns: Column[], first: string, expected: Column[]): void {
  const text = (of: Column[]) => of.map(({ name, type }) => `${name} ${typeName(type)}`).join(', ');
  if (text(columns) !== text(expected)) {
    throw invalidFile(path, `Expected the columns of ${first}, ${text(expected)}, but received ${text(columns)}.`);
  }
}

/** Gives columns of lists of numbers their length, where it is the same in all rows and no item is missing. */
async function fixLengths(database: DuckDb, files: readonly ImportFile[], columns: Column[]): Promise<void> {
  for (const column of columns) {
    const { type } = column;
    if (type.kind !== 'nested' || type.form !== 'List' || type.item.kind !== 'number') {
      continue;
    }
    const lengths = new Set<number>();
    for (const { path } of files) {
      const list = identifier(column.name);
      const sql = `SELECT min(len(${list})), max(len(${list})), bool_or(list_count(${list}) < len(${list})) FROM ${table}`;
      const [row] = await database.rows(sql, [literalPath(path)]).catch(explain(path));
      const [min, max, isMissing] = row!;
      lengths.add(min === null ? 0 : Number(min)).add(isMissing ? 0 : Number(max ?? 0));
    }
    const [width, ...others] = lengths;
    if (others.length === 0 && width! > 0) {
      column.type = { kind: 'list', type: type.item.type, width: width! };
    }
  }
}

/** Lists of one length are read as arrays. */
function selectionOf(columns: readonly Column[]): string {
  return columns
    .map(({ name, type }) => {
      const column = identifier(name);
      const item = type.kind === 'list' ? sqlTypeOf({ kind: 'number', type: type.type }) : null;
      return type.kind === 'list' ? `CAST(${column} AS ${item}[${type.width}])` : column;
    })
    .join(', ');
}

async function countRows(database: DuckDb, path: string): Promise<number> {
  const [row] = await database.rows(`SELECT count(*) FROM ${table}`, [literalPath(path)]).catch(explain(path));
  return Number(row![0]);
}

async function* readFiles(
  files: readonly ImportFile[],
  rowCounts: readonly number[],
  selection: string,
  columns: readonly Column[],
  { spillFolder, signal }: ImportContext,
): AsyncGenerator<ImportBatch> {
  const types = columns.map(({ type }) => type);
  const database = await DuckDb.open(spillFolder, signal);
  try {
    for (const [i, { path, sizeBytes }] of files.entries()) {
      const chunks = readFile(database, path, selection);
      yield* toBatches(chunks, types, sizeBytes / Math.max(rowCounts[i]!, 1));
    }
  } finally {
    await database.close();
  }
}

async function* readFile(database: DuckDb, path: string, selection: string): AsyncGenerator<DuckDBDataChunk> {
  try {
    yield* database.query(`SELECT ${selection} FROM ${table}`, [literalPath(path)]);
  } catch (error) {
    throw explained(path, error);
  }
}

const explain = (path: string) => (error: unknown) => {
  throw explained(path, error);
};

/** What DuckDB says of a file that it cannot read; other errors are passed through. */
function explained(path: string, error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith('Out of Memory')) {
    return invalidFile(path, 'Expected pages that fit in memory once they are unpacked but these do not.');
  }
  const isOfFile =
    /^(Invalid Input|IO|Invalid|Conversion|Not implemented|TProtocolException|Serialization|Corrupt)/i.test(message);
  return isOfFile ? invalidFile(path, `It cannot be read as Parquet: ${message.split('\n')[0]}`) : error;
}
