import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberOfKey, orderedKeys } from '../../../services/preprocessing/ordered-keys.js';
import { selectRanks } from '../../../services/preprocessing/rank-selection.js';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

async function select(values: Float64Array | BigInt64Array, ranks: number[], batchRows: number) {
  let passes = 0;
  const found = await selectRanks(async function* () {
    passes++;
    for (let row = 0; row < values.length; row += batchRows) {
      yield orderedKeys(values.slice(row, row + batchRows));
    }
  }, ranks);
  return { found, passes };
}

describe('orderedKeys', () => {
  it('keeps the order of numbers, and gives them back', () => {
    fc.assert(
      fc.property(finite, finite, (a, b) => {
        const { low, high } = orderedKeys(Float64Array.of(a, b));
        const difference = high[0]! - high[1]! || low[0]! - low[1]!;
        expect(Math.sign(difference)).toBe(a < b ? -1 : a > b ? 1 : 0);
        expect(numberOfKey(low[0]!, high[0]!)).toBe(a + 0);
      }),
    );
  });
});

describe('selectRanks', () => {
  it('finds what sorting finds, with the number of smaller keys', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.oneof(finite, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 300 }),
      fc.array(fc.nat(), { maxLength: 5 }),
      fc.integer({ min: 1, max: 100 }),
      async (values, numbers, batchRows) => {
        const ranks = numbers.map((number) => number % values.length);
        const sorted = Float64Array.from(values, (value) => value + 0).sort();
        const { found } = await select(Float64Array.from(values), ranks, batchRows);
        expect(found.map(({ low, high }) => numberOfKey(low, high))).toEqual(ranks.map((rank) => sorted[rank]));
        expect(found.map(({ before }) => before)).toEqual(ranks.map((rank) => sorted.indexOf(sorted[rank]!)));
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  it('narrows down digit by digit where too many keys begin alike', async () => {
    // 2.5 million keys that differ in their last 32 bits alone, most of them in one value.
    const values = BigInt64Array.from({ length: 2_500_000 }, (_, i) => BigInt(i < 1_200_000 ? 7 : i));
    const { found, passes } = await select(values, [0, 1_199_999, 1_200_000, 2_499_999], 100_000);
    expect(found).toEqual([
      { low: 7, high: 0x80000000, before: 0 },
      { low: 7, high: 0x80000000, before: 0 },
      { low: 1_200_000, high: 0x80000000, before: 1_200_000 },
      { low: 2_499_999, high: 0x80000000, before: 2_499_999 },
    ]);
    expect(passes).toBe(4);
  });
});
