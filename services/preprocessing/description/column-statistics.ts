import type { ColumnChunk } from '../../pipeline/index.js';
import type { Column } from '../column.js';
import { ColumnDigest } from '../column-digest.js';
import type { StoredTable } from '../stored-table.js';
import { NumberTally } from './number-tally.js';
import { HashTally, TextTally } from './text-tally.js';
import type { ValueCounts } from './value-counts.js';

/** What the values of one column are like. Of fixed-size lists: all their items. */
export interface ColumnStatistics {
  name: string;
  nullCount: number;
  /** Values that are there; of fixed-size lists the items. */
  count: number;
  distinct: number;
  /** False: estimated, with a standard error of 0.81 %. */
  distinctIsExact: boolean;
  /** Numbers, truth values (as 0 and 1), and times (in units since 1970). */
  numbers: NumberStatistics | null;
  /** Texts: Unicode characters. Bytes: bytes. */
  lengths: LengthStatistics | null;
  /** The most frequent first; counts are exact. Empty: no value stands more often than others of which there are too many. */
  topValues: TopValue[];
  /** Of the column's type and content, whatever its name. */
  digest: string;
  /** Of numbers with many values: limits that cut them into parts of about equal size. */
  partLimits: number[];
}

export interface NumberStatistics {
  minimum: number;
  maximum: number;
  mean: number;
  /** Population formula. */
  deviation: number;
  /** At `quantileFractions`. */
  quantiles: number[];
  histogram: { edges: number[]; counts: number[] };
}

export interface LengthStatistics {
  minimum: number;
  maximum: number;
  mean: number;
}

export interface TopValue {
  value: string;
  count: number;
}

/** What gathers a column's values, and may want to see them again. */
export interface ColumnTally {
  readonly counts: ValueCounts;
  add(chunk: ColumnChunk): void;
  /** @param again the column from its first row, each time it is called */
  finish(again: () => AsyncIterable<ColumnChunk>): Promise<Partial<ColumnStatistics>>;
}

/** Reads a column once, and once more where it has many distinct values. Memory does not grow with the rows. */
export async function describeColumn(
  table: StoredTable,
  index: number,
  signal: AbortSignal,
): Promise<ColumnStatistics> {
  const column = table.columns[index]!;
  const chunks = async function* () {
    for (const batch of table.batches) {
      signal.throwIfAborted();
      yield await table.readColumn(batch, index);
    }
  };
  const tally = tallyFor(column);
  const digest = new ColumnDigest({ ...column, name: '' });
  for await (const chunk of chunks()) {
    digest.update(chunk);
    tally.add(chunk);
  }
  const found = await tally.finish(chunks);
  return {
    name: column.name,
    nullCount: digest.nullCount,
    count: table.rowCount - digest.nullCount,
    distinct: tally.counts.distinct,
    distinctIsExact: tally.counts.isExact,
    numbers: null,
    lengths: null,
    topValues: [],
    digest: digest.finish(),
    partLimits: [],
    ...found,
  };
}

function tallyFor(column: Column): ColumnTally {
  switch (column.type.kind) {
    case 'number':
    case 'boolean':
    case 'list':
    case 'date':
    case 'timestamp':
      return new NumberTally(column);
    case 'text':
    case 'dictionary':
    case 'binary':
      return new TextTally();
    default:
      return new HashTally();
  }
}
