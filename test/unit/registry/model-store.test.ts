import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf, LocalBlobStore } from '../../../services/platform/blob-store.js';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import { ModelStore } from '../../../services/registry/model-store.js';
import { migrations, type Schema } from '../../../services/registry/schema.js';
import { tempFolder } from '../../support/temp-folder.js';

const digest = digestOf('');
const version = { artifacts: [{ path: 'a', digest }], lineage: null, metrics: {}, aliases: [], requestId: '' };

let database: Kysely<Schema>;
let store: ModelStore;
let timeMs: number;
let changes: string[];

beforeEach(async () => {
  const folder = tempFolder();
  const blobs = await LocalBlobStore.open(path.join(folder, 'blobs'));
  await blobs.put(digest, 0, (async function* () {})());
  database = await openDatabase<Schema>(path.join(folder, 'registry.db'), migrations);
  timeMs = 1_000;
  store = new ModelStore(database, blobs, () => timeMs);
  await store.createModel('m');
  await store.createVersion('m', version);
  changes = [];
  store.onChange((model) => changes.push(model));
  timeMs = 2_000;
});
afterEach(() => database.destroy());

describe('a model', () => {
  it('is changed neither by a refusal nor by an alias that points there already', async () => {
    await store.setAlias('m', 'champion', 1);
    changes.length = 0;
    timeMs = 3_000;
    await expect(store.setAlias('m', 'champion', 2)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(store.deleteAlias('m', 'candidate')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(store.deleteVersion('m', 1)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(changes).toEqual([]);
    expect(await store.setAlias('m', 'champion', 1)).toMatchObject({ updateTimeMs: 2_000 });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a new version', () => store.createVersion('m', { ...version, requestId: 'r' })],
    ['an alias that moves', () => store.setAlias('m', 'champion', 1)],
    ['a version that goes', () => store.deleteVersion('m', 1)],
  ])('tells the time of %s, and its watchers', async (_, change) => {
    await change();
    expect(await store.getModel('m')).toMatchObject({ createTimeMs: 1_000, updateTimeMs: 2_000 });
    expect(changes).toEqual(['m']);
  });
});
