import type { CategoryColumn, FeatureColumn, NumberColumn } from '../../native/index.js';
import type { ColumnChunk } from './column-chunk.js';
import type { FittedPipeline } from './fitted-pipeline.js';
import { loadNative } from './native.js';
import type { PreparedColumn } from './prepared-column.js';
import type { EncodingStep, MappingStep } from './step.js';

/** What the engine is told of a column whose steps it can do, all but the values. */
export type EngineColumn =
  | Pick<NumberColumn, 'filling' | 'steps' | 'offset'>
  | Pick<CategoryColumn, 'categoryBytes' | 'categoryOffsets' | 'hasUnseen' | 'offset'>;

/** Fewer rows are done before a thread has begun. */
const rowsMin = 512;

/** Null: the engine cannot do these steps. */
export function engineColumn(
  mappings: readonly MappingStep[],
  encoding: EncodingStep | null,
  offset: number,
): EngineColumn | null {
  if (encoding) {
    return encoding.inEngine && mappings.length === 0 ? { ...categoriesOf(encoding.inEngine), offset } : null;
  }
  let filling: number | null = null;
  const steps: number[] = [];
  for (const { inEngine } of mappings) {
    // Filled first: the steps after it take what was missing as they take the rest.
    if (!inEngine || ('filling' in inEngine && steps.length > 0)) {
      return null;
    }
    if ('filling' in inEngine) {
      filling = inEngine.filling;
    } else {
      steps.push(inEngine.subtract, inEngine.divide);
    }
  }
  return { filling, steps: Float64Array.from(steps), offset };
}

function categoriesOf({ categories, hasUnseen }: { categories: readonly string[]; hasUnseen: boolean }) {
  const texts = categories.map((category) => Buffer.from(category));
  const categoryOffsets = new Int32Array(texts.length + 1);
  for (const [i, { length }] of texts.entries()) {
    categoryOffsets[i + 1] = categoryOffsets[i]! + length;
  }
  return { categoryBytes: Buffer.concat(texts), categoryOffsets, hasUnseen };
}

/**
 * Whether all numbers within a range become features, which fit into float32: the steps that the engine can do keep their order, or turn
 * it round. False also where that is not known.
 */
export function acceptsRange(
  { inEngine }: PreparedColumn,
  { minimum, maximum, hasMissing }: { minimum: number; maximum: number; hasMissing: boolean },
): boolean {
  if (!inEngine || !('steps' in inEngine)) {
    return false;
  }
  const { filling, steps } = inEngine;
  if (hasMissing && filling === null) {
    return false;
  }
  const extremes = [...(minimum <= maximum ? [minimum, maximum] : []), ...(hasMissing ? [filling!] : [])];
  return extremes.every((extreme) => {
    let value = extreme;
    for (let i = 0; i < steps.length; i += 2) {
      value = (value - steps[i]!) / steps[i + 1]!;
    }
    return Number.isFinite(Math.fround(value));
  });
}

/**
 * Writes the features of those columns that the engine can do, on a thread of its own, and answers which these are. None: there are few
 * rows; or a value cannot be used, which the steps will find and name.
 * @param target [rows, featureCount]; where the answer names columns, the features of others are zeros. Null: the values are only looked at
 */
export async function writeByEngine(
  { columns, featureCount }: FittedPipeline,
  chunks: readonly ColumnChunk[],
  rows: Int32Array,
  target: Float32Array | null,
): Promise<ReadonlySet<PreparedColumn>> {
  if (rows.length < rowsMin) {
    return new Set();
  }
  const given = new Map<PreparedColumn, FeatureColumn>();
  for (const [i, column] of columns.entries()) {
    const values = column.inEngine && valuesOf(column.inEngine, chunks[i]!);
    if (values) {
      given.set(column, values);
    }
  }
  if (given.size === 0) {
    return new Set();
  }
  const { writeFeatures } = await loadNative();
  const isWritten = await writeFeatures([...given.values()], rows, target, featureCount);
  return isWritten ? new Set(given.keys()) : new Set();
}

function valuesOf(column: EngineColumn, chunk: ColumnChunk): FeatureColumn | null {
  if ('steps' in column) {
    return chunk.kind === 'number' && chunk.width === 1
      ? { ...column, values: chunk.values, validity: chunk.validity }
      : null;
  }
  if (chunk.kind !== 'text' || !(chunk.offsets instanceof Int32Array)) {
    return null;
  }
  return { ...column, bytes: chunk.bytes, offsets: chunk.offsets, validity: chunk.validity };
}
