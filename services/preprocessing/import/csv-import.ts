import type { DuckDBDataChunk } from '@duckdb/node-api';
import { type Column, type ColumnType, typeName } from '../column.js';
import { guessCsv, mayGuess } from './csv-guess.js';
import { type CsvColumn, type CsvOutline, type Delimiter, recordBytesMax } from './csv-outline.js';
import { sampleCsv, scanCsv } from './csv-scan.js';
import { asWritten, inferTimes, mayBeTimes, readTimes } from './csv-times.js';
import { isReadByEngine, readCsvValues } from './csv-values.js';
import { DuckDb, literal, literalPath } from './duckdb.js';
import { toBatches } from './duckdb-batch.js';
import { sqlTypeOf } from './duckdb-type.js';
import { type FieldKind, typeOfKind } from './field-kind.js';
import { checkGivenColumns } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportContext, ImportSource } from './import-source.js';
import type { MissingValues } from './missing-values.js';

/** Opens CSV files: their form is checked, and the type of each column found among all their values. */
export function openCsv(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource> {
  return openDelimited(files, ',', context);
}

/** Tab-separated values: CSV with another delimiter, quotes included. */
export function openTsv(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource> {
  return openDelimited(files, '\t', context);
}

async function openDelimited(
  files: readonly ImportFile[],
  delimiter: Delimiter,
  context: ImportContext,
): Promise<ImportSource> {
  if (mayGuess(files, context)) {
    const samples = await Promise.all(files.map((file) => sampleCsv(file, delimiter, context.missingValues)));
    const guessed = guessCsv(files, delimiter, samples, context);
    if (guessed) {
      return guessed;
    }
  }
  const outlines: CsvOutline[] = [];
  for (const file of files) {
    const outline = await scanCsv(file, delimiter, context.missingValues, context.signal);
    const [names, expected] = [outline, outlines[0] ?? outline].map((one) => one.columns.map(({ name }) => name));
    if (names!.join('\0') !== expected!.join('\0')) {
      throw invalidFile(
        file.path,
        `Line 1: Expected the columns of ${files[0]!.path} but received ${names!.join(', ')}.`,
      );
    }
    outlines.push(outline);
  }
  const first = outlines[0]!.columns;
  checkGivenColumns(
    context.types,
    first.map(({ name }) => name),
  );
  const columns = first.map(({ name }, i): Column => {
    const given = context.types.get(name);
    if (given) {
      for (const [file, { columns: found }] of outlines.entries()) {
        checkGivenType(files[file]!.path, given, found[i]!);
      }
    }
    const kind = Math.max(...outlines.map((outline) => outline.columns[i]!.kind)) as FieldKind;
    return { name, type: given ?? typeOfKind(kind), shape: [] };
  });
  // Where it is a column of numbers; in others they are words, or missing like empty fields.
  const withMissingWords = columns.map(
    ({ type }, i) => type.kind === 'number' && outlines.some((outline) => outline.columns[i]!.hasMissingWords),
  );
  const form = { delimiter, columns, withMissingWords };
  const places = mayBeTimes(outlines).filter((place) => !context.types.has(columns[place]!.name));
  const times =
    places.length > 0
      ? await inferTimes(readFiles(files, form, outlines, context), places, context.missingValues)
      : new Map<number, ColumnType>();
  form.columns = columns.map((column, i) => ({ ...column, type: times.get(i) ?? column.type }));
  return { columns: form.columns, batches: readFiles(files, form, outlines, context) };
}

/** DuckDB would round a number to the integer that was asked for. */
function checkGivenType(file: string, given: ColumnType, { name, firstBeyond }: CsvColumn): void {
  if (given.kind !== 'number') {
    return;
  }
  const beyond = given.type.startsWith('float') ? firstBeyond.number : firstBeyond.integer;
  if (beyond) {
    const expected = `column ${JSON.stringify(name)} to hold ${typeName(given)}, as given`;
    throw invalidFile(file, `Line ${beyond.line}: Expected ${expected}, but received ${JSON.stringify(beyond.text)}.`);
  }
}

/** How the values of all files are read. */
interface CsvForm {
  delimiter: Delimiter;
  columns: readonly Column[];
  /** By column: words may stand for missing numbers. */
  withMissingWords: readonly boolean[];
}

async function* readFiles(
  files: readonly ImportFile[],
  { columns: wanted, ...form }: CsvForm,
  outlines: readonly CsvOutline[],
  { spillFolder, signal, missingValues }: ImportContext,
): AsyncGenerator<ImportBatch> {
  const { delimiter, withMissingWords } = form;
  const columns = asWritten(wanted);
  const finish = ({ path }: ImportFile, batches: AsyncIterable<ImportBatch>) =>
    readTimes(path, batches, wanted, missingValues);
  const hasWords = missingValues.everyColumn || withMissingWords.includes(true);
  if (!hasWords && columns.every(({ type }) => isReadByEngine(type))) {
    for (const [i, file] of files.entries()) {
      yield* finish(file, readCsvValues(file, outlines[i]!, delimiter, columns, signal));
    }
    return;
  }
  const types = columns.map(({ type }) => type);
  const sql = selectSql({ ...form, columns }, missingValues);
  const database = await DuckDb.open(spillFolder, signal);
  try {
    for (const [i, file] of files.entries()) {
      const { rowCount } = outlines[i]!;
      const chunks = readFile(database, file.path, sql, rowCount);
      yield* finish(file, toBatches(chunks, types, file.sizeBytes / rowCount));
    }
  } finally {
    await database.close();
  }
}

const rules = `quote = '"', escape = '"', header = true, strict_mode = true, compression = 'none', hive_partitioning = false, max_line_size = ${recordBytesMax}`;

/** The values of the file `$1`. */
function selectSql({ delimiter, columns, withMissingWords }: CsvForm, missing: MissingValues): string {
  const words = [...missing.spellings].map(literal).join(', ');
  // DuckDB takes such words in all columns or in none: alone, they are read as texts first.
  const isText = columns.map((_, i) => !missing.everyColumn && withMissingWords[i]);
  const types = columns.map(({ name, type }, i) => `${literal(name)}: '${isText[i] ? 'VARCHAR' : sqlTypeOf(type)}'`);
  const values = columns.map(({ name, type }, i) => {
    const column = `"${name.replaceAll('"', '""')}"`;
    return isText[i]
      ? `CASE WHEN ${column} IN (${words}) THEN NULL ELSE CAST(${column} AS ${sqlTypeOf(type)}) END`
      : column;
  });
  const select = isText.includes(true) ? values.join(', ') : '*';
  const nulls = missing.everyColumn ? `nullstr = ['', ${words}], ` : '';
  return `SELECT ${select} FROM read_csv($1, delim = ${literal(delimiter)}, ${nulls}${rules}, auto_detect = false, columns = {${types.join(', ')}})`;
}

/** @param rowCount that the scan has found: another reading of the same bytes must not pass */
async function* readFile(
  database: DuckDb,
  path: string,
  sql: string,
  rowCount: number,
): AsyncGenerator<DuckDBDataChunk> {
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
