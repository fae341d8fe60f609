import { type EngineColumn, engineColumn } from './engine-features.js';
import type { FittedColumn } from './fitted-pipeline.js';
import {
  type DecodingStep,
  type EncodingStep,
  type FeatureTarget,
  type MappingStep,
  UntransformableError,
} from './step.js';
import { definitionOf } from './steps/index.js';
import { type ColumnValues, firstMissing, missingOf, type ValueType } from './values.js';

/** A value that cannot become a feature. `row` counts from 0 within the rows that were given. */
export class UnusableValueError extends Error {
  override readonly name = 'UnusableValueError';

  constructor(
    readonly column: string,
    readonly row: number,
    /** Completes `the value is`. */
    readonly problem: 'missing' | 'too large for float32' | `${bigint}, beyond 2^53` | `not ${string}`,
  ) {
    super(`${column}, row ${row}: ${problem}`);
  }
}

/** A column with what its transform needs at hand. */
export interface PreparedColumn extends FittedColumn {
  /** Place of the column's first feature in a row of the matrix. */
  offset: number;
  /** One a feature. Those of a list are its name with an index. */
  featureNames: readonly string[];
  /** Null: the values are what they are; else they are files, and this comes first. */
  decoding: DecodingStep | null;
  mappings: readonly MappingStep[];
  /** Null: the values that the mappings leave are the features. */
  encoding: EncodingStep | null;
  /** For many rows; null: the steps do them, as they do any. */
  inEngine: EngineColumn | null;
}

/** @throws Error for steps that do not fit together */
export function prepareColumn(fitted: FittedColumn, offset: number): PreparedColumn {
  const { column, type, width, shape, steps } = fitted;
  if (width === null ? shape.length > 0 : shape.length > 0 && shape.reduce((a, b) => a * b) !== width) {
    throw new Error(`the shape ${shape.join(', ')} does not make ${width ?? 'a single value'}`);
  }
  if (width !== null && (type === 'text' || type === 'time' || type === 'boolean' || type === 'binary')) {
    throw new Error('lists hold numbers');
  }
  if (steps.filter(({ kind }) => kind === 'impute').length > 1) {
    throw new Error('it needs at most one impute step');
  }
  const { decoding, mappings, encoding, output } = prepareSteps(fitted);
  const flags = mappings.filter(({ flagsMissing }) => flagsMissing).map(() => `${column}.missing`);
  return {
    ...fitted,
    offset,
    featureNames: [...featureNames(column, output, encoding), ...flags],
    decoding,
    mappings,
    encoding,
    inEngine: decoding ? null : engineColumn(mappings, encoding, offset),
  };
}

/** `output`: what the mappings make of a column. @throws Error for steps that do not follow each other */
export function prepareSteps(fitted: FittedColumn): {
  decoding: DecodingStep | null;
  mappings: MappingStep[];
  encoding: EncodingStep | null;
  output: ValueType;
} {
  let output = inputOf(fitted);
  let decoding: DecodingStep | null = null;
  const mappings: MappingStep[] = [];
  for (const [i, step] of fitted.steps.entries()) {
    const definition = definitionOf(step);
    if (!definition.takes.includes(output.kind)) {
      throw new Error(`step ${i}, ${step.kind}, cannot follow ${output.kind === 'text' ? 'text' : `a ${output.kind}`}`);
    }
    const prepared = definition.prepare(step, output);
    if (prepared.output === null) {
      if (i < fitted.steps.length - 1) {
        throw new Error(`the step ${step.kind} needs to be the last`);
      }
      return { decoding, mappings, encoding: prepared, output };
    }
    if ('decode' in prepared) {
      decoding = prepared;
    } else {
      mappings.push(prepared);
    }
    output = prepared.output;
  }
  return { decoding, mappings, encoding: null, output };
}

function inputOf({ type, width, shape }: FittedColumn): ValueType {
  if (type === 'text' || type === 'time' || type === 'binary') {
    return { kind: type };
  }
  return width === null ? { kind: 'number' } : { kind: 'list', width, shape };
}

function featureNames(column: string, input: ValueType, encoding: EncodingStep | null): string[] {
  if (encoding) {
    return encoding.names.map((name) => column + name);
  }
  switch (input.kind) {
    case 'text':
    case 'time':
    case 'binary':
      throw new Error(
        `${input.kind === 'text' ? 'text' : input.kind === 'time' ? 'a time' : 'a file'} needs a step that makes features of it`,
      );
    case 'number':
      return [column];
    case 'list':
      return Array.from({ length: input.width }, (_, i) => `${column}${input.names?.[i] ?? `[${i}]`}`);
  }
}

/** Numbers that are held at once, at most, of files that were decoded: a small file may become many. */
const decodedItemsMax = 1024 * 1024;

/** So many rows of a column of files are decoded and transformed before the next. */
export function filesAtOnce(decoding: DecodingStep, mappings: readonly MappingStep[]): number {
  const widths = [decoding, ...mappings].map(({ output }) => (output.kind === 'list' ? output.width : 1));
  return Math.max(1, Math.floor(decodedItemsMax / Math.max(...widths)));
}

/**
 * Turns the values of one column into its features in the matrix. The values are used up.
 * @param matrix zeros where the column's features go; its offset is set to the column's
 * @param trainingRows numbers of these rows in the table, if they are of the training split
 * @throws UnusableValueError
 */
export function writeFeatures(
  column: PreparedColumn,
  given: ColumnValues,
  matrix: FeatureTarget,
  trainingRows: Int32Array | null,
): void {
  const values = applyMappings(column, given, matrix, trainingRows);
  if (column.encoding) {
    matrix.offset = column.offset;
    column.encoding.write(values, matrix, trainingRows);
  } else if (values.kind === 'numbers') {
    writeNumbers(column, values.values, values.width, matrix);
  }
}

/**
 * Refuses what `writeFeatures` would, without a matrix. The values are used up.
 * @throws UnusableValueError
 */
export function checkFeatures(column: PreparedColumn, given: ColumnValues, trainingRows: Int32Array | null): void {
  const values = applyMappings(column, given, null, trainingRows);
  if (!column.encoding && values.kind === 'numbers') {
    checkFloat32(column, values.values, values.width);
  }
}

/** @param matrix null: nothing is flagged */
function applyMappings(
  column: PreparedColumn,
  given: ColumnValues,
  matrix: FeatureTarget | null,
  trainingRows: Int32Array | null,
): ColumnValues {
  let values = given;
  let flagOffset = column.offset + column.featureNames.length - 1;
  for (const mapping of column.mappings) {
    if (mapping.flagsMissing && matrix) {
      writeFlags(missingOf(values), matrix, flagOffset--);
    }
    values = apply(mapping, values, trainingRows, column);
  }
  const row = firstMissing(values);
  if (row >= 0) {
    throw new UnusableValueError(column.column, row, 'missing');
  }
  return values;
}

function apply(mapping: MappingStep, values: ColumnValues, trainingRows: Int32Array | null, { column }: FittedColumn) {
  try {
    return mapping.apply(values, trainingRows);
  } catch (error) {
    throw error instanceof UntransformableError
      ? new UnusableValueError(column, error.row, `not ${error.expected}`)
      : error;
  }
}

function writeFlags(missing: Uint8Array | null, matrix: FeatureTarget, offset: number): void {
  for (let row = 0; missing && row < missing.length; row++) {
    matrix.values[row * matrix.rowWidth + offset] = missing[row]!;
  }
}

function writeNumbers(
  column: PreparedColumn,
  values: Float64Array,
  width: number,
  { values: target, rowWidth }: FeatureTarget,
): void {
  const { offset } = column;
  const rows = values.length / width;
  // 0 times an infinity is NaN, which a sum keeps: one look at the end instead of one a value.
  let witness = 0;
  for (let i = 0; i < rows; i++) {
    const at = i * rowWidth + offset;
    const from = i * width;
    for (let k = 0; k < width; k++) {
      const value = Math.fround(values[from + k]!);
      target[at + k] = value;
      witness += value * 0;
    }
  }
  if (witness !== 0) {
    throw tooLarge(column, values, width);
  }
}

function checkFloat32(column: PreparedColumn, values: Float64Array, width: number): void {
  let witness = 0;
  for (let i = 0; i < values.length; i++) {
    witness += Math.fround(values[i]!) * 0;
  }
  if (witness !== 0) {
    throw tooLarge(column, values, width);
  }
}

function tooLarge({ column }: FittedColumn, values: Float64Array, width: number): UnusableValueError {
  const at = values.findIndex((value) => !Number.isFinite(Math.fround(value)));
  return new UnusableValueError(column, Math.floor(at / width), 'too large for float32');
}
