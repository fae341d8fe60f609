import { type ColumnChunk, edgesReached, isValid } from '../../pipeline/index.js';
import { HashIndex } from '../hash-index.js';
import { hashColumn } from '../row-hash.js';
import type { StoredTable } from '../stored-table.js';
import type { ColumnStatistics } from './column-statistics.js';
import { presentNumbers, toFloat64 } from './value-reader.js';

/** Values up to which each is a part of its own; numbers with more are cut into parts of equal size. */
const valuesMax = 1_000;

/** Gives each row the number of the part that it is in; null: the column cannot be cut into parts that mean something. */
export type Parts = (chunk: ColumnChunk) => Int32Array;

export function partsOf(table: StoredTable, column: ColumnStatistics, index: number): Parts | null {
  const { distinct, distinctIsExact, numbers, partLimits } = column;
  const { kind } = table.columns[index]!.type;
  if (kind === 'list' || kind === 'nested' || kind === 'struct' || kind === 'null' || distinct < 1) {
    return null;
  }
  if (distinctIsExact && distinct <= valuesMax && distinct * 2 <= table.rowCount) {
    const values = new HashIndex();
    return (chunk) => {
      const { low, high } = hashColumn(chunk);
      return Int32Array.from(low, (half, row) => values.add(half, high[row]!));
    };
  }
  return numbers && partLimits.length > 0 ? (chunk) => numberParts(chunk, partLimits) : null;
}

/** Missing values are a part of their own. */
function numberParts(chunk: ColumnChunk, limits: readonly number[]): Int32Array {
  const numbers = toFloat64(presentNumbers(chunk)!);
  const parts = new Int32Array(chunk.length).fill(limits.length + 1);
  for (let row = 0, i = 0; row < chunk.length; row++) {
    if (isValid(chunk.validity, row)) {
      parts[row] = edgesReached(numbers[i++]!, limits);
    }
  }
  return parts;
}
