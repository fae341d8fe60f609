import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api';
import { type BuiltType, ColumnBuilder, columnTypeOf } from './column-builder.js';
import { type CsvOutline, recordBytesMax, scanCsv } from './csv-scan.js';
import { type ImportFile, invalidFile } from './import-file.js';
import { batchBytesMax, batchRowsMax, type ImportBatch, type ImportSource } from './import-source.js';

/** Importing this file loads DuckDB, some 30 MB: it is imported when the first CSV file is. */

const duckdbSettings = {
  // What a file says must not make the database fetch code or open other files.
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  memory_limit: '1GB',
  threads: '2',
};

const types: Record<string, BuiltType | undefined> = {
  BIGINT: 'int64',
  DOUBLE: 'float64',
  VARCHAR: 'text',
};
const sqlTypes: Record<BuiltType, string> = { int64: 'BIGINT', float64: 'DOUBLE', text: 'VARCHAR' };
const form = `delim = ',', quote = '"', escape = '"', header = true, strict_mode = true, compression = 'none', max_line_size = ${recordBytesMax}`;

/** Opens CSV files: their form is checked, and the type of each column found among all their values. */
export async function openCsv(files: readonly ImportFile[], signal: AbortSignal): Promise<ImportSource> {
  const outlines: CsvOutline[] = [];
  for (const file of files) {
    const outline = await scanCsv(file, signal);
    const names = outlines[0]?.names ?? outline.names;
    if (outline.names.join('\0') !== names.join('\0')) {
      throw invalidFile(
        file.path,
        `Line 1: Expected the columns of ${files[0]!.path} but received ${outline.names.join(', ')}.`,
      );
    }
    outlines.push(outline);
  }
  const { names } = outlines[0]!;
  const columnTypes = await withDuckDb(signal, async (connection) => {
    let found: BuiltType[] | null = null;
    for (const { path } of files) {
      const inFile = await inferTypes(connection, path, names);
      found = found ? found.map((type, i) => commonType(type, inFile[i]!)) : inFile;
    }
    return found!;
  });
  return {
    columns: names.map((name, i) => ({ name, type: columnTypeOf(columnTypes[i]!), shape: [] })),
    batches: readFiles(files, outlines, columnTypes, signal),
  };
}

/** A database of its own for one step, ended when the caller goes away. */
async function withDuckDb<T>(signal: AbortSignal, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const { connection, close } = await connect(signal);
  try {
    return await work(connection);
  } finally {
    close();
  }
}

async function connect(signal: AbortSignal) {
  const instance = await DuckDBInstance.create(':memory:', duckdbSettings);
  const connection = await instance.connect();
  const interrupt = () => connection.interrupt();
  signal.addEventListener('abort', interrupt, { once: true });
  return {
    connection,
    close: () => {
      signal.removeEventListener('abort', interrupt);
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** DuckDB takes a path for a pattern; in brackets, a character stands for itself. */
function literalPath(path: string): string {
  return path.replace(/[*?[\]]/g, '[$&]');
}

async function inferTypes(connection: DuckDBConnection, path: string, names: string[]): Promise<BuiltType[]> {
  // No BOOLEAN: it takes yes and no too, and a class would no longer be called what the file calls it.
  const candidates = `auto_type_candidates = ['BIGINT', 'DOUBLE', 'VARCHAR']`;
  const sql = `SELECT * FROM read_csv($1, ${form}, sample_size = -1, ${candidates}) LIMIT 0`;
  const result = await connection.stream(sql, [literalPath(path)]).catch((error: unknown) => {
    throw explain(path, error);
  });
  if (result.columnCount !== names.length) {
    throw invalidFile(
      path,
      `Expected ${names.length} columns, as in the header, but the reader found ${result.columnCount}.`,
    );
  }
  return result.columnTypes().map((type) => types[String(type)] ?? 'text');
}

function commonType(a: BuiltType, b: BuiltType): BuiltType {
  if (a === b) {
    return a;
  }
  const areNumbers = [a, b].every((type) => type === 'int64' || type === 'float64');
  return areNumbers ? 'float64' : 'text';
}

async function* readFiles(
  files: readonly ImportFile[],
  outlines: readonly CsvOutline[],
  columnTypes: readonly BuiltType[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const { connection, close } = await connect(signal);
  try {
    for (const [i, file] of files.entries()) {
      yield* readCsv(connection, file, outlines[i]!, columnTypes);
    }
  } finally {
    close();
  }
}

async function* readCsv(
  connection: DuckDBConnection,
  { path, sizeBytes }: ImportFile,
  { names, rowCount }: CsvOutline,
  columnTypes: readonly BuiltType[],
): AsyncGenerator<ImportBatch> {
  let rows = 0;
  let batch = new BatchBuilder(columnTypes);
  for await (const chunk of readChunks(connection, path, names, columnTypes)) {
    rows += chunk.rowCount;
    for (let row = 0; row < chunk.rowCount; ) {
      row = batch.push(chunk, row);
      if (batch.isFull) {
        yield batch.finish(sizeBytes / rowCount);
        batch = new BatchBuilder(columnTypes);
      }
    }
  }
  if (batch.length > 0) {
    yield batch.finish(sizeBytes / rowCount);
  }
  if (rows !== rowCount) {
    throw invalidFile(path, `Expected ${rowCount} rows, one a line, but the reader found ${rows}.`);
  }
}

async function* readChunks(
  connection: DuckDBConnection,
  path: string,
  names: readonly string[],
  columnTypes: readonly BuiltType[],
): AsyncGenerator<DuckDBDataChunk> {
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const columns = names.map((name, i) => `${literal(name)}: '${sqlTypes[columnTypes[i]!]}'`);
  const sql = `SELECT * FROM read_csv($1, ${form}, auto_detect = false, columns = {${columns.join(', ')}})`;
  try {
    const result = await connection.stream(sql, [literalPath(path)]);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) {
        return;
      }
      yield chunk;
    }
  } catch (error) {
    throw explain(path, error);
  }
}

/** DuckDB's account of a fault, as far as it tells: the line, and the first sentence. */
function explain(path: string, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (!/CSV Error|sniffing file|Conversion Error/.test(text)) {
    return error instanceof Error ? error : new Error(text);
  }
  const line = /on Line: (\d+)/.exec(text)?.[1];
  const reason = text
    .split('\n')
    .find((one) => one !== '' && !/^(Invalid Input Error: )?(CSV Error|Error when sniffing)|^Original Line/.test(one));
  return invalidFile(path, `${line ? `Line ${line}: ` : ''}${reason ?? 'It cannot be read as CSV.'}`);
}

/** Rows on their way to a batch. */
class BatchBuilder {
  readonly #columns: ColumnBuilder[];
  readonly #texts: ColumnBuilder[];
  readonly #rowsMax: number;
  #isFull = false;

  constructor(columnTypes: readonly BuiltType[]) {
    const rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytesMax / (8 * columnTypes.length))));
    this.#rowsMax = rowsMax;
    this.#columns = columnTypes.map((type) => new ColumnBuilder(type, rowsMax));
    this.#texts = this.#columns.filter((_, i) => columnTypes[i] === 'text');
  }

  get length(): number {
    return this.#columns[0]!.length;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes the rows of a chunk from `row` on until the batch is full; answers the first row that it did not take. */
  push(chunk: DuckDBDataChunk, row: number): number {
    const vectors = this.#columns.map((_, i) => chunk.getColumnVector(i));
    let next = row;
    while (next < chunk.rowCount && !this.#isFull) {
      for (const [i, column] of this.#columns.entries()) {
        column.push(vectors[i]!.getItem(next));
      }
      next++;
      const textBytes = this.#texts.reduce((sum, column) => sum + column.textBytes, 0);
      this.#isFull = this.length === this.#rowsMax || textBytes >= batchBytesMax;
    }
    return next;
  }

  finish(bytesPerRow: number): ImportBatch {
    return { chunks: this.#columns.map((column) => column.finish()), bytesDone: Math.round(this.length * bytesPerRow) };
  }
}
