import { type ColumnChunk, isValid } from '../../pipeline/index.js';
import { hashColumn } from '../row-hash.js';
import type { ColumnStatistics, ColumnTally } from './column-statistics.js';
import { ValueCounts } from './value-counts.js';

/** Counts the distinct values of a column that is neither numbers nor text. */
export class ValueTally implements ColumnTally {
  readonly counts = new ValueCounts();

  add(chunk: ColumnChunk): void {
    const hashes = hashColumn(chunk);
    for (let row = 0; row < chunk.length; row++) {
      if (isValid(chunk.validity, row)) {
        this.counts.add(hashes.low[row]!, hashes.high[row]!, 1);
      }
    }
  }

  async finish(): Promise<Partial<ColumnStatistics>> {
    return {};
  }
}
