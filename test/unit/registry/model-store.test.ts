import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf, LocalBlobStore } from '../../../services/platform/blob-store.js';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import type { NewModelVersion } from '../../../services/registry/model.js';
import { ModelStore } from '../../../services/registry/model-store.js';
import type { PromotionCondition } from '../../../services/registry/promotion.js';
import { migrations, type Schema } from '../../../services/registry/schema.js';
import { tempFolder } from '../../support/temp-folder.js';

const digest = digestOf('');
const version: NewModelVersion = {
  ...{ artifacts: [{ path: 'a', digest }], lineage: null, metrics: {}, aliases: [], condition: null, requestId: '' },
};

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

describe('a version whose aliases move on a condition', () => {
  const better: PromotionCondition = { metric: 'accuracy', comparison: '>=', alias: 'champion', value: 0.01 };
  const create = (accuracy: number, condition: PromotionCondition | null, more: Partial<NewModelVersion> = {}) =>
    store.createVersion('m', { ...version, metrics: { accuracy }, aliases: ['champion'], condition, ...more });

  it.each<[string, Partial<PromotionCondition>, string]>([
    ['a metric that it has not', { metric: 'loss' }, 'metric'],
    ['a name that every object has', { metric: 'toString' }, 'metric'],
    ['no comparison', { comparison: null }, 'comparison'],
    ['an alias in capitals', { alias: 'Champion' }, 'alias'],
    ['a value that is no number', { value: Number.NaN }, 'value'],
  ])('is refused with %s, and takes no number', async (_, changes, field) => {
    await expect(create(0.9, { ...better, ...changes })).rejects.toMatchObject({
      fieldViolations: [{ field: `promotion_condition.${field}` }],
    });
    expect(await store.getModel('m')).toMatchObject({ latestVersion: 1, aliases: {} });
  });

  it('has them while the alias it is compared with is not there', async () => {
    const { promotion, aliases } = await create(0.1, better);
    expect(aliases).toEqual(['champion']);
    expect(promotion).toEqual({ condition: better, isPromoted: true, comparedVersion: null, bound: null });
  });

  it('leaves all of them where they were when it is too little better', async () => {
    await create(0.5, null);
    const { promotion, aliases } = await create(0.505, better, { aliases: ['champion', 'latest'] });
    expect(aliases).toEqual([]);
    expect(promotion).toMatchObject({ isPromoted: false, comparedVersion: 2, bound: 0.51 });
    expect((await store.getModel('m')).aliases).toEqual({ champion: 2 });
  });

  it('has them when it is better by enough, and keeps that', async () => {
    await create(0.5, null);
    const made = await create(0.51, better);
    expect(made).toMatchObject({ aliases: ['champion'], promotion: { isPromoted: true, comparedVersion: 2 } });
    await create(0.1, null);
    expect(await store.getVersion('m', 3)).toEqual({ ...made, aliases: [] });
  });

  it('is no better than a version without the metric', async () => {
    await store.setAlias('m', 'champion', 1);
    const { promotion, aliases } = await create(0.9, better);
    expect(aliases).toEqual([]);
    expect(promotion).toMatchObject({ isPromoted: false, comparedVersion: 1, bound: null });
  });

  it.each<[number, PromotionCondition['comparison'], boolean]>([
    [0.5, '>=', true],
    [0.5, '>', false],
    [0.6, '>', true],
    [0.5, '<=', true],
    [0.5, '<', false],
    [0.4, '<', true],
    [0.4, '>=', false],
    [0.6, '<=', false],
  ])('is held against a number: %d %s 0.5 is %s', async (accuracy, comparison, isPromoted) => {
    const condition = { metric: 'accuracy', comparison, alias: '', value: 0.5 };
    const { promotion, aliases } = await create(accuracy, condition);
    expect(promotion).toEqual({ condition, isPromoted, comparedVersion: null, bound: 0.5 });
    expect(aliases).toEqual(isPromoted ? ['champion'] : []);
  });

  it('is answered as it was decided when it is asked for again, whatever the aliases are by then', async () => {
    await create(0.5, null);
    const made = await create(0.4, better, { requestId: 'r' });
    await store.deleteAlias('m', 'champion');
    expect(await create(0.4, better, { requestId: 'r' })).toEqual(made);
    expect((await store.getModel('m')).aliases).toEqual({});
  });
});
