import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../services/platform/database.js';
import type { Happening, KeptEvent } from '../../../services/training/job.js';
import { JobStore } from '../../../services/training/job-store.js';
import { type WatchOptions, watchJob, watchJobs } from '../../../services/training/job-watch.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { tempFolder } from '../../support/temp-folder.js';
import { newJob } from './spec-draft.js';

const step = (number: number): Happening => ({
  ...{ kind: 'step', epoch: 1, step: number, stepsPerEpoch: 1_000, loss: 1, accuracy: null },
  ...{ examplesPerSecond: 1, remainingSeconds: 1, learningRate: 0.1 },
});
const failed: Happening = { kind: 'stateChange', state: 'failed', error: { code: 'INTERNAL', message: 'why' } };
const cancelled: Happening = { kind: 'stateChange', state: 'cancelled' };
const resumed: Happening = { kind: 'resumed', epochsDone: 0, stepsDone: 0 };

let store: JobStore;
let job: number;
let time: number;
/** How often events were read from the database. */
let reads: number;
const never = new AbortController().signal;

beforeEach(async () => {
  time = 0;
  reads = 0;
  const database = await openDatabase<Schema>(path.join(tempFolder(), 'training.db'), migrations);
  store = new JobStore(database, () => time);
  const events = store.events.bind(store);
  store.events = (...asked) => {
    reads++;
    return events(...asked);
  };
  job = (await store.create(newJob())).number;
  return () => database.destroy();
});

const watch = (after: number, options: Partial<WatchOptions> = {}, signal = never) =>
  watchJob(store, 'a', { after, fromNow: false, stepEventsPerSecondMax: 0, ...options }, signal);
const watchAll = (after: number, filter = '', options: Partial<WatchOptions> = {}, signal = never) =>
  watchJobs(store, filter, { after, fromNow: false, stepEventsPerSecondMax: 0, ...options }, signal);
const collect = async (events: AsyncIterable<KeptEvent>) => {
  const sequences: number[] = [];
  for await (const { sequence } of events) {
    sequences.push(sequence);
  }
  return sequences;
};
const take = async (events: AsyncIterator<KeptEvent>, count: number) => {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value } = await events.next();
    taken.push(`${value.jobId}${value.sequence}`);
  }
  return taken;
};
const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('watchJob', () => {
  it('refuses an unknown job', async () => {
    const unknown = watchJob(store, 'b', { after: 0, fromNow: false, stepEventsPerSecondMax: 0 }, never);
    await expect(collect(unknown)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([-1, 2, 0.5])('refuses to go on after event %s of a job with one', async (after) => {
    await expect(collect(watch(after))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      fieldViolations: [{ field: 'after_sequence' }],
    });
  });

  it.each([-1, Number.NaN])('refuses %d step events a second', async (stepEventsPerSecondMax) => {
    const field = 'step_events_per_second_max';
    await expect(collect(watch(0, { stepEventsPerSecondMax }))).rejects.toMatchObject({ fieldViolations: [{ field }] });
  });

  it('refuses to begin both at a number and now', async () => {
    await expect(collect(watch(1, { fromNow: true }))).rejects.toThrow('with `from_now` but received 1');
  });

  it('ends at once after the last event of an ended job', async () => {
    await store.append(job, [failed]);
    expect(await collect(watch(2))).toEqual([]);
    expect(await collect(watch(0, { fromNow: true }))).toEqual([]);
  });

  it('goes on after the failure of a job that was resumed', async () => {
    await store.append(job, [failed]);
    await store.requestResume('a');
    await store.append(job, [{ kind: 'stateChange', state: 'preparing' }, failed]);
    expect(await collect(watch(0))).toEqual(upTo(1, 5));
  });

  it('begins with what comes next, if asked to', async () => {
    await store.append(job, upTo(1, 10).map(step));
    const watcher = watch(0, { fromNow: true });
    const next = watcher.next();
    await new Promise((resolve) => setImmediate(resolve));
    await store.append(job, [step(11), failed]);
    expect((await next).value?.sequence).toBe(12);
    expect(await collect(watcher)).toEqual([13]);
  });

  it('replays more events than fit one page', async () => {
    await store.append(job, [...upTo(1, 1_200).map(step), failed]);
    expect(await collect(watch(0))).toEqual(upTo(1, 1_202));
    expect(await collect(watch(700))).toEqual(upTo(701, 1_202));
  });

  it('goes from replay to live without gap or repetition, for every watcher, without asking the database again', async () => {
    await store.append(job, upTo(1, 10).map(step));
    const watchers = [0, 0, 5, 11].map((after) => collect(watch(after)));
    for (let i = 0; i < 50; i++) {
      await store.append(job, [step(i), step(i)]);
    }
    await store.append(job, [cancelled]);
    expect(await Promise.all(watchers)).toEqual([upTo(1, 112), upTo(1, 112), upTo(6, 112), upTo(12, 112)]);
    expect(reads).toBe(watchers.length);
  });

  it('loses nothing for a watcher that reads slowly, and holds no more for it than a page', async () => {
    const watcher = watch(0);
    const first = await watcher.next();
    expect(first.value?.sequence).toBe(1);
    for (let i = 0; i < 6; i++) {
      await store.append(job, upTo(1, 200).map(step));
    }
    await store.append(job, [cancelled]);
    expect(await collect(watcher)).toEqual(upTo(2, 1_202));
    expect(reads).toBe(1 + 3);
  });

  it('sends as many step events of a second as asked for, the same to one that joins again, and all others', async () => {
    for (let i = 0; i < 40; i++) {
      time += 70;
      await store.append(job, i % 10 === 0 ? [step(i), resumed] : [step(i)]);
    }
    await store.append(job, [failed]);
    const all: KeptEvent[] = [];
    for await (const event of watch(0, { stepEventsPerSecondMax: 5 })) {
      all.push(event);
    }
    const steps = all.filter(({ happening }) => happening.kind === 'step');
    // 40 events in 2.8 s.
    expect(steps.length).toBeGreaterThanOrEqual(14);
    expect(steps.length).toBeLessThanOrEqual(15);
    expect(all.filter(({ happening }) => happening.kind === 'resumed')).toHaveLength(4);
    const sequences = all.map(({ sequence }) => sequence);
    for (const after of [1, 7, 20, 33]) {
      const later = await collect(watch(after, { stepEventsPerSecondMax: 5 }));
      expect(later).toEqual(sequences.filter((sequence) => sequence > after));
    }
  });

  it('tells a watcher that its job was deleted before it had read all', async () => {
    await store.append(job, [...upTo(1, 600).map(step), failed]);
    const watcher = watch(0);
    for (let i = 0; i < 500; i++) {
      await watcher.next();
    }
    await store.remove('a');
    await expect(watcher.next()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('stops waiting when it is told to', async () => {
    const stop = new AbortController();
    const watcher = watch(1, {}, stop.signal);
    const next = watcher.next();
    stop.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });
});

describe('watchJobs', () => {
  it('refuses a position that no event has, and filters by what changes', async () => {
    await expect(watchAll(2).next()).rejects.toMatchObject({ fieldViolations: [{ field: 'after_position' }] });
    await expect(watchAll(0, 'state = QUEUED').next()).rejects.toMatchObject({
      fieldViolations: [{ field: 'filter' }],
    });
  });

  it('tells of all jobs in the order of their events, replayed and live, from wherever it joins', async () => {
    const b = (await store.create(newJob({ id: 'b' }))).number;
    await store.append(job, [step(1)]);
    const watchers = [watchAll(0), watchAll(2)];
    const taken = [take(watchers[0]!, 6), take(watchers[1]!, 4)];
    await store.append(b, [step(1), step(2)]);
    await store.append(job, [failed]);
    const all = ['a1', 'b1', 'a2', 'b2', 'b3', 'a3'];
    expect(await Promise.all(taken)).toEqual([all, all.slice(2)]);
    const now = watchAll(0, '', { fromNow: true });
    const next = take(now, 1);
    await new Promise((resolve) => setImmediate(resolve));
    await store.append(b, [failed]);
    expect(await next).toEqual(['b4']);
  });

  it('tells of the jobs that pass a filter, those that come later too', async () => {
    const watcher = watchAll(0, 'owner = ann');
    const taken = take(watcher, 3);
    const b = (await store.create(newJob({ id: 'b', owner: 'ann' }))).number;
    await store.append(job, [step(1)]);
    await store.append(b, [step(1)]);
    await store.create(newJob({ id: 'c', owner: 'ann' }));
    expect(await taken).toEqual(['b1', 'b2', 'c1']);
    expect(await take(watchAll(3, 'owner = ann'), 2)).toEqual(['b2', 'c1']);
  });
});
