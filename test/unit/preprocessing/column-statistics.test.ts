import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ColumnStatistics,
  describeColumn,
} from '../../../services/preprocessing/description/column-statistics.js';
import { openTable, type TableContent, type Values } from './table.js';

interface Expected {
  nullCount: number;
  count: number;
  distinct: number;
  topCounts: number[];
  numbers?: NonNullable<ColumnStatistics['numbers']>;
  lengths?: ColumnStatistics['lengths'];
}
interface Golden {
  tables: Record<string, Record<string, { type: TableContent[string][0]; values: Values; statistics: Expected }>>;
  spread: { rows: number; distinct: number; statistics: Expected };
}
const golden = JSON.parse(readFileSync('test/golden/description.json', 'utf8')) as Golden;
const never = new AbortController().signal;

async function describeTable(content: TableContent, batchRows?: number): Promise<ColumnStatistics[]> {
  const table = await openTable(content, batchRows);
  try {
    const found = [];
    for (const index of table.columns.keys()) {
      found.push(await describeColumn(table, index, never));
    }
    return found;
  } finally {
    await table.close();
  }
}

async function describeValues(type: TableContent[string][0], values: Values, batchRows?: number) {
  return (await describeTable({ x: [type, values] }, batchRows))[0]!;
}

/** Sums are taken in another order, so that the last digits of mean and deviation may differ; nothing else may. */
function expectAsPandas(found: ColumnStatistics, expected: Expected): void {
  expect(found.nullCount).toBe(expected.nullCount);
  expect(found.count).toBe(expected.count);
  expect(found.topValues.map(({ count }) => count)).toEqual(expected.topCounts);
  if (expected.lengths) {
    expect(found.lengths).toEqual({ ...expected.lengths, mean: expect.closeTo(expected.lengths.mean, 10) });
  }
  if (expected.numbers) {
    const { mean, deviation, ...exact } = found.numbers!;
    expect(exact).toEqual({
      minimum: expected.numbers.minimum,
      maximum: expected.numbers.maximum,
      quantiles: expected.numbers.quantiles,
      histogram: expected.numbers.histogram,
    });
    expect(Math.abs(mean / expected.numbers.mean - 1)).toBeLessThan(1e-13);
    expect(Math.abs(deviation / expected.numbers.deviation - 1)).toBeLessThan(1e-12);
  }
}

describe('describeColumn', () => {
  it.each(Object.entries(golden.tables))('says of %s what pandas and numpy say', async (_, columns) => {
    const content = Object.fromEntries(
      Object.entries(columns).map(([name, { type, values }]) => [name, [type, values]]),
    ) as TableContent;
    const found = await describeTable(content, 100);
    for (const [i, { statistics }] of Object.values(columns).entries()) {
      expectAsPandas(found[i]!, statistics);
      expect(found[i]).toMatchObject({ distinct: statistics.distinct, distinctIsExact: true });
    }
  });

  it('says what numpy says of more distinct values than it counts, and estimates their number', async () => {
    const { rows, distinct, statistics } = golden.spread;
    const values = Array.from({ length: rows }, (_, i) => (i % 50 === 0 ? 12.5 : (((i * 7919) % 200_003) - 1_000) / 7));
    const found = await describeValues('float64', values, 30_000);
    expectAsPandas(found, { ...statistics, topCounts: [4_000] });
    expect(found.topValues).toEqual([{ value: '12.5', count: 4_000 }]);
    expect(found.distinctIsExact).toBe(false);
    // Five standard errors.
    expect(Math.abs(found.distinct / distinct - 1)).toBeLessThan(0.041);
  });

  it('finds frequent texts among more than it counts', async () => {
    const values = Array.from({ length: 150_000 }, (_, i) => (i % 100 === 3 ? 'häufig' : `selten ${i}`));
    const found = await describeValues('text', values, 20_000);
    expect(found.topValues).toEqual([{ value: 'häufig', count: 1_500 }]);
    expect(found.lengths).toMatchObject({ minimum: 6, maximum: 13 });
    expect(Math.abs(found.distinct / 148_501 - 1)).toBeLessThan(0.041);
  });

  it('does not depend on how the rows are cut, and gives quantiles and moments as defined', async () => {
    const numbers = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -9, max: 9 }));
    const property = fc.asyncProperty(
      fc.array(fc.option(numbers), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 90 }),
      async (values, batchRows) => {
        const found = await describeValues('float64', values, batchRows);
        const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
        expect(found.nullCount).toBe(values.length - sorted.length);
        expect(found.distinct).toBe(new Set(sorted.map((value) => value + 0)).size);
        if (sorted.length === 0) {
          expect(found.numbers).toBeNull();
          return;
        }
        const { minimum, maximum, mean, deviation, quantiles, histogram } = found.numbers!;
        expect([minimum + 0, maximum + 0]).toEqual([sorted[0]! + 0, sorted.at(-1)! + 0]);
        expect(deviation).toBeGreaterThanOrEqual(0);
        expect(mean).toBeGreaterThanOrEqual(minimum);
        expect(mean).toBeLessThanOrEqual(maximum);
        expect(quantiles).toEqual(quantiles.toSorted((a, b) => a - b));
        expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(sorted.length);
      },
    );
    // A range so small that float64 cannot divide it into bins.
    const smallest: [number[], number] = [[0, -5e-324], 1];
    const largest = Number.MAX_VALUE;
    // Differences, means and squares beyond float64, in one batch and between batches.
    const large: [number[], number][] = [
      [[2.9e293, -largest, 0], 3],
      [[largest, -largest, largest, 5], 1],
      [[0, 1e300], 2],
    ];
    await fc.assert(property, { numRuns: 60, examples: [smallest, ...large] });
  });

  it('keeps integers that float64 does not hold apart, and shows them in full', async () => {
    const large = 2n ** 53n;
    const found = await describeValues('int64', [large, large + 1n, large + 1n, -large - 3n, null]);
    expect(found).toMatchObject({ distinct: 3, nullCount: 1 });
    expect(found.topValues).toEqual([
      { value: '9007199254740993', count: 2 },
      { value: '-9007199254740995', count: 1 },
      { value: '9007199254740992', count: 1 },
    ]);
  });

  it('does not lose a small spread beside a large mean', async () => {
    const values = Array.from({ length: 3_000 }, (_, i) => 1e9 + (i % 3));
    const found = await describeValues('float64', values, 7);
    expect(found.numbers!.deviation).toBeCloseTo(Math.sqrt(2 / 3), 10);
  });

  it('describes what spans all of float64', async () => {
    const found = await describeValues('float64', [-1.7e308, 1.7e308, 1.7e308]);
    expect(found.numbers).toMatchObject({ mean: expect.closeTo(5.666e307, -305), histogram: { counts: [3] } });
  });

  it('describes truth values, and a column of which every value is missing', async () => {
    const found = await describeValues('boolean', [true, null, false, true]);
    expect(found).toMatchObject({ nullCount: 1, distinct: 2, numbers: { minimum: 0, maximum: 1 } });
    expect(found.numbers!.mean).toBeCloseTo(2 / 3, 15);
    expect(found.topValues).toEqual([
      { value: 'true', count: 2 },
      { value: 'false', count: 1 },
    ]);
    expect(await describeValues('text', [null, null])).toMatchObject({
      count: 0,
      distinct: 0,
      topValues: [],
      lengths: null,
    });
  });

  it('describes times in their unit, and writes them as people do', async () => {
    const day = 86_400_000n;
    const found = await describeValues('time', [0n, day, day, null, -1n]);
    expect(found).toMatchObject({ nullCount: 1, distinct: 3, numbers: { minimum: -1, maximum: 86_400_000 } });
    expect(found.topValues).toEqual([
      { value: '1970-01-02T00:00:00.000', count: 2 },
      { value: '1969-12-31T23:59:59.999', count: 1 },
      { value: '1970-01-01T00:00:00.000', count: 1 },
    ]);
  });

  it('stops when it is told to', async () => {
    const table = await openTable({ x: ['int64', [1, 2]] });
    await expect(describeColumn(table, 0, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await table.close();
  });
});
