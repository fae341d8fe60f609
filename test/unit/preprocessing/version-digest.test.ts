import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import { tempFolder } from '../../support/temp-folder.js';
import { storeTable, type TableContent } from './table.js';

const table = fc
  .array(
    fc.tuple(fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })), fc.option(fc.string()), fc.boolean()),
    {
      minLength: 2,
      maxLength: 60,
    },
  )
  .map(
    (rows): TableContent => ({
      x: ['float64', rows.map(([x]) => x)],
      word: ['text', rows.map(([, word]) => word)],
      flag: ['boolean', rows.map(([, , flag]) => flag)],
    }),
  );

it('a digest is of content, however the rows are cut into batches', async () => {
  const store = await DatasetStore.open(tempFolder());
  const property = fc.asyncProperty(
    table,
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 60 }),
    async (content, a, b) => {
      const first = await storeTable(store, 'table', content, a);
      expect(await storeTable(store, 'table', content, b)).toEqual(first);
    },
  );
  await fc.assert(property, { numRuns: 30 });
});

it('a digest tells apart tables that differ in one value or in the order of two rows', async () => {
  const store = await DatasetStore.open(tempFolder());
  const property = fc.asyncProperty(table, fc.nat(), async (content, number) => {
    const flags = content.flag![1];
    const row = number % flags.length;
    const { digest } = await storeTable(store, 'table', content);
    const changed: TableContent = { ...content, flag: ['boolean', flags.with(row, !flags[row])] };
    expect((await storeTable(store, 'table', changed)).digest).not.toBe(digest);
    const words = content.word![1];
    if (words[row] !== words[0]) {
      const turned: TableContent = { ...content, word: ['text', words.with(row, words[0]!).with(0, words[row]!)] };
      expect((await storeTable(store, 'table', turned)).digest).not.toBe(digest);
    }
  });
  await fc.assert(property, { numRuns: 30 });
});
