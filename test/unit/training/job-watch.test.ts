import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../services/platform/database.js';
import type { Happening, TrainingEvent } from '../../../services/training/job.js';
import { JobStore } from '../../../services/training/job-store.js';
import { watchJob } from '../../../services/training/job-watch.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { tempFolder } from '../../support/temp-folder.js';
import { newJob } from './spec-draft.js';

const step = (number: number): Happening => ({
  ...{ kind: 'step', epoch: 1, step: number, stepsPerEpoch: 1_000, loss: 1, accuracy: null },
  ...{ examplesPerSecond: 1, remainingSeconds: 1 },
});
const failed: Happening = { kind: 'stateChange', state: 'failed', error: { code: 'INTERNAL', message: 'why' } };

describe('watchJob', () => {
  let store: JobStore;
  let job: number;
  const never = new AbortController().signal;

  beforeEach(async () => {
    const database = await openDatabase<Schema>(path.join(tempFolder(), 'training.db'), migrations);
    store = new JobStore(database, () => 0);
    job = (await store.create(newJob())).number;
    return () => database.destroy();
  });

  const collect = async (events: AsyncIterable<TrainingEvent>) => {
    const sequences: number[] = [];
    for await (const { sequence } of events) {
      sequences.push(sequence);
    }
    return sequences;
  };
  const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  it('refuses an unknown job', async () => {
    await expect(collect(watchJob(store, 'b', 0, never))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([-1, 2, 0.5])('refuses to go on after event %s of a job with one', async (after) => {
    await expect(collect(watchJob(store, 'a', after, never))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      fieldViolations: [{ field: 'after_sequence' }],
    });
  });

  it('ends at once after the last event of an ended job', async () => {
    await store.append(job, [failed]);
    expect(await collect(watchJob(store, 'a', 2, never))).toEqual([]);
  });

  it('replays more events than fit one page', async () => {
    await store.append(job, [...upTo(1, 1_200).map(step), failed]);
    expect(await collect(watchJob(store, 'a', 0, never))).toEqual(upTo(1, 1_202));
    expect(await collect(watchJob(store, 'a', 700, never))).toEqual(upTo(701, 1_202));
  });

  it('goes from replay to live without gap or repetition, for every watcher', async () => {
    await store.append(job, upTo(1, 10).map(step));
    const watchers = [0, 0, 5, 11].map((after) => collect(watchJob(store, 'a', after, never)));
    for (let i = 0; i < 50; i++) {
      await store.append(job, [step(i), step(i)]);
    }
    await store.append(job, [failed]);
    expect(await Promise.all(watchers)).toEqual([upTo(1, 112), upTo(1, 112), upTo(6, 112), upTo(12, 112)]);
  });

  it('loses nothing for a watcher that reads slowly', async () => {
    const watcher = watchJob(store, 'a', 0, never);
    const first = await watcher.next();
    expect(first.value?.sequence).toBe(1);
    await store.append(job, upTo(1, 600).map(step));
    await store.append(job, [failed]);
    expect(await collect(watcher)).toEqual(upTo(2, 602));
  });

  it('tells a watcher that its job was deleted before it had read all', async () => {
    await store.append(job, [...upTo(1, 600).map(step), failed]);
    const watcher = watchJob(store, 'a', 0, never);
    for (let i = 0; i < 500; i++) {
      await watcher.next();
    }
    await store.remove('a');
    await expect(watcher.next()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('stops waiting when it is told to', async () => {
    const stop = new AbortController();
    const watcher = watchJob(store, 'a', 1, stop.signal);
    const next = watcher.next();
    stop.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });
});
