import { type ColumnChunk, firstMissing, gatherValues, UnsafeIntegerError } from '../pipeline/index.js';
import { quote, ServiceError, type Violations } from '../platform/errors.js';
import { type Column, typeName } from './column.js';
import { where } from './label.js';
import type { PipelineSpec } from './pipeline-spec.js';
import { findColumn, rowsInSplit, type SplitAssignment, splitNames } from './split.js';
import type { StoredBatch, StoredTable } from './stored-table.js';

const field = 'sample_weight';

/** Notes a column that cannot weight rows. @param name empty: rows have no weights */
export function checkWeightColumn(
  name: string,
  { columns: features, label }: PipelineSpec,
  columns: readonly Column[],
  violations: Violations,
): void {
  if (name === '') {
    return;
  }
  const found = findColumn(name, field, columns, violations);
  if (found && found.type.kind !== 'number' && found.type.kind !== 'boolean') {
    const message = `Expected \`${field}\` to be a column of numbers but ${quote(name)} is ${typeName(found.type)}.`;
    violations.add(field, message);
  }
  const isFeature = features.some(({ column }) => column === name);
  if (isFeature || (label && [label.column, ...(label.columns ?? [])].includes(name))) {
    const what = isFeature ? 'a feature column' : 'the label';
    violations.add(field, `Expected \`${field}\` to be neither feature nor label but ${quote(name)} is ${what}.`);
  }
}

/** Reads the weights of rows. */
export class WeightReader {
  readonly #index: number;

  constructor(
    private readonly name: string,
    private readonly table: StoredTable,
  ) {
    this.#index = table.columns.findIndex((column) => column.name === name);
  }

  /** Of a batch, for any of its rows: float32 [rows]. @throws ServiceError for one that is missing, negative or beyond float32 */
  async read(batch: StoredBatch): Promise<(rows: Int32Array) => Float32Array> {
    const chunk = await this.table.readColumn(batch, this.#index);
    return (rows) => this.#weights(chunk, rows, batch.firstRow);
  }

  #weights(chunk: ColumnChunk, rows: Int32Array, firstRow: number): Float32Array {
    const gathered = this.#gather(chunk, rows, firstRow);
    const placeOf = (i: number) => where(this.name, firstRow + rows[i]!);
    const missing = firstMissing(gathered);
    if (missing >= 0) {
      throw invalidWeight(`Expected every row to have a weight but ${placeOf(missing)} has none.`);
    }
    const weights = Float32Array.from(gathered.values as Float64Array);
    const wrong = weights.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
    if (wrong >= 0) {
      const held = gathered.values[wrong];
      throw invalidWeight(`Expected weights to be numbers from 0 to 3.4e38 but ${placeOf(wrong)} holds ${held}.`);
    }
    return weights;
  }

  #gather(chunk: ColumnChunk, rows: Int32Array, firstRow: number) {
    try {
      return gatherValues(chunk, rows);
    } catch (error) {
      throw error instanceof UnsafeIntegerError
        ? invalidWeight(
            `Expected weights up to 2^53 but ${where(this.name, firstRow + error.row)} holds ${error.value}.`,
          )
        : error;
    }
  }
}

/** Refuses weights that cannot be used, and a split whose rows all have none: what it comes to would be 0 / 0. */
export async function checkWeights(
  name: string,
  table: StoredTable,
  assignment: SplitAssignment,
  signal: AbortSignal,
): Promise<void> {
  const reader = new WeightReader(name, table);
  const [rowCounts, sums] = [splitNames.map(() => 0), splitNames.map(() => 0)];
  for (const batch of table.batches) {
    signal.throwIfAborted();
    const weightsOf = await reader.read(batch);
    for (const [k, split] of splitNames.entries()) {
      const weights = weightsOf(rowsInSplit(assignment, split, batch));
      rowCounts[k]! += weights.length;
      sums[k]! += weights.reduce((sum, weight) => sum + weight, 0);
    }
  }
  for (const [k, split] of splitNames.entries()) {
    if (rowCounts[k]! > 0 && sums[k] === 0) {
      const message = `Expected a row of the ${split} split with a weight above 0 but all ${rowCounts[k]} have 0 in column ${quote(name)}.`;
      throw invalidWeight(message);
    }
  }
}

function invalidWeight(message: string): ServiceError {
  return new ServiceError('INVALID_ARGUMENT', 'INVALID_SAMPLE_WEIGHT', message, {
    fieldViolations: [{ field, description: message }],
  });
}
