import type { DuckDBDataChunk } from '@duckdb/node-api';
import type { ColumnType } from '../column.js';
import { type CsvOutline, recordBytesMax, scanCsv } from './csv-scan.js';
import { DuckDb, literal, literalPath } from './duckdb.js';
import { sqlTypeOf, toBatches } from './duckdb-batch.js';
import { type FieldKind, typeOfKind } from './field-kind.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportContext, ImportSource } from './import-source.js';

/** Opens CSV files: their form is checked, and the type of each column found among all their values. */
export async function openCsv(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource> {
  const outlines: CsvOutline[] = [];
  for (const file of files) {
    const outline = await scanCsv(file, context.signal);
    const names = outlines[0]?.names ?? outline.names;
    if (outline.names.join('\0') !== names.join('\0')) {
      throw invalidFile(
        file.path,
        `Line 1: Expected the columns of ${files[0]!.path} but received ${outline.names.join(', ')}.`,
      );
    }
    outlines.push(outline);
  }
  const columns = outlines[0]!.names.map((name, i) => {
    const kind = Math.max(...outlines.map(({ kinds }) => kinds[i]!)) as FieldKind;
    return { name, type: typeOfKind(kind), shape: [] };
  });
  return { columns, batches: readFiles(files, outlines, columns, context) };
}

async function* readFiles(
  files: readonly ImportFile[],
  outlines: readonly CsvOutline[],
  columns: readonly { name: string; type: ColumnType }[],
  { spillFolder, signal }: ImportContext,
): AsyncGenerator<ImportBatch> {
  const types = columns.map(({ type }) => type);
  const database = await DuckDb.open(spillFolder, signal);
  try {
    for (const [i, { path, sizeBytes }] of files.entries()) {
      const { rowCount } = outlines[i]!;
      yield* toBatches(readFile(database, path, columns, rowCount), types, sizeBytes / rowCount);
    }
  } finally {
    await database.close();
  }
}

const form = `delim = ',', quote = '"', escape = '"', header = true, strict_mode = true, compression = 'none', max_line_size = ${recordBytesMax}`;

/** @param rowCount that the scan has found: another reading of the same bytes must not pass */
async function* readFile(
  database: DuckDb,
  path: string,
  columns: readonly { name: string; type: ColumnType }[],
  rowCount: number,
): AsyncGenerator<DuckDBDataChunk> {
  const types = columns.map(({ name, type }) => `${literal(name)}: '${sqlTypeOf(type)}'`);
  const sql = `SELECT * FROM read_csv($1, ${form}, auto_detect = false, columns = {${types.join(', ')}})`;
  let rows = 0;
  try {
    for await (const chunk of database.query(sql, [literalPath(path)])) {
      rows += chunk.rowCount;
      yield chunk;
    }
  } catch (error) {
    throw explain(path, error);
  }
  if (rows !== rowCount) {
    throw invalidFile(path, `Expected ${rowCount} rows, one a line, but the reader found ${rows}.`);
  }
}

/** DuckDB's account of a fault, as far as it tells: the line, and the first sentence. */
function explain(path: string, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (!/CSV Error|Conversion Error/.test(text)) {
    return error instanceof Error ? error : new Error(text);
  }
  const line = /on Line: (\d+)/.exec(text)?.[1];
  const reason = text
    .split('\n')
    .find((one) => one !== '' && !/^(\w+ )*Error: CSV Error|^CSV Error|^Original Line/.test(one));
  return invalidFile(path, `${line ? `Line ${line}: ` : ''}${reason ?? 'It cannot be read as CSV.'}`);
}
