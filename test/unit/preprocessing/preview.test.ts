import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import { type PreviewSpec, previewRows } from '../../../services/preprocessing/description/preview.js';
import { timeText } from '../../../services/preprocessing/description/time-text.js';
import { tempFolder } from '../../support/temp-folder.js';
import { storeTable, type TableContent } from './table.js';

const never = new AbortController().signal;
const rows = (count: number) => Array.from({ length: count }, (_, i) => i);
const content: TableContent = {
  id: ['int64', rows(2_000)],
  share: ['float64', rows(2_000).map((i) => (i % 3 === 0 ? null : i / 8))],
  word: ['text', rows(2_000).map((i) => `"Wört" ${i}\n`)],
  flag: ['boolean', rows(2_000).map((i) => i % 2 === 0)],
};

async function preview(table: TableContent, spec: Partial<PreviewSpec>) {
  const store = await DatasetStore.open(tempFolder());
  await storeTable(store, 'table', table, 90);
  const full = { rowCount: 0, firstRow: null, sampleSeed: null, columns: [], ...spec };
  return (await previewRows(store, 'datasets/table', full, never)).rows;
}

describe('a preview', () => {
  it.each<[string, Partial<PreviewSpec>, string]>([
    ['too many rows', { rowCount: 1_001 }, '`row_count` to be from 1 to 1,000 but received 1001'],
    ['a negative number of rows', { rowCount: -1 }, '`row_count` to be from 1 to 1,000'],
    ['a row beyond the last', { firstRow: 2_001 }, '`first_row` to be a row from 1 to 2000 but received 2001'],
    ['row 0', { firstRow: 0 }, '`first_row` to be a row from 1'],
    ['a negative seed', { sampleSeed: -1 }, '`sample_seed` to be an integer from 0'],
    ['a column that is not there', { columns: ['id', 'wrd'] }, '`columns[1]` to be a column of the dataset'],
  ])('refuses %s', async (_, spec, message) => {
    await expect(preview(content, spec)).rejects.toThrow(message);
  });

  it('refuses rows that are too large together', async () => {
    const large: TableContent = { text: ['text', rows(5).map(() => 'x'.repeat(1_000_000))] };
    await expect(preview(large, {})).rejects.toThrow('at most 4194304 characters but the first 5 of 5 rows have');
    expect(await preview(large, { rowCount: 4 })).toHaveLength(4);
  });

  it('shows the first rows, with every value as it is', async () => {
    const found = await preview(content, {});
    expect(found.map(({ number }) => number)).toEqual(rows(10).map((i) => i + 1));
    expect(found[0]!.json).toBe('{"id":0,"share":null,"word":"\\"Wört\\" 0\\n","flag":true}');
    expect(JSON.parse(found[7]!.json)).toEqual({ id: 7, share: 0.875, word: '"Wört" 7\n', flag: false });
  });

  it('shows integers in full', async () => {
    const [row] = await preview({ id: ['int64', [2n ** 62n + 1n]] }, {});
    expect(row!.json).toBe('{"id":4611686018427387905}');
  });

  it('shows rows from one on, over batches and to the end, and only the columns that are named', async () => {
    const found = await preview(content, { firstRow: 1_990, rowCount: 50, columns: ['flag', 'id'] });
    expect(found).toHaveLength(11);
    expect(found[0]).toEqual({ number: 1_990, json: '{"id":1989,"flag":false}' });
    expect(found.at(-1)!.number).toBe(2_000);
  });

  it('draws the same rows with the same seed, each once and in order', async () => {
    const store = await DatasetStore.open(tempFolder());
    await storeTable(store, 'table', content, 90);
    const draw = async (sampleSeed: number, rowCount: number) => {
      const spec = { rowCount, firstRow: null, sampleSeed, columns: ['id'] };
      return (await previewRows(store, 'datasets/table', spec, never)).rows.map(({ number }) => number);
    };
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 53 - 2 }),
      fc.integer({ min: 1, max: 1_000 }),
      async (seed, count) => {
        const drawn = await draw(seed, count);
        expect(drawn).toHaveLength(count);
        expect(drawn).toEqual([...new Set(drawn)].sort((a, b) => a - b));
        expect(await draw(seed, count)).toEqual(drawn);
        // A larger sample holds the smaller one.
        expect(await draw(seed, 1_000)).toEqual(expect.arrayContaining(drawn));
        if (count > 20) {
          expect(await draw(seed + 1, count)).not.toEqual(drawn);
        }
      },
    );
    await fc.assert(property, { numRuns: 15 });
  });
});

describe('timeText', () => {
  it.each<[bigint, Parameters<typeof timeText>[1], string]>([
    [0n, 'day', '1970-01-01'],
    [-1n, 'day', '1969-12-31'],
    [1_796_033_705n, 'second', '2026-11-30T10:15:05'],
    [-1n, 'millisecond', '1969-12-31T23:59:59.999'],
    [1_796_033_705_000_001n, 'microsecond', '2026-11-30T10:15:05.000001'],
    [2n ** 63n - 1n, 'nanosecond', '2262-04-11T23:47:16.854775807'],
    [2n ** 63n - 1n, 'second', '9223372036854775807'],
  ])('writes %s %ss as %s', (value, unit, text) => {
    expect(timeText(value, unit)).toBe(text);
  });
});
