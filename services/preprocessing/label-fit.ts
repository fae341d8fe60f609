import { ascending, countsOf, type FittedLabel, type FittedLabels, momentsOf } from '../pipeline/index.js';
import { classesMax, className, invalidLabel, type LabelValues, readLabels } from './label.js';
import { readLabelSets } from './label-sets.js';
import type { LabelSpec } from './pipeline-spec.js';
import { rowsInSplit, type SplitAssignment, splitNames } from './split.js';
import type { StoredBatch, StoredTable } from './stored-table.js';
import { TargetReader } from './target-reader.js';
import { workAhead } from './work-ahead.js';

/** Read while the labels before them are looked at. */
const batchesAhead = 2;

/** Kinds whose every label in the training split was seen when its classes were found. */
const countedKinds: readonly FittedLabel['kind'][] = ['classes', 'binary'];

/** Learns the label's classes from the training split, and that every row has a label that it can be trained or tested on. */
export async function fitLabel(
  spec: LabelSpec,
  table: StoredTable,
  assignment: SplitAssignment,
  signal: AbortSignal,
): Promise<FittedLabel> {
  const fitted = await fitOn(spec, new TrainingLabels(table, assignment, signal));
  const reader = new TargetReader(fitted, table);
  for (const split of splitNames) {
    if (split === 'train' && countedKinds.includes(fitted.kind)) {
      continue;
    }
    for (const batch of table.batches) {
      signal.throwIfAborted();
      const rows = rowsInSplit(assignment, split, batch);
      if (rows.length > 0) {
        (await reader.read(batch))(rows);
      }
    }
  }
  return fitted;
}

async function fitOn(spec: LabelSpec, training: TrainingLabels): Promise<FittedLabel> {
  const { column, columns = [], kind, standardise = false } = spec;
  if (kind === 'labels') {
    return fitLabels(spec, training);
  }
  if (kind === 'number') {
    return { column, kind, ...(standardise ? { standardise: await unitsOf(column, training) } : {}) };
  }
  if (kind === 'numbers') {
    if (!standardise) {
      return { kind, columns };
    }
    const units = [];
    for (const one of columns) {
      units.push(await unitsOf(one, training));
    }
    return { kind, columns, standardise: units };
  }
  const classes = await classesOf(column, training);
  if (kind === 'binary' && classes.length !== 2) {
    const message = `Expected column ${JSON.stringify(column)} to have two classes in the training split but it has ${classes.length}: ${classes.slice(0, 20).join(', ')}.`;
    throw invalidLabel(message);
  }
  return { column, kind: kind!, classes };
}

/** The labels of the training split, batch by batch. */
class TrainingLabels {
  constructor(
    private readonly table: StoredTable,
    private readonly assignment: SplitAssignment,
    private readonly signal: AbortSignal,
  ) {}

  isBoolean(column: string): boolean {
    return this.table.columns[this.#index(column)]!.type.kind === 'boolean';
  }

  async *single(column: string): AsyncGenerator<LabelValues> {
    for await (const { chunk, rows, firstRow } of this.#chunks(column)) {
      yield readLabels(column, chunk, rows, firstRow);
    }
  }

  async *sets(column: string, separator?: string): AsyncGenerator<readonly string[][]> {
    for await (const { chunk, rows, firstRow } of this.#chunks(column)) {
      yield readLabelSets(chunk, separator, rows, { column, firstRow });
    }
  }

  async *#chunks(column: string) {
    const index = this.#index(column);
    const read = async (batch: StoredBatch) => {
      const rows = rowsInSplit(this.assignment, 'train', batch);
      return rows.length > 0
        ? { chunk: await this.table.readColumn(batch, index), rows, firstRow: batch.firstRow }
        : null;
    };
    for await (const some of workAhead(this.table.batches, batchesAhead, read)) {
      this.signal.throwIfAborted();
      if (some) {
        yield some;
      }
    }
  }

  #index(column: string): number {
    return this.table.columns.findIndex(({ name }) => name === column);
  }
}

/** Columns of truth values are classes by themselves; else those that any row of the training split has. */
async function fitLabels(
  { column, columns = [], separator }: LabelSpec,
  training: TrainingLabels,
): Promise<FittedLabels> {
  if (columns.length > 0) {
    return { kind: 'labels', columns, classes: columns };
  }
  const found = new Set<string>();
  for await (const sets of training.sets(column, separator)) {
    for (const name of sets.flat()) {
      found.add(name);
    }
    if (found.size > classesMax) {
      break;
    }
  }
  if (found.size < 1 || found.size > classesMax) {
    const received = found.size > classesMax ? 'more' : 'none';
    const message = `Expected column ${JSON.stringify(column)} to have 1 to ${classesMax} classes in the training split but it has ${received}.`;
    throw invalidLabel(message);
  }
  const classes = [...found].sort(ascending);
  return { kind: 'labels', columns: [column], classes, ...(separator === undefined ? {} : { separator }) };
}

async function classesOf(column: string, training: TrainingLabels): Promise<string[]> {
  const counts = await countsOf(() => training.single(column), classesMax);
  if (counts.size > classesMax || counts.size < 2) {
    const received = counts.size > classesMax ? 'more' : `${counts.size}`;
    const message = `Expected column ${JSON.stringify(column)} to have 2 to ${classesMax} classes in the training split but it has ${received}.`;
    throw invalidLabel(message);
  }
  const isBoolean = training.isBoolean(column);
  return [...counts.keys()].sort(ascending).map((value) => className(value, isBoolean));
}

/** A label that is constant is divided by 1. */
async function unitsOf(column: string, training: TrainingLabels): Promise<{ subtract: number; divide: number }> {
  const { mean, deviation } = await momentsOf(training.single(column) as AsyncIterable<Float64Array>);
  if (!Number.isFinite(mean) || !Number.isFinite(deviation)) {
    const message = `Expected column ${JSON.stringify(column)} to hold labels within the range of float64, but their spread is ${deviation}.`;
    throw invalidLabel(message);
  }
  return { subtract: mean, divide: deviation || 1 };
}
