import { ascending, countsOf, type FittedLabel, meanAndDeviation } from '../pipeline/index.js';
import { classesMax, className, invalidLabel, type LabelValues, readLabels, TargetEncoder } from './label.js';
import type { LabelSpec } from './pipeline-spec.js';
import { rowsInSplit, type SplitAssignment, type SplitName, splitNames } from './split.js';
import type { StoredTable } from './stored-table.js';

/** Learns the label's classes from the training split, and that every row has a label that it can be trained or tested on. */
export async function fitLabel(
  { column, kind, standardise = false }: LabelSpec,
  table: StoredTable,
  assignment: SplitAssignment,
  signal: AbortSignal,
): Promise<FittedLabel> {
  const index = table.columns.findIndex(({ name }) => name === column);
  const isBoolean = table.columns[index]!.type.kind === 'boolean';
  const labels = async function* (split: SplitName) {
    for (const batch of table.batches) {
      signal.throwIfAborted();
      const rows = rowsInSplit(assignment, split, batch);
      if (rows.length > 0) {
        yield { values: readLabels(column, await table.readColumn(batch, index), rows, batch.firstRow), rows, batch };
      }
    }
  };
  const fitted: FittedLabel =
    kind === 'number'
      ? { column, kind, ...(standardise ? { standardise: await unitsOf(column, () => labels('train')) } : {}) }
      : { column, kind: kind!, classes: await classesOf(column, isBoolean, () => labels('train')) };
  if (fitted.kind === 'binary' && fitted.classes.length !== 2) {
    const { classes } = fitted;
    const message = `Expected column ${JSON.stringify(column)} to have two classes in the training split but it has ${classes.length}: ${classes.slice(0, 20).join(', ')}.`;
    throw invalidLabel(message);
  }
  const encoder = new TargetEncoder(fitted, isBoolean);
  for (const split of splitNames) {
    for await (const { values, rows, batch } of labels(split)) {
      encoder.encode(values, rows, batch.firstRow);
    }
  }
  return fitted;
}

async function classesOf(
  column: string,
  isBoolean: boolean,
  labels: () => AsyncIterable<{ values: Float64Array | readonly string[] }>,
): Promise<string[]> {
  const values = async function* () {
    for await (const batch of labels()) {
      yield batch.values;
    }
  };
  const counts = await countsOf(values, classesMax);
  if (counts.size > classesMax || counts.size < 2) {
    const received = counts.size > classesMax ? 'more' : `${counts.size}`;
    const message = `Expected column ${JSON.stringify(column)} to have 2 to ${classesMax} classes in the training split but it has ${received}.`;
    throw invalidLabel(message);
  }
  return [...counts.keys()].sort(ascending).map((value) => className(value, isBoolean));
}

/** A label that is constant is divided by 1. */
async function unitsOf(
  column: string,
  labels: () => AsyncIterable<{ values: LabelValues }>,
): Promise<{ subtract: number; divide: number }> {
  const { mean, deviation } = await meanAndDeviation(async function* () {
    for await (const { values } of labels()) {
      yield values as Float64Array;
    }
  });
  if (!Number.isFinite(mean) || !Number.isFinite(deviation)) {
    const message = `Expected column ${JSON.stringify(column)} to hold labels within the range of float64, but their spread is ${deviation}.`;
    throw invalidLabel(message);
  }
  return { subtract: mean, divide: deviation || 1 };
}
