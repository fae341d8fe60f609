import {
  type ColumnChunk,
  type ColumnValues,
  countsOf,
  countTexts,
  type DecodingStep,
  decodeChunk,
  definitionOf,
  everyRow,
  type FittedColumn,
  type FittedLabel,
  type FittedStep,
  filesAtOnce,
  gatherMissing,
  gatherValues,
  isCrossFitted,
  type MappingStep,
  momentsOf,
  type NumberMoments,
  numberValues,
  prepareSteps,
  presentValues,
  type TextChunk,
  type TrainingColumn,
  toNumbers,
  UnsafeIntegerError,
  UntransformableError,
  UnusableValueError,
  ValueCounts,
} from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';
import { type Column, fittedType } from './column.js';
import { where } from './label.js';
import { type ColumnSpec, stepField } from './pipeline-spec.js';
import type { StoredBatch, StoredTable } from './stored-table.js';
import { TargetReader } from './target-reader.js';
import type { TrainingBatches } from './training-batches.js';

/** What is known of the numbers of a column. */
export interface StoredMoments {
  minimum: number;
  maximum: number;
  hasMissing: boolean;
}

type ReadingSteps = Pick<ReturnType<typeof prepareSteps>, 'decoding' | 'mappings'>;

/** The rows that are fitted on. */
export interface TrainingTable {
  table: StoredTable;
  batches: TrainingBatches;
  label: FittedLabel;
  signal: AbortSignal;
}

/** Fits the steps of one column, one after the other, each on what those before it make of the training rows. */
export class ColumnFit {
  readonly #index: number;
  readonly #column: Column;
  readonly #steps: FittedStep[] = [];
  /** Of the numbers before the step at place `before`, and how many are missing. */
  #known: { before: number; moments: NumberMoments; missing: number } | null = null;
  #stored: StoredMoments | null = null;

  /** @param place of the column in the spec */
  constructor(
    private readonly training: TrainingTable,
    private readonly spec: ColumnSpec,
    private readonly place: number,
  ) {
    const { columns } = training.table;
    this.#index = columns.findIndex(({ name }) => name === spec.column);
    this.#column = columns[this.#index]!;
  }

  /** Of the numbers of the training rows as they are stored; null: no step has asked for them. */
  get stored(): StoredMoments | null {
    return this.#stored;
  }

  async run(): Promise<FittedColumn> {
    try {
      return await this.#run();
    } finally {
      this.training.batches.leave(this.#index);
    }
  }

  async #run(): Promise<FittedColumn> {
    if (!this.spec.steps.some(({ kind }) => kind === 'impute')) {
      await this.#refuseMissing();
    }
    for (const [k, step] of this.spec.steps.entries()) {
      if (step.kind === null) {
        throw new Error('a step without a kind passed the check');
      }
      this.#steps.push(await definitionOf(step).fit(step, this.#trainingColumn(k)));
    }
    return this.#fitted();
  }

  #fitted(): FittedColumn {
    const { name, type, shape } = this.#column;
    return {
      column: name,
      type: fittedType(type)!,
      width: type.kind === 'list' ? type.width : null,
      shape,
      steps: this.#steps,
    };
  }

  /** Of all splits: a row that cannot be transformed would be found only when it is asked for. */
  async #refuseMissing(): Promise<void> {
    const { table } = this.training;
    for (const batch of table.batches) {
      if (batch.header.nodes.every(({ nullCount }) => nullCount === 0)) {
        continue;
      }
      const chunk = await table.readColumn(batch, this.#index);
      const row = gatherMissing(chunk.validity, everyRow(chunk.length))?.indexOf(1) ?? -1;
      if (row >= 0) {
        const place = where(this.#column.name, batch.firstRow + row);
        throw this.#refusal('.steps', `Expected no missing value but ${place} has none. Add an impute step.`);
      }
    }
  }

  /** @param field under that of the column */
  #refusal(field: string, message: string): ServiceError {
    return new ServiceError('INVALID_ARGUMENT', 'CANNOT_FIT', message, {
      fieldViolations: [{ field: `spec.columns[${this.place}]${field}`, description: message }],
    });
  }

  /** What the step at place `k` is fitted on: the steps before it are fitted already. */
  #trainingColumn(k: number): TrainingColumn {
    const prepared = prepareSteps(this.#fitted());
    const { name } = this.#column;
    const field = stepField(this.place, k, this.spec.steps[k]!);
    const refusal = (setting: string, message: string) => {
      const within = field.slice(`spec.columns[${this.place}]`.length);
      return this.#refusal(setting ? `${within}.${setting}` : within, message);
    };
    const present = () => this.#present(prepared);
    return {
      name,
      field,
      label: this.training.label,
      input: prepared.output,
      present,
      counts: (distinctMax) => this.#counts(prepared, distinctMax),
      moments: () => this.#moments(k, prepared),
      numbers: present as TrainingColumn['numbers'],
      texts: present as TrainingColumn['texts'],
      labelled: () => this.#labelled(prepared),
      refusal,
      usable: <T extends number | string>(statistic: T | null): T => {
        if (statistic === null) {
          const message = `Expected column ${JSON.stringify(name)} to have a value in the training split but all are missing.`;
          throw refusal('', message);
        }
        if (typeof statistic === 'number' && !Number.isFinite(statistic)) {
          const message = `Expected column ${JSON.stringify(name)} to hold values within the range of float64, but their spread is ${statistic}.`;
          throw this.#refusal('.column', message);
        }
        return statistic;
      },
    };
  }

  async *#present(steps: ReadingSteps): AsyncGenerator<Float64Array | string[]> {
    for await (const { values } of this.#trainingRows(steps)) {
      yield presentValues(values);
    }
  }

  /** Those of numbers among which one value was filled in follow from those before it. */
  async #moments(k: number, steps: ReadingSteps): Promise<NumberMoments> {
    const known = this.#known;
    const last = this.#steps[k - 1];
    if (known?.before === k - 1 && last?.kind === 'impute' && typeof last.value === 'number') {
      const moments = known.moments.with(last.value, known.missing);
      this.#known = { before: k, moments, missing: 0 };
      return moments;
    }
    let missing = 0;
    const numbers = async function* (rows: AsyncIterable<{ values: ColumnValues }>) {
      for await (const { values } of rows) {
        const present = presentValues(values) as Float64Array;
        missing += values.values.length - present.length;
        yield present;
      }
    };
    const moments = await momentsOf(numbers(this.#trainingRows(steps)));
    this.#known = { before: k, moments, missing };
    if (k === 0) {
      this.#stored = { minimum: moments.minimum, maximum: moments.maximum, hasMissing: missing > 0 };
    }
    return moments;
  }

  async #counts(steps: ReadingSteps, distinctMax: number): Promise<Map<number | string, number>> {
    const counts = new ValueCounts(distinctMax);
    const isAsStored = steps.decoding === null && steps.mappings.length === 0;
    if (isAsStored && this.#column.type.kind === 'text') {
      for await (const { chunk, rows } of this.training.batches.read(this.#index)) {
        this.training.signal.throwIfAborted();
        if (!counts.addAll(await countTexts(chunk as TextChunk, rows))) {
          break;
        }
      }
      return counts.found();
    }
    return countsOf(() => this.#present(steps), distinctMax);
  }

  async *#labelled(steps: ReadingSteps) {
    const { table, label } = this.training;
    const reader = new TargetReader(label, table);
    for await (const { values, rows, batch } of this.#trainingRows(steps)) {
      const targetsOf = await reader.read(batch);
      yield { values, targets: targetsOf(rows), rows: numbersOf(rows, batch) };
    }
  }

  async *#trainingRows({
    decoding,
    mappings,
  }: ReadingSteps): AsyncGenerator<{ values: ColumnValues; rows: Int32Array; batch: StoredBatch }> {
    const { batches, signal } = this.training;
    const needsNumbers = isCrossFitted({ columns: [{ steps: this.#steps }] });
    for await (const { batch, chunk, rows } of batches.read(this.#index)) {
      signal.throwIfAborted();
      // A batch of small files may decode to many times its size.
      const rowsMax = decoding ? filesAtOnce(decoding, mappings) : rows.length;
      for (let from = 0; from < rows.length; from += rowsMax) {
        signal.throwIfAborted();
        const part = rows.subarray(from, from + rowsMax);
        let values = decoding ? await this.#decode(decoding, chunk, part, batch) : this.#gather(chunk, part, batch);
        const numbers = needsNumbers ? numbersOf(part, batch) : null;
        for (const mapping of mappings) {
          values = this.#apply(mapping, values, part, numbers, batch);
        }
        yield { values, rows: part, batch };
      }
    }
  }

  #apply(
    mapping: MappingStep,
    values: ColumnValues,
    rows: Int32Array,
    numbers: Int32Array | null,
    batch: StoredBatch,
  ): ColumnValues {
    try {
      return mapping.apply(values, numbers);
    } catch (error) {
      if (error instanceof UntransformableError) {
        const place = where(this.#column.name, batch.firstRow + rows[error.row]!);
        throw this.#refusal('.steps', `Expected ${place} to be ${error.expected}.`);
      }
      throw error;
    }
  }

  async #decode(
    decoding: DecodingStep,
    chunk: ColumnChunk,
    rows: Int32Array,
    batch: StoredBatch,
  ): Promise<ColumnValues> {
    try {
      return toNumbers(decoding, await decodeChunk(this.#column.name, decoding, chunk, rows));
    } catch (error) {
      if (error instanceof UnusableValueError) {
        const place = where(this.#column.name, batch.firstRow + rows[error.row]!);
        throw this.#refusal('.steps', `The step cannot be fitted: ${place} is ${error.problem}.`);
      }
      throw error;
    }
  }

  #gather(chunk: ColumnChunk, rows: Int32Array, batch: StoredBatch): ColumnValues {
    // What was just read from the file is nobody else's: the steps may change it.
    if (chunk.kind === 'number' && chunk.values instanceof Float64Array && rows.length === chunk.length) {
      return numberValues(chunk.values, chunk.width, gatherMissing(chunk.validity, rows));
    }
    try {
      return gatherValues(chunk, rows);
    } catch (error) {
      if (error instanceof UnsafeIntegerError) {
        const place = where(this.#column.name, batch.firstRow + error.row);
        throw this.#refusal('.column', `Expected integers up to 2^53 but ${place} holds ${error.value}.`);
      }
      throw error;
    }
  }
}

/** Numbers in the table of rows of a batch. */
export function numbersOf(rows: Int32Array, { firstRow }: { firstRow: number }): Int32Array {
  const numbers = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    numbers[i] = firstRow + rows[i]!;
  }
  return numbers;
}
