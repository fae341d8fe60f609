import {
  type ColumnValues,
  definitionOf,
  everyRow,
  type FittedColumn,
  type FittedLabel,
  type FittedStep,
  gatherMissing,
  gatherValues,
  type MappingStep,
  prepareSteps,
  presentValues,
  type TrainingColumn,
  UnsafeIntegerError,
  UntransformableError,
} from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';
import type { Column, ColumnType } from './column.js';
import { readLabels, TargetEncoder, where } from './label.js';
import { type ColumnSpec, stepField } from './pipeline-spec.js';
import { rowsInSplit, type SplitAssignment } from './split.js';
import type { StoredBatch, StoredTable } from './stored-table.js';

/** The rows that are fitted on. */
export interface TrainingTable {
  table: StoredTable;
  assignment: SplitAssignment;
  label: FittedLabel;
  signal: AbortSignal;
}

/** Fits the steps of one column, one after the other, each on what those before it make of the training rows. */
export class ColumnFit {
  readonly #index: number;
  readonly #column: Column;
  readonly #steps: FittedStep[] = [];

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

  async run(): Promise<FittedColumn> {
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
      type: fittedType(type),
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
    const { mappings, output: input } = prepareSteps(this.#fitted());
    const { name } = this.#column;
    const field = stepField(this.place, k, this.spec.steps[k]!);
    const refusal = (setting: string, message: string) => {
      const within = field.slice(`spec.columns[${this.place}]`.length);
      return this.#refusal(setting ? `${within}.${setting}` : within, message);
    };
    const present = () => this.#present(mappings);
    return {
      name,
      field,
      label: this.training.label,
      input,
      present,
      numbers: present as TrainingColumn['numbers'],
      texts: present as TrainingColumn['texts'],
      labelled: () => this.#labelled(mappings),
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

  async *#present(mappings: readonly MappingStep[]): AsyncGenerator<Float64Array | string[]> {
    for await (const { values } of this.#trainingRows(mappings)) {
      yield presentValues(values);
    }
  }

  async *#labelled(mappings: readonly MappingStep[]) {
    const { table, label } = this.training;
    const index = table.columns.findIndex(({ name }) => name === label.column);
    const targets = new TargetEncoder(label, table.columns[index]!.type.kind === 'boolean');
    for await (const { values, rows, batch } of this.#trainingRows(mappings)) {
      const labels = readLabels(label.column, await table.readColumn(batch, index), rows, batch.firstRow);
      yield { values, targets: targets.encode(labels, rows, batch.firstRow), rows: numbersOf(rows, batch) };
    }
  }

  async *#trainingRows(
    mappings: readonly MappingStep[],
  ): AsyncGenerator<{ values: ColumnValues; rows: Int32Array; batch: StoredBatch }> {
    const { table, assignment, signal } = this.training;
    for (const batch of table.batches) {
      signal.throwIfAborted();
      const rows = rowsInSplit(assignment, 'train', batch);
      if (rows.length > 0) {
        let values = await this.#gather(batch, rows);
        for (const mapping of mappings) {
          values = this.#apply(mapping, values, rows, batch);
        }
        yield { values, rows, batch };
      }
    }
  }

  #apply(mapping: MappingStep, values: ColumnValues, rows: Int32Array, batch: StoredBatch): ColumnValues {
    try {
      return mapping.apply(values, numbersOf(rows, batch));
    } catch (error) {
      if (error instanceof UntransformableError) {
        const place = where(this.#column.name, batch.firstRow + rows[error.row]!);
        throw this.#refusal('.steps', `Expected ${place} to be ${error.expected}.`);
      }
      throw error;
    }
  }

  async #gather(batch: StoredBatch, rows: Int32Array): Promise<ColumnValues> {
    try {
      return gatherValues(await this.training.table.readColumn(batch, this.#index), rows);
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
  return rows.map((row) => firstRow + row);
}

function fittedType(type: ColumnType): FittedColumn['type'] {
  switch (type.kind) {
    case 'text':
    case 'dictionary':
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'date':
    case 'timestamp':
      return 'time';
    case 'number':
    case 'list':
      return type.type;
    default:
      throw new Error(`a column of kind ${type.kind} passed the check`);
  }
}
