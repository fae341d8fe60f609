import {
  type ColumnChunk,
  gatherBooleans,
  gatherMissing,
  gatherNumbers,
  gatherTexts,
  type NumberChunk,
  UnsafeIntegerError,
} from './column-chunk.js';
import type { FittedPipeline, FittedStep, PreparedColumn } from './fitted-pipeline.js';

/** [rows, width] numbers of one column in float64, and which rows are missing (null: none). Steps change them in place. */
export interface NumberValues {
  kind: 'numbers';
  values: Float64Array;
  missing: Uint8Array | null;
}

/** Texts of one column; null: missing. */
export interface TextValues {
  kind: 'texts';
  values: (string | null)[];
}

export type ColumnValues = NumberValues | TextValues;

/** A value that cannot become a feature. `row` counts from 0 within the rows that were given. */
export class UnusableValueError extends Error {
  override readonly name = 'UnusableValueError';

  constructor(
    readonly column: string,
    readonly row: number,
    readonly problem: 'missing' | 'too large for float32' | `${bigint}, beyond 2^53`,
  ) {
    super(`${column}, row ${row}: ${problem}`);
  }
}

/** The values of some rows of a chunk, ready for the steps. @throws UnsafeIntegerError */
export function gatherValues(chunk: ColumnChunk, rows: Int32Array): ColumnValues {
  switch (chunk.kind) {
    case 'text':
    case 'dictionary':
      return { kind: 'texts', values: gatherTexts(chunk, rows) };
    case 'boolean':
      return { kind: 'numbers', values: gatherBooleans(chunk, rows), missing: gatherMissing(chunk.validity, rows) };
    case 'number':
      return { kind: 'numbers', values: gatherNumbers(chunk, rows), missing: gatherMissing(chunk.validity, rows) };
  }
}

/** Applies steps other than one-hot, in place. Fitting, batches and single records all come through here. */
export function applySteps(column: ColumnValues, steps: readonly FittedStep[]): void {
  for (const step of steps) {
    if (step.kind === 'impute') {
      fillMissing(column, step.value);
    } else if (step.kind !== 'oneHot' && column.kind === 'numbers') {
      shiftAndDivide(column.values, step.subtract, step.divide);
    }
  }
}

function fillMissing(column: ColumnValues, filling: number | string): void {
  if (column.kind === 'texts') {
    for (let i = 0; i < column.values.length; i++) {
      column.values[i] ??= filling as string;
    }
    return;
  }
  const { values, missing } = column;
  if (missing) {
    const width = values.length / missing.length;
    for (let row = 0; row < missing.length; row++) {
      if (missing[row]) {
        values.fill(filling as number, row * width, (row + 1) * width);
      }
    }
    column.missing = null;
  }
}

/** y = (x - subtract) / divide. A division, not a product with the inverse: 255 / 255 must be 1. */
function shiftAndDivide(values: Float64Array, subtract: number, divide: number): void {
  for (let i = 0; i < values.length; i++) {
    values[i] = (values[i]! - subtract) / divide;
  }
}

/** Where a column's outputs go: row-major float32 [rows, rowWidth], zeros so far. */
export interface FeatureMatrix {
  values: Float32Array;
  rowWidth: number;
}

/**
 * Turns the values of one column into its features in the matrix. The values are used up.
 * @throws UnusableValueError
 */
export function writeFeatures(column: PreparedColumn, values: ColumnValues, matrix: FeatureMatrix): void {
  applySteps(values, column.steps);
  refuseMissing(column, values);
  if (column.categoryPlaces) {
    writeOneHot(column, values.values, matrix);
  } else {
    writeNumbers(column, values.values as Float64Array, matrix);
  }
}

/** Index of the first missing value; -1: there is none. */
export function firstMissing(values: ColumnValues): number {
  return values.kind === 'texts' ? values.values.indexOf(null) : (values.missing?.indexOf(1) ?? -1);
}

function refuseMissing({ column }: PreparedColumn, values: ColumnValues): void {
  const row = firstMissing(values);
  if (row >= 0) {
    throw new UnusableValueError(column, row, 'missing');
  }
}

/** One 1 a row; a category that was not seen at fitting gives zeros. */
function writeOneHot(
  { offset, categoryPlaces }: PreparedColumn,
  values: Float64Array | (string | null)[],
  { values: target, rowWidth }: FeatureMatrix,
): void {
  for (let i = 0; i < values.length; i++) {
    const place = categoryPlaces!.get(values[i]!);
    if (place !== undefined) {
      target[i * rowWidth + offset + place] = 1;
    }
  }
}

function writeNumbers(
  { column, offset, outputWidth }: PreparedColumn,
  values: Float64Array,
  { values: target, rowWidth }: FeatureMatrix,
): void {
  const rows = values.length / outputWidth;
  // 0 times an infinity is NaN, which a sum keeps: one look at the end instead of one a value.
  let witness = 0;
  for (let i = 0; i < rows; i++) {
    const at = i * rowWidth + offset;
    const from = i * outputWidth;
    for (let k = 0; k < outputWidth; k++) {
      const value = Math.fround(values[from + k]!);
      target[at + k] = value;
      witness += value * 0;
    }
  }
  if (witness !== 0) {
    const at = values.findIndex((value) => !Number.isFinite(Math.fround(value)));
    throw new UnusableValueError(column, Math.floor(at / outputWidth), 'too large for float32');
  }
}

/**
 * The features of some rows of a table. `chunks` are the pipeline's columns in their order, `rows` indices into them, and
 * the answer is the matrix as it is stored: [rows, featureCount] of uint8 or float32.
 * @throws UnusableValueError, with `row` an index into `rows`
 */
export function transformColumns(
  pipeline: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
): Uint8Array | Float32Array {
  if (pipeline.featureType === 'uint8') {
    return copyBytes(pipeline.columns[0]!, chunks[0] as NumberChunk, rows);
  }
  const values = new Float32Array(rows.length * pipeline.featureCount);
  const matrix = { values, rowWidth: pipeline.featureCount };
  for (const [i, column] of pipeline.columns.entries()) {
    writeFeatures(column, gatherColumn(column, chunks[i]!, rows), matrix);
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

/** Bytes stay as they are; neighbouring rows are copied in one go. */
function copyBytes({ column }: PreparedColumn, chunk: NumberChunk, rows: Int32Array): Uint8Array {
  const { width } = chunk;
  const source = chunk.values as Uint8Array;
  const missing = gatherMissing(chunk.validity, rows);
  if (missing) {
    throw new UnusableValueError(column, missing.indexOf(1), 'missing');
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
