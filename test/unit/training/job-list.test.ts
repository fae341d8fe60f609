import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import { JobCache } from '../../../services/training/job-cache.js';
import { type Listing, listJobs } from '../../../services/training/job-list.js';
import { JobStore } from '../../../services/training/job-store.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { tempFolder } from '../../support/temp-folder.js';
import { fittedPipeline, newJob, validDraft } from './spec-draft.js';

describe('listJobs', () => {
  let database: Kysely<Schema>;
  let store: JobStore;

  beforeAll(async () => {
    database = await openDatabase<Schema>(path.join(tempFolder(), 'training.db'), migrations);
    let time = Date.parse('2026-01-01T00:00:00Z');
    store = new JobStore(database, () => time);
    const other = resolveSpec(validDraft({ publish: { model: 'models/other', aliases: [] } }), fittedPipeline());
    await store.create(newJob({ id: 'a', owner: 'ann', priority: 2, labels: { team: 'x' } }));
    time += 1_000;
    await store.create(newJob({ id: 'b', owner: 'Bob "B."', labels: { team: 'y', tier: 'x' } }));
    time += 1_000;
    await store.create(newJob({ id: 'c', owner: 'ann', spec: other }));
    await store.requestPause('b');
    await store.claimNext();
    return () => database.destroy();
  });

  const cache = new JobCache();
  const list = (changes: Partial<Listing>) =>
    listJobs(database, cache, { filter: '', orderBy: '', pageSize: 10, pageToken: '', ...changes });
  const ids = async (changes: Partial<Listing>) => (await list(changes)).jobs.map(({ id }) => id).join('');

  it.each([
    ['', 'cba'],
    ['state = QUEUED', 'c'],
    ['state != STATE_QUEUED', 'ba'],
    ['state = queued OR state = paused', 'cb'],
    ['owner = ann', 'ca'],
    ['owner = "Bob \\"B.\\""', 'b'],
    ['model = models/other', 'c'],
    ['labels.team = x', 'a'],
    ['labels.team != x', 'cb'],
    ['labels.team = "" AND owner = ann', 'c'],
    ['priority > 0', 'a'],
    ['priority <= -1', ''],
    ['create_time >= 2026-01-01T01:00:01+01:00', 'cb'],
    ['create_time < "2026-01-01T00:00:01Z"', 'a'],
    ['start_time > 2026-01-01T00:00:00Z', 'a'],
    ['end_time > 2026-01-01T00:00:00Z', ''],
    ['owner = ann OR labels.tier = x AND priority = 0', 'cb'],
  ])('finds by %j', async (filter, expected) => {
    expect(await ids({ filter })).toBe(expected);
  });

  it('answers the same objects while jobs stay as they are, and new ones once they change', async () => {
    const given = newJob({ id: 'changing', owner: 'eve' });
    const listed = async () =>
      (await store.list({ filter: 'owner = eve', orderBy: '', pageSize: 1, pageToken: '' })).jobs[0]!;
    await store.create(given);
    const queued = await listed();
    expect(await listed()).toBe(queued);
    await store.requestPause(given.id);
    expect(await listed()).toEqual(await store.get(given.id));
    expect((await listed()).state).toBe('paused');
    await store.requestResume(given.id);
    expect(await listed()).toEqual(await store.get(given.id));
    await store.requestCancel(given.id);
    expect(await listed()).toEqual(await store.get(given.id));
    await store.remove(given.id);
    expect(await listed()).toBeUndefined();
  });

  it.each([
    ['stat = QUEUED', 'compare state, model, owner, priority, create_time', 'Did you mean state?'],
    ['state = WAITING', 'compare state with one of QUEUED, PREPARING', 'received "WAITING"'],
    ['state < QUEUED', 'compare state with = or !=', 'received <'],
    ['model = mnist', 'compare model with models/NAME', 'received "mnist"'],
    ['priority = high', 'compare priority with an integer', 'received "high"'],
    ['create_time > yesterday', 'a time like 2026-01-31T08:00:00Z', 'received "yesterday"'],
    ['create_time > 2026-13-01T00:00:00Z', 'a time like', '2026-13'],
    ['labels.T = x', 'or labels.NAME', 'received "labels.T"'],
  ])('refuses %j', async (filter, ...messages) => {
    const refused = await list({ filter }).catch((error) => error);
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', fieldViolations: [{ field: 'filter' }] });
    for (const message of messages) {
      expect(refused.message).toContain(message);
    }
  });

  it.each([
    ['create_time', 'abc'],
    ['create_time desc', 'cba'],
    ['priority', 'bca'],
    ['priority desc', 'acb'],
    ['owner desc, priority', 'cab'],
    ['start_time', 'bca'],
    ['model desc, create_time', 'cab'],
  ])('orders by %j, in pages as in one', async (orderBy, expected) => {
    expect(await ids({ orderBy })).toBe(expected);
    let seen = '';
    let pageToken = '';
    do {
      const page = await list({ orderBy, pageToken, pageSize: 1 });
      seen += page.jobs.map(({ id }) => id).join('');
      pageToken = page.nextPageToken;
    } while (pageToken);
    expect(seen).toBe(expected);
  });

  it.each([
    ['created', 'create_time'],
    ['owner up', 'owner'],
    ['owner, owner', 'each field once'],
  ])('refuses to order by %j', async (orderBy, message) => {
    await expect(list({ orderBy })).rejects.toMatchObject({
      message: expect.stringContaining(message),
      fieldViolations: [{ field: 'order_by' }],
    });
  });

  it('refuses the page token of another list', async () => {
    const { nextPageToken: pageToken } = await list({ filter: 'owner = ann', pageSize: 1 });
    expect(await ids({ filter: 'owner = ann', pageToken })).toBe('a');
    const refusal = { fieldViolations: [{ field: 'page_token' }] };
    await expect(list({ pageToken })).rejects.toMatchObject(refusal);
    await expect(list({ filter: 'owner = ann', orderBy: 'owner', pageToken })).rejects.toMatchObject(refusal);
    const forged = Buffer.from(JSON.stringify(['["owner = ann","",[null]]'])).toString('base64url');
    await expect(list({ filter: 'owner = ann', pageToken: forged })).rejects.toMatchObject(refusal);
  });
});
