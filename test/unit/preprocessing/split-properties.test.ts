import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SplitSpec, wholeSplit } from '../../../services/preprocessing/split.js';
import { assignSplits } from '../../../services/preprocessing/split-assignment.js';
import { openTable, type TableContent } from './table.js';

const runs = { numRuns: 40 };
const seed = fc.integer({ min: 0, max: 2 ** 53 - 1 });
/** Fractions that leave rows for training unless there are so few that the others, rounded, are all of them. Some are zero. */
const fractions = fc
  .tuple(fc.integer({ min: 0, max: 45 }), fc.integer({ min: 0, max: 45 }))
  .map(([a, b]) => ({ validationFraction: a / 100, testFraction: b / 100 }));
/** Of 6 rows or 10, those leave none for training. */
const none = { validationFraction: 0.45, testFraction: 0.45 };

async function assign(spec: Partial<SplitSpec>, content: TableContent, batchRows?: number): Promise<number[]> {
  const table = await openTable(content, batchRows);
  try {
    return [...(await assignSplits({ ...wholeSplit, ...spec }, table))];
  } finally {
    await table.close();
  }
}

/** Rows in train, validation and test. */
const countsOf = (splits: readonly number[]) => [0, 1, 2].map((split) => splits.filter((one) => one === split).length);

function expectedCounts(rows: number, spec: Pick<SplitSpec, 'validationFraction' | 'testFraction'>): number[] {
  const test = Math.round(rows * spec.testFraction);
  const validation = Math.round(rows * spec.validationFraction);
  return [rows - test - validation, validation, test];
}

/** Whether the shares leave no row for training: a property then holds that this is what the refusal says. */
async function isRefusedForWantOfTraining(spec: Partial<SplitSpec>, content: TableContent): Promise<boolean> {
  const rows = Object.values(content)[0]![1].length;
  const [training] = expectedCounts(rows, { ...wholeSplit, ...spec });
  if (training! > 0) {
    return false;
  }
  const message = `Expected the split to leave at least one row for training but it leaves none of ${rows}.`;
  await expect(assign(spec, content)).rejects.toThrow(message);
  return true;
}

/** For each value, the splits of its rows. */
function splitsByValue<T>(values: readonly T[], splits: readonly number[]): Map<T, number[]> {
  const found = new Map<T, number[]>();
  for (const [row, value] of values.entries()) {
    found.set(value, [...(found.get(value) ?? []), splits[row]!]);
  }
  return found;
}

const ids = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('a random split', () => {
  it('has exact shares, is the same again and in any batches, and another with another seed', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 10, max: 3_000 }),
      fractions,
      seed,
      fc.integer({ min: 20, max: 400 }),
      async (rows, shares, seed, batchRows) => {
        const content: TableContent = { x: ['int64', ids(rows)] };
        if (await isRefusedForWantOfTraining({ ...shares, seed }, content)) {
          return;
        }
        const splits = await assign({ ...shares, seed }, content, batchRows);
        expect(splits).toHaveLength(rows);
        expect(countsOf(splits)).toEqual(expectedCounts(rows, shares));
        expect(await assign({ ...shares, seed }, content)).toEqual(splits);
        if (rows > 500 && shares.testFraction > 0.1) {
          expect(await assign({ ...shares, seed: (seed + 1) % 2 ** 53 }, content)).not.toEqual(splits);
        }
      },
    );
    await fc.assert(property, { numRuns: 25, examples: [[10, none, 0, 20]] });
  });
});

describe('a stratified split', () => {
  it('has exact shares, and of each value its part to within one row, missing ones too', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'ä')), { minLength: 12, maxLength: 300 }),
      fractions,
      seed,
      async (values, shares, seed) => {
        const spec = { ...shares, seed, stratifyColumn: 'class' };
        const splits = await assign(spec, { class: ['text', values] }, 50);
        const totals = expectedCounts(values.length, shares);
        expect(countsOf(splits)).toEqual(totals);
        for (const inStratum of splitsByValue(values, splits).values()) {
          for (const [split, count] of countsOf(inStratum).entries()) {
            const fair = (inStratum.length * totals[split]!) / values.length;
            expect(Math.abs(count - fair)).toBeLessThan(1);
          }
        }
        expect(await assign(spec, { class: ['text', values] })).toEqual(splits);
      },
    );
    await fc.assert(property, runs);
  });

  it('does so for values of very many sizes', async () => {
    const values = ids(400).flatMap((i) => new Array<number>((i % 23) + 1).fill(i));
    const splits = await assign(
      { stratifyColumn: 'x', validationFraction: 0.31, testFraction: 0.27 },
      { x: ['int64', values] },
    );
    const totals = expectedCounts(values.length, { validationFraction: 0.31, testFraction: 0.27 });
    expect(countsOf(splits)).toEqual(totals);
    for (const inStratum of splitsByValue(values, splits).values()) {
      for (const [split, count] of countsOf(inStratum).entries()) {
        expect(Math.abs(count - (inStratum.length * totals[split]!) / values.length)).toBeLessThan(1);
      }
    }
  });

  it('refuses a column with more values than can be strata', async () => {
    const split = assign({ stratifyColumn: 'x', testFraction: 0.5 }, { x: ['int64', ids(10_001)] });
    await expect(split).rejects.toThrow('to have at most 10000 values to stratify by');
  });
});

describe('a split by group', () => {
  it('keeps groups whole and comes as near to the shares as the largest group lets it', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 6, maxLength: 60 }),
      fractions,
      seed,
      async (sizes, shares, seed) => {
        const values = sizes.flatMap((size, group) => new Array<string>(size).fill(`g${group}`));
        const spec = { ...shares, seed, groupColumn: 'user' };
        const splits = await assign(spec, { user: ['text', values] }, 37);
        for (const ofGroup of splitsByValue(values, splits).values()) {
          expect(new Set(ofGroup).size).toBe(1);
        }
        const totals = expectedCounts(values.length, shares);
        for (const [split, count] of countsOf(splits).entries()) {
          // The largest group is trained on, though the shares of few rows may round to none for training.
          expect(count > 0).toBe(totals[split]! > 0 || split === 0);
        }
        expect(Math.abs(countsOf(splits)[2]! - totals[2]!)).toBeLessThanOrEqual(Math.max(...sizes));
        expect(await assign(spec, { user: ['text', values] })).toEqual(splits);
      },
    );
    await fc.assert(property, { ...runs, examples: [[[1, 1, 1, 1, 1, 1], none, 0]] });
  });

  it('has exact shares where the sizes of the groups allow it', async () => {
    // 3,000 rows in groups of 1 to 9 and one of 400.
    const sizes = [400, ...ids(520).map((i) => (i % 9) + 1)];
    const values = sizes.flatMap((size, group) => new Array<number>(size).fill(group));
    for (const seed of ids(20)) {
      const shares = { validationFraction: 0.17, testFraction: 0.2 };
      const splits = await assign({ ...shares, seed, groupColumn: 'g' }, { g: ['int64', values] });
      expect(countsOf(splits)).toEqual(expectedCounts(values.length, shares));
    }
  });

  it('does not depend on the order of the rows', async () => {
    const values = ids(600).map((i) => `g${i % 50}`);
    const turned = values.toReversed();
    const spec = { groupColumn: 'g', testFraction: 0.3, seed: 5 };
    const splits = await assign(spec, { g: ['text', values] });
    const inTest = (of: string[], found: number[]) => [...new Set(of.filter((_, row) => found[row] === 2))].sort();
    expect(inTest(turned, await assign(spec, { g: ['text', turned] }))).toEqual(inTest(values, splits));
  });

  it('draws validation groups beside a split column, and refuses a group that is in two splits', async () => {
    const part = ids(100).map((i) => (i < 40 ? 'test' : 'train'));
    const group = ids(100).map((i) => `g${Math.floor(i / 5)}`);
    const spec = { column: 'part', groupColumn: 'g', validationFraction: 0.5 };
    const splits = await assign(spec, { part: ['text', part], g: ['text', group] });
    expect(countsOf(splits)).toEqual([30, 30, 40]);
    const torn = group.with(40, 'g0');
    await expect(assign(spec, { part: ['text', part], g: ['text', torn] })).rejects.toThrow(
      'to be in one split but that of row 41 is in train and, in an earlier row, in test',
    );
  });

  it('refuses a missing group, and fewer groups than splits', async () => {
    const spec = { groupColumn: 'g', testFraction: 0.2, validationFraction: 0.2 };
    await expect(assign(spec, { g: ['text', ['a', null, 'b', 'c']] })).rejects.toThrow('but row 2 has none');
    await expect(assign(spec, { g: ['text', ['a', 'a', 'b', 'b', 'b']] })).rejects.toThrow(
      'to have a group for each split but there are 2 to share out among 3',
    );
  });
});

describe('a split by time', () => {
  it('has exact shares, and nothing in a later split is before anything in an earlier one', async () => {
    const numbers = fc.oneof(
      fc.integer({ min: -5, max: 5 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, -0),
    );
    const property = fc.asyncProperty(
      fc.array(numbers, { minLength: 10, maxLength: 200 }),
      fractions,
      async (times, shares) => {
        const content: TableContent = { t: ['float64', times] };
        const spec = { ...shares, timeColumn: 't' };
        if (await isRefusedForWantOfTraining(spec, content)) {
          return;
        }
        const splits = await assign(spec, content, 33);
        expect(countsOf(splits)).toEqual(expectedCounts(times.length, shares));
        const byTime = ids(times.length).sort((a, b) => times[a]! - times[b]! || a - b);
        const inOrder = byTime.map((row) => splits[row]!);
        expect(inOrder).toEqual(inOrder.toSorted());
      },
    );
    await fc.assert(property, { ...runs, examples: [[ids(10), none]] });
  });

  it('tells apart integers that float64 does not', async () => {
    const times = ids(8).map((i) => 2n ** 62n + BigInt((i * 5) % 8));
    const splits = await assign({ timeColumn: 't', testFraction: 0.25 }, { t: ['int64', times] });
    expect(times.filter((_, row) => splits[row] === 2).sort()).toEqual([2n ** 62n + 6n, 2n ** 62n + 7n]);
  });

  it('takes timestamps, before 1970 too, and beyond what float64 tells apart', async () => {
    const times = [3n, -5n, 2n ** 61n, 2n ** 61n + 1n, -(2n ** 61n), 0n];
    const spec = { timeColumn: 't', validationFraction: 1 / 6, testFraction: 1 / 3 };
    expect(await assign(spec, { t: ['time', times] }, 2)).toEqual([1, 0, 2, 2, 0, 0]);
  });

  it('refuses a missing time', async () => {
    const split = assign({ timeColumn: 't', testFraction: 0.5 }, { t: ['float64', [1, null]] });
    await expect(split).rejects.toThrow('column "t" but row 2 has none');
  });
});
