import {
  areConsecutive,
  type BinaryChunk,
  type ColumnChunk,
  gatherBytes,
  gatherMissing,
  type NumberChunk,
  UnsafeIntegerError,
} from './column-chunk.js';
import { type DecodedValues, decodeValues } from './decode-values.js';
import { writeByEngine } from './engine-features.js';
import type { FittedPipeline } from './fitted-pipeline.js';
import {
  checkFeatures,
  filesAtOnce,
  type PreparedColumn,
  UnusableValueError,
  writeFeatures,
} from './prepared-column.js';
import type { DecodingStep } from './step.js';
import { type ColumnValues, gatherValues, numberValues } from './values.js';

/** Gives at least so many bytes, whatever they hold; float32 values can begin where they do. */
export type AllocateMatrix = (sizeBytes: number) => Uint8Array<ArrayBuffer>;

const allocateOwn: AllocateMatrix = (sizeBytes) => Buffer.allocUnsafeSlow(sizeBytes);

/** Features of a block of rows, which are made together. */
const blockBytes = 256 * 1024;

/** For the numbers of one column of a block, until its features are written. */
const scratch = new Float64Array(16 * 1024);

/**
 * The features of some rows of a table. `chunks` are the pipeline's columns in their order, `rows` indices into them, and
 * the answer is the matrix as it is stored: [rows, featureCount] of uint8 or float32. Bytes that need no copy stay where they are.
 * @param trainingRows numbers of these rows in the table, if they are of the training split; null: they are not
 * @param allocate gives memory for a matrix of so many bytes, whatever it holds
 * @throws UnusableValueError, with `row` an index into `rows`
 */
export async function transformColumns(
  pipeline: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
  trainingRows: Int32Array | null = null,
  allocate: AllocateMatrix = allocateOwn,
): Promise<Uint8Array | Float32Array> {
  if (pipeline.featureType === 'uint8') {
    return readBytes(pipeline.columns[0]!, chunks[0]!, rows, allocate);
  }
  const width = pipeline.featureCount;
  const count = rows.length * width;
  const { buffer, byteOffset } = allocate(count * Float32Array.BYTES_PER_ELEMENT);
  const values = new Float32Array(buffer, byteOffset, count);
  const done = await writeByEngine(pipeline, chunks, rows, values);
  if (done.size === 0) {
    values.fill(0);
  }
  const wants = (column: PreparedColumn) => !done.has(column);
  for (const [from, to] of blocksOf(pipeline, rows.length)) {
    const matrix = { values: values.subarray(from * width, to * width), rowWidth: width, offset: 0 };
    const numbers = trainingRows ? trainingRows.subarray(from, to) : null;
    const write = (column: PreparedColumn, given: ColumnValues) => writeFeatures(column, given, matrix, numbers);
    await forEachColumn(pipeline, chunks, rows.subarray(from, to), from, write, wants);
  }
  return values;
}

/**
 * Rows that are transformed together. A step of one column touches every row: block by block, what the columns before it wrote is still in
 * the processor's cache. Of files so many are a block as may be decoded at once.
 */
function* blocksOf({ columns, featureCount }: FittedPipeline, rowCount: number): Generator<[from: number, to: number]> {
  const files = columns.map(({ decoding, mappings }) => (decoding ? filesAtOnce(decoding, mappings) : null));
  const decoded = files.filter((count) => count !== null);
  const blockRows =
    decoded.length > 0 ? Math.min(...decoded) : Math.max(1, Math.floor(blockBytes / (4 * featureCount)));
  for (let from = 0; from < rowCount; from += blockRows) {
    yield [from, Math.min(rowCount, from + blockRows)];
  }
}

/**
 * Refuses what `transformColumns` would, in the same words, without making features.
 * @throws UnusableValueError, with `row` an index into `rows`
 */
export async function checkColumns(
  pipeline: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
  trainingRows: Int32Array | null,
): Promise<void> {
  if (pipeline.featureType === 'uint8') {
    await readBytes(pipeline.columns[0]!, chunks[0]!, rows, allocateOwn);
    return;
  }
  const done = await writeByEngine(pipeline, chunks, rows, null);
  const wants = (column: PreparedColumn, chunk: ColumnChunk) => !done.has(column) && mayBeRefused(column, chunk);
  for (const [from, to] of blocksOf(pipeline, rows.length)) {
    const numbers = trainingRows ? trainingRows.subarray(from, to) : null;
    const check = (column: PreparedColumn, given: ColumnValues) => checkFeatures(column, given, numbers);
    await forEachColumn(pipeline, chunks, rows.subarray(from, to), from, check, wants);
  }
}

/** A text that is there is a category, known or not. */
function mayBeRefused({ encoding, mappings }: PreparedColumn, { kind, validity }: ColumnChunk): boolean {
  return !(kind === 'text' && validity === null && encoding !== null && mappings.length === 0);
}

/**
 * Hands each column's values to `use`.
 * @param firstRow added to the rows of errors
 * @param wants columns that are read
 */
async function forEachColumn(
  pipeline: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
  firstRow: number,
  use: (column: PreparedColumn, values: ColumnValues) => void,
  wants: (column: PreparedColumn, chunk: ColumnChunk) => boolean,
): Promise<void> {
  try {
    for (const [i, column] of pipeline.columns.entries()) {
      if (!wants(column, chunks[i]!)) {
        continue;
      }
      const { decoding } = column;
      const values = decoding
        ? toNumbers(decoding, await decodeChunk(column.column, decoding, chunks[i]!, rows))
        : gatherColumn(column, chunks[i]!, rows);
      use(column, values);
    }
  } catch (error) {
    throw error instanceof UnusableValueError
      ? new UnusableValueError(error.column, firstRow + error.row, error.problem)
      : error;
  }
}

function gatherColumn({ column }: PreparedColumn, chunk: ColumnChunk, rows: Int32Array): ColumnValues {
  try {
    return gatherValues(chunk, rows, scratch);
  } catch (error) {
    throw error instanceof UnsafeIntegerError
      ? new UnusableValueError(column, rows.indexOf(error.row), `${error.value}, beyond 2^53`)
      : error;
  }
}

/**
 * The decoded files of some rows of a column. `rows`: indices into the chunk.
 * @throws UnusableValueError for the first that is refused, with `row` an index into `rows`
 */
export async function decodeChunk(
  column: string,
  decoding: DecodingStep,
  chunk: ColumnChunk,
  rows: Int32Array,
): Promise<DecodedValues> {
  const decoded = await decodeValues(decoding, gatherBytes(chunk as BinaryChunk, rows));
  const [first] = decoded.refused;
  if (first) {
    throw new UnusableValueError(column, first.row, `not ${first.expected}`);
  }
  return decoded;
}

/** What was decoded, ready for the steps. */
export function toNumbers({ output }: DecodingStep, { items, missing }: DecodedValues): ColumnValues {
  const numbers = items instanceof Float64Array ? items : Float64Array.from(items);
  return numberValues(numbers, output.width, missing);
}

async function readBytes(
  column: PreparedColumn,
  chunk: ColumnChunk,
  rows: Int32Array,
  allocate: AllocateMatrix,
): Promise<Uint8Array> {
  if (!column.decoding) {
    return copyBytes(column, chunk as NumberChunk, rows, allocate);
  }
  const { items, missing } = await decodeChunk(column.column, column.decoding, chunk, rows);
  if (missing) {
    throw new UnusableValueError(column.column, missing.indexOf(1), 'missing');
  }
  return items as Uint8Array;
}

/** Bytes stay as they are: rows that all follow one another are a view, and of others neighbours are copied in one go. */
function copyBytes(
  { column }: PreparedColumn,
  chunk: NumberChunk,
  rows: Int32Array,
  allocate: AllocateMatrix,
): Uint8Array {
  const { width } = chunk;
  const source = chunk.values as Uint8Array;
  const missing = gatherMissing(chunk.validity, rows);
  if (missing) {
    throw new UnusableValueError(column, missing.indexOf(1), 'missing');
  }
  if (areConsecutive(rows)) {
    const from = (rows[0] ?? 0) * width;
    return source.subarray(from, from + rows.length * width);
  }
  const { buffer, byteOffset } = allocate(rows.length * width);
  const target = new Uint8Array(buffer, byteOffset, rows.length * width);
  let first = 0;
  for (let i = 1; i <= rows.length; i++) {
    if (i === rows.length || rows[i] !== rows[i - 1]! + 1) {
      const from = rows[first]! * width;
      target.set(source.subarray(from, from + (i - first) * width), first * width);
      first = i;
    }
  }
  return target;
}

/** What the network gets: stored value * scale + offset, each operation in float32. */
export function toNetworkInput(pipeline: FittedPipeline, stored: Uint8Array | Float32Array): Float32Array {
  if (stored instanceof Float32Array) {
    return stored;
  }
  const table = pipeline.byteInputs!;
  const input = new Float32Array(stored.length);
  for (let i = 0; i < stored.length; i++) {
    input[i] = table[stored[i]!]!;
  }
  return input;
}
