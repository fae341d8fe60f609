import { type ColumnChunk, gatherMissing, type NumberChunk, UnsafeIntegerError } from './column-chunk.js';
import type { FittedPipeline } from './fitted-pipeline.js';
import { type PreparedColumn, UnusableValueError, writeFeatures } from './prepared-column.js';
import { type ColumnValues, gatherValues } from './values.js';

/**
 * The features of some rows of a table. `chunks` are the pipeline's columns in their order, `rows` indices into them, and
 * the answer is the matrix as it is stored: [rows, featureCount] of uint8 or float32.
 * @param trainingRows numbers of these rows in the table, if they are of the training split; null: they are not
 * @throws UnusableValueError, with `row` an index into `rows`
 */
export function transformColumns(
  pipeline: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
  trainingRows: Int32Array | null = null,
): Uint8Array | Float32Array {
  if (pipeline.featureType === 'uint8') {
    return copyBytes(pipeline.columns[0]!, chunks[0] as NumberChunk, rows);
  }
  const values = new Float32Array(rows.length * pipeline.featureCount);
  const matrix = { values, rowWidth: pipeline.featureCount };
  for (const [i, column] of pipeline.columns.entries()) {
    writeFeatures(column, gatherColumn(column, chunks[i]!, rows), matrix, trainingRows);
  }
  return values;
}

function gatherColumn({ column }: PreparedColumn, chunk: ColumnChunk, rows: Int32Array): ColumnValues {
  try {
    return gatherValues(chunk, rows);
  } catch (error) {
    throw error instanceof UnsafeIntegerError
      ? new UnusableValueError(column, rows.indexOf(error.row), `${error.value}, beyond 2^53`)
      : error;
  }
}

/** Bytes stay as they are: rows that all follow one another are a view, and of others neighbours are copied in one go. */
function copyBytes({ column }: PreparedColumn, chunk: NumberChunk, rows: Int32Array): Uint8Array {
  const { width } = chunk;
  const source = chunk.values as Uint8Array;
  const missing = gatherMissing(chunk.validity, rows);
  if (missing) {
    throw new UnusableValueError(column, missing.indexOf(1), 'missing');
  }
  if (rows.every((row, i) => row === rows[0]! + i)) {
    const from = (rows[0] ?? 0) * width;
    return source.subarray(from, from + rows.length * width);
  }
  const target = new Uint8Array(rows.length * width);
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
