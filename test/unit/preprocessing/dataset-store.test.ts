import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import { tempFolder } from '../../support/temp-folder.js';
import { storeTable, type TableContent } from './table.js';

const content: TableContent = {
  a: ['float64', [1, null, 3]],
  b: ['text', ['x', 'yy', null]],
  c: ['boolean', [true, null, false]],
};
let clock = 0;
const now = () => ++clock;

describe('DatasetStore', () => {
  it('refuses a version without rows and keeps nothing of it', async () => {
    const folder = tempFolder();
    const store = await DatasetStore.open(folder, now);
    await expect(storeTable(store, 'empty', { a: ['int64', []] })).rejects.toThrow('at least one row');
    expect(store.listDatasets()).toEqual([]);
  });

  it('refuses names of what is not there', async () => {
    const store = await DatasetStore.open(tempFolder(), now);
    expect(() => store.getDataset('none')).toThrow('There is no datasets/none.');
    await storeTable(store, 'one', content);
    expect(() => store.resolve('datasets/one/versions/2', 'name')).toThrow('Its newest version is 1.');
    expect(() => store.resolve('one', 'name')).toThrow('`name` to be like datasets/{dataset}');
    await expect(store.deleteDataset('none')).rejects.toThrow('There is no datasets/none.');
  });

  it('refuses to open metadata that is damaged', async () => {
    const folder = tempFolder();
    await storeTable(await DatasetStore.open(folder, now), 'one', content);
    writeFileSync(path.join(folder, 'datasets/one/1/version.json'), '{"format":"millrace.dataset/1"}');
    await expect(DatasetStore.open(folder, now)).rejects.toMatchObject({ code: 'DATA_LOSS' });
  });

  it('gives the same content the same version, however it is cut', async () => {
    const store = await DatasetStore.open(tempFolder(), now);
    const first = await storeTable(store, 'one', content, 1);
    expect(await storeTable(store, 'one', content, 3)).toEqual(first);
    const changed = await storeTable(store, 'one', { ...content, a: ['float64', [1, 0, 3]] });
    expect(changed).toMatchObject({ version: 2, nullCounts: [0, 1, 1] });
    expect(await storeTable(store, 'one', content)).toEqual(first);
    expect(store.getDataset('one').latestVersion).toBe(2);
  });

  it.each<[string, TableContent]>([
    ['another name', { z: content.a!, b: content.b!, c: content.c! }],
    ['another order of the columns', { b: content.b!, a: content.a!, c: content.c! }],
    ['another type', { ...content, a: ['int64', [1, null, 3]] }],
    ['the same letters in other texts', { ...content, b: ['text', ['xy', 'y', null]] }],
    ['an empty text for a missing one', { ...content, b: ['text', ['x', 'yy', '']] }],
    ['another missing row', { ...content, c: ['boolean', [true, false, null]] }],
  ])('tells apart %s', async (_, other) => {
    const store = await DatasetStore.open(tempFolder(), now);
    const { digest } = await storeTable(store, 'one', content);
    expect((await storeTable(store, 'one', other)).digest).not.toBe(digest);
  });

  it('numbers versions that come at the same time one after the other', async () => {
    const store = await DatasetStore.open(tempFolder(), now);
    const tables = [1, 2, 3, 4].map((x) => storeTable(store, 'one', { a: ['int64', [x]] }));
    const versions = (await Promise.all(tables)).map(({ version }) => version);
    expect(versions.sort()).toEqual([1, 2, 3, 4]);
  });

  it('opens what it stored, and removes what a crash left', async () => {
    const folder = tempFolder();
    const stored = await storeTable(await DatasetStore.open(folder, now), 'one', content);
    mkdirSync(path.join(folder, 'drafts/left'), { recursive: true });
    writeFileSync(path.join(folder, 'drafts/left/data.arrows'), 'half');
    mkdirSync(path.join(folder, 'datasets/begun'));
    const store = await DatasetStore.open(folder, now);
    expect(store.listVersions('one')).toEqual([stored]);
    expect(store.listDatasets().map(({ name }) => name)).toEqual(['one']);
    expect(readdirSync(path.join(folder, 'drafts'))).toEqual([]);
    expect(readdirSync(path.join(folder, 'datasets'))).toEqual(['one']);
  });

  it('says NOT_FOUND for rows that were deleted after their version was looked up', async () => {
    const store = await DatasetStore.open(tempFolder(), now);
    const version = await storeTable(store, 'one', content);
    await store.deleteDataset('one');
    await expect(store.openTable(version)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('deletes a dataset while its rows are being read', async () => {
    const folder = tempFolder();
    const store = await DatasetStore.open(folder, now);
    const table = await store.openTable(await storeTable(store, 'one', content, 1));
    await store.deleteDataset('one');
    expect(readdirSync(path.join(folder, 'datasets'))).toEqual([]);
    expect((await table.readColumn(table.batches[2]!, 0)).validity).toBeNull();
    await table.close();
    expect(await storeTable(store, 'one', content)).toMatchObject({ version: 1 });
  });
});
