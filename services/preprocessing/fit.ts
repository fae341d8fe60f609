import {
  applySteps,
  type ColumnValues,
  everyRow,
  type FittedColumn,
  type FittedLabel,
  type FittedStep,
  gatherMissing,
  gatherValues,
  isByteMatrix,
  type PipelineDefinition,
  pipelineFormat,
  preparePipeline,
  UnsafeIntegerError,
} from '../pipeline/index.js';
import { ServiceError, Violations } from '../platform/errors.js';
import type { Column } from './column.js';
import { classesMax, className, invalidLabel, readLabels, TargetEncoder, where } from './label.js';
import {
  type ColumnSpec,
  categoriesMaxDefault,
  checkPipelineSpec,
  type LabelSpec,
  type PipelineSpec,
  type StepSpec,
} from './pipeline-spec.js';
import {
  assignSplits,
  checkSplit,
  countSplits,
  rowsInSplit,
  type SplitAssignment,
  type SplitName,
  type SplitSpec,
  splitNames,
} from './split.js';
import { countsOf, extremesOf, meanAndDeviation, meanOf, medianOf, type NumberBatches } from './statistics.js';
import type { StoredBatch, StoredTable } from './stored-table.js';
import { checkTransformable } from './tensors.js';

export interface Fit {
  definition: PipelineDefinition;
  rowCounts: Record<SplitName, number>;
}

/** Learns a pipeline from the training rows of a table. The same arguments give the same definition. */
export async function fitPipeline(
  spec: PipelineSpec,
  split: SplitSpec,
  table: StoredTable,
  signal: AbortSignal,
): Promise<Fit> {
  const violations = new Violations();
  checkPipelineSpec(spec, table.columns, violations, split.column);
  checkSplit(split, table.columns, violations);
  violations.throwIfAny();
  const assignment = await assignSplits(split, table);
  const columns: FittedColumn[] = [];
  for (const [i, column] of spec.columns.entries()) {
    columns.push(await new ColumnFit(table, assignment, column, `spec.columns[${i}]`, signal).run());
  }
  const label = await fitLabel(spec.label!, table, assignment, signal);
  const count = columns.reduce((sum, column) => sum + outputWidth(column), 0);
  const features = { count, ...storageOf(columns) };
  const definition: PipelineDefinition = { format: pipelineFormat, columns, label, features };
  await checkTransformable(preparePipeline(definition), table, assignment, signal);
  return { definition, rowCounts: countSplits(assignment) };
}

function outputWidth({ width, steps }: FittedColumn): number {
  const last = steps.at(-1);
  return last?.kind === 'oneHot' ? last.categories.length : (width ?? 1);
}

/** Bytes stay bytes; scale and offset are rounded to float32 here, so that everybody computes with the same numbers. */
function storageOf(columns: FittedColumn[]): Omit<PipelineDefinition['features'], 'count'> {
  if (!isByteMatrix(columns)) {
    return { type: 'float32', scale: 1, offset: 0 };
  }
  const [step] = columns[0]!.steps;
  if (step?.kind !== 'scale') {
    return { type: 'uint8', scale: 1, offset: 0 };
  }
  const { subtract, divide } = step;
  // 0 - x and not -x: minus zero would become another JSON text than zero.
  return { type: 'uint8', scale: Math.fround(1 / divide), offset: Math.fround(0 - subtract / divide) };
}

/** Fits the steps of one column, one after the other, each on what those before it make of the training rows. */
class ColumnFit {
  readonly #index: number;
  readonly #column: Column;
  readonly #fitted: FittedStep[] = [];

  constructor(
    private readonly table: StoredTable,
    private readonly assignment: SplitAssignment,
    private readonly spec: ColumnSpec,
    private readonly field: string,
    private readonly signal: AbortSignal,
  ) {
    this.#index = table.columns.findIndex(({ name }) => name === spec.column);
    this.#column = table.columns[this.#index]!;
  }

  async run(): Promise<FittedColumn> {
    if (!this.spec.steps.some(({ kind }) => kind === 'impute')) {
      await this.#refuseMissing();
    }
    for (const [k, step] of this.spec.steps.entries()) {
      this.#fitted.push(await this.#fitStep(step, `${this.field}.steps[${k}]`));
    }
    const { name, type, shape } = this.#column;
    const isText = type.kind === 'text' || type.kind === 'dictionary';
    return {
      column: name,
      type: isText ? 'text' : type.kind === 'boolean' ? 'boolean' : type.type,
      width: type.kind === 'list' ? type.width : null,
      shape,
      steps: this.#fitted,
    };
  }

  /** Of all splits: a row that cannot be transformed would be found only when it is asked for. */
  async #refuseMissing(): Promise<void> {
    for (const batch of this.table.batches) {
      if (batch.header.nodes.every(({ nullCount }) => nullCount === 0)) {
        continue;
      }
      const chunk = await this.table.readColumn(batch, this.#index);
      const row = gatherMissing(chunk.validity, everyRow(chunk.length))?.indexOf(1) ?? -1;
      if (row >= 0) {
        const place = where(this.#column.name, batch.firstRow + row);
        throw this.#refusal('steps', `Expected no missing value but ${place} has none. Add an impute step.`);
      }
    }
  }

  #refusal(field: string, message: string): ServiceError {
    return new ServiceError('INVALID_ARGUMENT', 'CANNOT_FIT', message, {
      fieldViolations: [{ field: `${this.field}.${field}`, description: message }],
    });
  }

  /** The training rows, batch by batch, after the steps fitted so far. */
  async *#trainingValues(): AsyncGenerator<ColumnValues> {
    for (const batch of this.table.batches) {
      this.signal.throwIfAborted();
      const rows = rowsInSplit(this.assignment, 'train', batch);
      if (rows.length > 0) {
        const values = await this.#gather(batch, rows);
        applySteps(values, this.#fitted);
        yield values;
      }
    }
  }

  async #gather(batch: StoredBatch, rows: Int32Array): Promise<ColumnValues> {
    try {
      return gatherValues(await this.table.readColumn(batch, this.#index), rows);
    } catch (error) {
      if (error instanceof UnsafeIntegerError) {
        const place = where(this.#column.name, batch.firstRow + error.row);
        throw this.#refusal('column', `Expected integers up to 2^53 but ${place} holds ${error.value}.`);
      }
      throw error;
    }
  }

  readonly #numbers: NumberBatches = () => this.#presentNumbers();

  async *#presentNumbers(): AsyncGenerator<Float64Array> {
    for await (const values of this.#presentValues()) {
      if (!(values instanceof Float64Array)) {
        throw new Error('numbers are asked of a column of text');
      }
      yield values;
    }
  }

  /** Values of the training rows that are not missing. */
  async *#presentValues(): AsyncGenerator<Float64Array | string[]> {
    for await (const column of this.#trainingValues()) {
      if (column.kind === 'texts') {
        yield column.values.filter((value) => value !== null);
      } else {
        const { values, missing } = column;
        const width = missing ? values.length / missing.length : 1;
        yield missing ? values.filter((_, i) => !missing[Math.floor(i / width)]) : values;
      }
    }
  }

  async #fitStep(step: StepSpec, field: string): Promise<FittedStep> {
    switch (step.kind) {
      case 'impute':
        return { kind: 'impute', value: await this.#fitImpute(step) };
      case 'scale': {
        const { minimum, maximum } = await this.#fitRange(step);
        if (minimum > maximum) {
          const message = `Expected \`${field}.scale\` to have a minimum below the maximum but they are ${minimum} and ${maximum} with the training split's.`;
          throw this.#refusal('steps', message);
        }
        // A constant column becomes 0: divided by 1, as there is nothing to divide by.
        return { kind: 'scale', subtract: minimum, divide: this.#finite(maximum - minimum) || 1 };
      }
      case 'standardise': {
        const { mean, deviation } = await meanAndDeviation(this.#numbers);
        return { kind: 'standardise', subtract: this.#finite(mean), divide: this.#finite(deviation) || 1 };
      }
      case 'oneHot':
        return {
          kind: 'oneHot',
          categories: await this.#fitCategories(step.categoriesMax ?? categoriesMaxDefault, field),
        };
      case null:
        throw new Error('a step without a kind passed the check');
    }
  }

  #finite(value: number): number {
    if (!Number.isFinite(value)) {
      const name = JSON.stringify(this.#column.name);
      throw this.#refusal(
        'column',
        `Expected column ${name} to hold values within the range of float64, but their spread is ${value}.`,
      );
    }
    return value;
  }

  async #fitRange({ minimum, maximum }: StepSpec & { kind: 'scale' }): Promise<{ minimum: number; maximum: number }> {
    if (minimum !== null && maximum !== null) {
      return { minimum, maximum };
    }
    const seen = await extremesOf(this.#numbers);
    return { minimum: minimum ?? seen.minimum, maximum: maximum ?? seen.maximum };
  }

  async #fitImpute({ strategy, number, text }: StepSpec & { kind: 'impute' }): Promise<number | string> {
    switch (strategy) {
      case 'constant':
        return (number ?? text)!;
      case 'mean':
        return this.#present(await meanOf(this.#numbers));
      case 'median':
        return this.#present(await medianOf(this.#numbers));
      default: {
        const counts = await countsOf(() => this.#presentValues(), Number.POSITIVE_INFINITY);
        const [most] = [...counts].sort(([a, countA], [b, countB]) => countB - countA || ascending(a, b));
        return this.#present(most?.[0] ?? null);
      }
    }
  }

  /** A statistic of no value at all fills nothing. */
  #present<T extends number | string>(value: T | null): T {
    if (value === null) {
      const message = `Expected column ${JSON.stringify(this.#column.name)} to have a value in the training split but all are missing.`;
      throw this.#refusal('steps', message);
    }
    return typeof value === 'number' ? (this.#finite(value) as T) : value;
  }

  async #fitCategories(categoriesMax: number, field: string): Promise<number[] | string[]> {
    const counts = await countsOf(() => this.#presentValues(), categoriesMax);
    if (counts.size > categoriesMax) {
      const message = `Expected column ${JSON.stringify(this.#column.name)} to have at most ${categoriesMax} categories, as \`${field}.one_hot.categories_max\` says, but it has more.`;
      throw this.#refusal('steps', message);
    }
    const categories = [...counts.keys()].sort(ascending);
    this.#present(categories[0] ?? null);
    return categories as number[] | string[];
  }
}

/** Numbers by size, texts by code unit. */
function ascending(a: number | string, b: number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function fitLabel(
  { column, kind }: LabelSpec,
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
      ? { column, kind }
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
