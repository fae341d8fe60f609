import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomKey } from '../../../services/pipeline/random-key.js';
import { Violations } from '../../../services/platform/errors.js';
import {
  checkSplit,
  countSplits,
  rowsInSplit,
  type SplitSpec,
  splitNames,
  wholeSplit,
} from '../../../services/preprocessing/split.js';
import { assignSplits } from '../../../services/preprocessing/split-assignment.js';
import { openTable } from './table.js';

const random: SplitSpec = { ...wholeSplit, seed: 1 };
const columns = [
  { name: 'part', type: { kind: 'text', large: false }, shape: [] },
  { name: 'x', type: { kind: 'boolean' }, shape: [] },
  { name: 'pixels', type: { kind: 'list', type: 'uint8', width: 4 }, shape: [2, 2] },
] as const;

function violations(spec: Partial<SplitSpec>): string[] {
  const found = new Violations();
  checkSplit({ ...random, ...spec }, columns as never, found);
  try {
    found.throwIfAny();
    return [];
  } catch (error) {
    return (error as { fieldViolations: { description: string }[] }).fieldViolations.map(
      ({ description }) => description,
    );
  }
}

describe('checkSplit', () => {
  it.each<[string, Partial<SplitSpec>, string]>([
    ['a negative fraction', { validationFraction: -0.1 }, '`split.validation_fraction` to be in [0, 1)'],
    ['a fraction of 1', { testFraction: 1 }, '`split.test_fraction` to be in [0, 1)'],
    ['NaN', { testFraction: Number.NaN }, 'received NaN'],
    ['fractions that leave nothing', { validationFraction: 0.5, testFraction: 0.5 }, 'to leave rows for training'],
    ['a negative seed', { seed: -1 }, '`split.seed` to be an integer from 0'],
    ['an unknown column', { column: 'prat' }, 'did you mean "part"?'],
    ['a column that is no text', { column: 'x' }, 'to be a column of text but "x" is Bool'],
    ['an unknown column of groups', { groupColumn: 'prat' }, '`split.group_column` to be a column of the dataset'],
    [
      'a time of text',
      { timeColumn: 'part' },
      '`split.time_column` to be a column of numbers or times but "part" is Utf8',
    ],
    ['strata of lists', { stratifyColumn: 'pixels' }, 'of single values but "pixels" is FixedSizeList[4]<Uint8>'],
    ['two ways at once', { stratifyColumn: 'x', groupColumn: 'part' }, 'at most one of `split.stratify_column`'],
    ['groups that are the split', { column: 'part', groupColumn: 'part' }, 'another column than `split.column`'],
    ['a test fraction beside a column', { column: 'part', testFraction: 0.1 }, '0 when `split.column` is set'],
  ])('refuses %s', (_, spec, message) => {
    expect(violations(spec)).toEqual([expect.stringContaining(message)]);
  });

  it('lets a sound spec pass', () => {
    expect(violations({ column: 'part', validationFraction: 0.2, seed: 2 ** 53 - 1 })).toEqual([]);
  });
});

describe('assignSplits', () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

  it('refuses a value that names no split, with its row', async () => {
    const table = await openTable({ part: ['text', ['train', 'trian']] });
    await expect(assignSplits({ ...random, column: 'part' }, table)).rejects.toThrow('received "trian" in row 2');
    await table.close();
  });

  it('refuses a missing value, with its row', async () => {
    const table = await openTable({ part: ['text', ['train', null]] }, 1);
    await expect(assignSplits({ ...random, column: 'part' }, table)).rejects.toThrow('received no value in row 2');
    await table.close();
  });

  it('refuses a split without training rows', async () => {
    const table = await openTable({ part: ['text', ['test', 'validation']] });
    await expect(assignSplits({ ...random, column: 'part' }, table)).rejects.toThrow('leaves none of 2');
    await table.close();
  });

  it('refuses a validation fraction where the column has validation rows', async () => {
    const table = await openTable({ part: ['text', ['train', 'validation']] });
    const assigned = assignSplits({ ...random, column: 'part', validationFraction: 0.5 }, table);
    await expect(assigned).rejects.toThrow('has validation rows of its own');
    await table.close();
  });

  it('takes the validation rows out of the training rows of the column', async () => {
    const parts = numbers(100).map((i) => (i % 5 === 0 ? 'test' : 'train'));
    const table = await openTable({ part: ['text', parts] }, 7);
    const assignment = await assignSplits({ ...random, column: 'part', validationFraction: 0.25 }, table);
    expect(countSplits(assignment)).toEqual({ train: 60, validation: 20, test: 20 });
    expect(parts.every((part, i) => (part === 'test') === (assignment[i] === 2))).toBe(true);
    await table.close();
  });

  it('draws exact shares that depend on the seed alone', async () => {
    const table = await openTable({ x: ['int64', numbers(1_000)] });
    const spec = { ...random, validationFraction: 0.1, testFraction: 0.25 };
    const assignment = await assignSplits(spec, table);
    expect(countSplits(assignment)).toEqual({ train: 650, validation: 100, test: 250 });
    expect(await assignSplits(spec, table)).toEqual(assignment);
    expect(await assignSplits({ ...spec, seed: 2 }, table)).not.toEqual(assignment);
    await table.close();
  });
});

describe('rowsInSplit and countSplits', () => {
  it('find every row in its split, whether a batch has one split or several', () => {
    const split = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(fc.array(split, { minLength: 1 }), fc.nat(), (splits, cut) => {
        const assignment = Uint8Array.from(splits);
        const firstRow = cut % splits.length;
        const inBatch = splits.slice(firstRow);
        const batch = { firstRow, header: { length: inBatch.length } };
        for (const [k, name] of splitNames.entries()) {
          const expected = inBatch.flatMap((one, row) => (one === k ? [row] : []));
          expect([...rowsInSplit(assignment, name, batch)]).toEqual(expected);
          expect(countSplits(assignment)[name]).toBe(splits.filter((one) => one === k).length);
        }
      }),
    );
  });
});

describe('randomKey', () => {
  it('is the same forever', () => {
    const keys = [randomKey(0, 0), randomKey(1, 0), randomKey(1, 1), randomKey(2 ** 53 - 1, 4_000_000_000)];
    expect(keys).toMatchInlineSnapshot(`
      [
        3524925157983711,
        8729864535518546,
        6807854752573192,
        1169644486481755,
      ]
    `);
  });

  it('is a safe integer, spread evenly', () => {
    const keys = Array.from({ length: 10_000 }, (_, row) => randomKey(7, row));
    expect(keys.every((key) => Number.isSafeInteger(key) && key >= 0)).toBe(true);
    expect(new Set(keys).size).toBe(10_000);
    // Standard error of the mean of 10,000 uniform numbers: 0.0029; five of them.
    const mean = keys.reduce((sum, key) => sum + key / 2 ** 53, 0) / keys.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.0145);
  });
});
