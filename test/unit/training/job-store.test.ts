import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Kysely, openDatabase } from '../../../services/platform/database.js';
import { ServiceError } from '../../../services/platform/errors.js';
import type { Happening } from '../../../services/training/job.js';
import { jobCondition } from '../../../services/training/job-filter.js';
import type { JobState } from '../../../services/training/job-state.js';
import { JobStore } from '../../../services/training/job-store.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { tempFolder } from '../../support/temp-folder.js';
import { fittedPipeline, newJob } from './spec-draft.js';

const epoch = (number: number): Happening => ({
  ...{ kind: 'epoch', epoch: number, epochs: 5, loss: 0.5, accuracy: 0.9 },
  ...{
    validationLoss: null,
    validationAccuracy: null,
    seconds: 1,
    examplesPerSecond: 10,
    remainingSeconds: 3,
    learningRate: 0.001,
    steps: 10,
    gradientNorm: 1,
    weightNorm: 2,
  },
});
const state = (entered: JobState): Happening => ({ kind: 'stateChange', state: entered });

describe('JobStore', () => {
  let database: Kysely<Schema>;
  let store: JobStore;
  let time = 0;

  const create = (id: string, requestId: string | null = null, requestDigest = 'd') =>
    store.create(newJob({ id, requestId, requestDigest }));
  const listed = async () => {
    const { jobs } = await store.list({ filter: '', orderBy: '', pageSize: 10, pageToken: '' });
    return jobs.map(({ id }) => id);
  };
  const sequences = async (job: number) => (await store.events(job, 0, 100)).map(({ sequence }) => sequence);

  beforeEach(async () => {
    time = 0;
    database = await openDatabase<Schema>(path.join(tempFolder(), 'training.db'), migrations);
    store = new JobStore(database, () => ++time);
    return () => database.destroy();
  });

  it('says that a job is not there', async () => {
    await expect(store.get('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'TRAINING_JOB_NOT_FOUND' });
  });

  it('refuses a request id with another spec', async () => {
    await create('a', 'r1', 'one');
    await expect(create('b', 'r1', 'two')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(store.findRequested('r1', 'two')).rejects.toBeInstanceOf(ServiceError);
  });

  it('answers the first job to a repeated request', async () => {
    const first = await create('a', 'r1');
    expect(await create('b', 'r1')).toEqual(first);
    expect(await store.findRequested('r1', 'd')).toEqual(first);
    expect(await listed()).toEqual(['a']);
  });

  it('makes two jobs of two requests without id', async () => {
    await create('a');
    await create('b');
    expect(await listed()).toEqual(['b', 'a']);
  });

  it('refuses a job beyond the length of the queue, but not a repeated request', async () => {
    store = new JobStore(database, () => ++time, 2);
    const { number } = await create('a', 'r1');
    await create('b');
    await expect(create('c')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'QUEUE_FULL' });
    expect((await create('d', 'r1')).id).toBe('a');
    await store.append(number, [state('failed')]);
    expect((await create('e')).id).toBe('e');
  });

  it('begins a job with the event of its queueing', async () => {
    const job = await create('a');
    expect(job).toMatchObject({ state: 'queued', latestSequence: 1, createTimeMs: 1 });
    expect(await store.events(job.number, 0, 10)).toMatchObject([
      { sequence: 1, timeMs: 1, happening: { kind: 'stateChange', state: 'queued' } },
    ]);
  });

  it('numbers the events of each job without gaps', async () => {
    const [a, b] = [await create('a'), await create('b')];
    await store.append(a.number, [state('preparing'), state('training')]);
    await store.append(b.number, [state('preparing')]);
    await store.append(a.number, [epoch(1)]);
    expect(await sequences(a.number)).toEqual([1, 2, 3, 4]);
    expect(await sequences(b.number)).toEqual([1, 2]);
  });

  it('keeps nothing of a batch with an impossible state', async () => {
    const job = await create('a');
    await expect(store.append(job.number, [epoch(1), state('succeeded')])).rejects.toThrow('from queued to succeeded');
    expect(await store.get('a')).toEqual(job);
    expect(await sequences(job.number)).toEqual([1]);
  });

  it('derives the job from its events', async () => {
    const { number } = await create('a');
    await store.append(number, [state('preparing'), state('training'), epoch(1), epoch(2)]);
    await store.append(number, [{ kind: 'resumed', epochsDone: 1, stepsDone: 0 }]);
    expect(await store.get('a')).toMatchObject({ state: 'training', epochsDone: 1, startTimeMs: 2, endTimeMs: null });
    const error = { code: 'INTERNAL' as const, message: 'why' };
    await store.append(number, [{ kind: 'stateChange', state: 'failed', error }]);
    expect(await store.get('a')).toMatchObject({ state: 'failed', error, startTimeMs: 2, endTimeMs: 7 });
  });

  it('reports of a repeated epoch what it brought last', async () => {
    const { number } = await create('a');
    await store.append(number, [
      state('preparing'),
      state('training'),
      epoch(1),
      { ...epoch(2), loss: 9 } as Happening,
    ]);
    await store.append(number, [{ kind: 'resumed', epochsDone: 1, stepsDone: 0 }, epoch(2), epoch(3)]);
    const { kind: _, ...metrics } = epoch(2) as Happening & { kind: 'epoch' };
    expect(await store.epochs(number, 2)).toEqual([{ ...metrics, epoch: 1 }, metrics]);
  });

  it('claims jobs first in, first out', async () => {
    const a = await create('a');
    await create('b');
    const claimed = await store.claimNext();
    expect(claimed).toMatchObject({ isBegun: false, job: { id: 'a', state: 'preparing' } });
    expect(claimed?.job.pipeline).toEqual(fittedPipeline());
    await store.append(a.number, [state('failed')]);
    expect((await store.claimNext())?.job.id).toBe('b');
  });

  it('claims a job that an earlier process began before any other', async () => {
    await create('a');
    await create('b');
    await store.claimNext();
    expect(await store.claimNext()).toMatchObject({ isBegun: true, job: { id: 'a', state: 'preparing' } });
  });

  it('has nothing to claim when all jobs have ended', async () => {
    const { number } = await create('a');
    await store.append(number, [state('failed')]);
    expect(await store.claimNext()).toBeNull();
    // It may be resumed, so its checkpoints are of use.
    expect(await store.resumableIds()).toEqual(new Set(['a']));
  });

  it('refuses to cancel a job that has ended', async () => {
    const { number } = await create('a');
    await store.append(number, [state('failed')]);
    await expect(store.requestCancel('a')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'JOB_ENDED' });
  });

  it('refuses to cancel a job that publishes: its version may exist already', async () => {
    const { number } = await create('a');
    await store.append(number, [state('preparing'), state('publishing')]);
    await expect(store.requestCancel('a')).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'JOB_PUBLISHING',
      message: expect.stringContaining('models/'),
    });
    expect(await store.wishes(number)).toEqual({ cancel: false, pause: false });
  });

  it('cancels a queued job at once', async () => {
    await create('a');
    expect(await store.requestCancel('a')).toMatchObject({ state: 'cancelled', latestSequence: 2 });
    expect(await store.claimNext()).toBeNull();
  });

  it('keeps the wish to cancel a running job', async () => {
    const { number } = await create('a');
    await store.claimNext();
    expect(await store.requestCancel('a')).toMatchObject({ state: 'preparing', cancelRequested: true });
    expect(await store.wishes(number)).toEqual({ cancel: true, pause: false });
  });

  it('pauses a queued job at once, and lets it queue again in its old place', async () => {
    const [a] = [await create('a'), await create('b')];
    expect(await store.requestPause('a')).toMatchObject({ state: 'paused', pauseTimeMs: expect.any(Number) });
    await expect(store.requestPause('a')).rejects.toMatchObject({ reason: 'JOB_PAUSED' });
    const b = (await store.claimNext())!.job;
    expect(b.id).toBe('b');
    expect(await store.claimNext([b.number])).toBeNull();
    await create('c');
    expect(await store.requestResume('a')).toMatchObject({ state: 'queued', pauseRequested: false, endTimeMs: null });
    await expect(store.requestResume('a')).rejects.toMatchObject({ reason: 'JOB_NOT_PAUSED' });
    expect(await store.claimNext([b.number])).toMatchObject({ job: { id: 'a', attemptCount: 1 }, isBegun: false });
    expect(await sequences(a.number)).toEqual([1, 2, 3, 4]);
  });

  it('keeps the wish to pause a running job until it has paused', async () => {
    const { number } = await create('a');
    await store.claimNext();
    expect(await store.requestPause('a')).toMatchObject({ state: 'preparing', pauseRequested: true });
    expect(await store.wishes(number)).toEqual({ cancel: false, pause: true });
    expect(await store.keepPause(number)).toBe('paused');
    await store.requestResume('a');
    expect(await store.claimNext()).toMatchObject({ job: { attemptCount: 2, state: 'preparing' }, isBegun: true });
  });

  it('queues a job that was resumed before it had paused, and ends one that was cancelled', async () => {
    const [a, b] = [await create('a'), await create('b')];
    await store.claimNext();
    await store.claimNext([a.number]);
    await Promise.all([store.requestPause('a'), store.requestPause('b')]);
    await store.requestResume('a');
    await store.requestCancel('b');
    expect(await store.keepPause(a.number)).toBe('queued');
    expect(await store.keepPause(b.number)).toBe('cancelled');
    expect((await store.events(a.number, 2, 10)).map(({ happening }) => happening)).toEqual([
      state('paused'),
      state('queued'),
    ]);
    // Its last run may not be over yet.
    expect(await store.claimNext([a.number])).toBeNull();
  });

  it('refuses to pause or resume what has ended or publishes', async () => {
    await create('a');
    const b = await create('b');
    await store.requestCancel('a');
    await store.append(b.number, [state('preparing'), state('publishing')]);
    await expect(store.requestPause('a')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'JOB_ENDED' });
    await expect(store.requestResume('a')).rejects.toMatchObject({ reason: 'JOB_ENDED' });
    await expect(store.requestPause('b')).rejects.toMatchObject({ reason: 'JOB_PUBLISHING' });
  });

  it('queues a job that has failed, to go on, if there is room', async () => {
    const { number } = await create('a');
    await store.claimNext();
    await store.requestCancel('a');
    await store.append(number, [{ kind: 'stateChange', state: 'failed', error: { code: 'INTERNAL', message: 'why' } }]);
    expect(await store.requestResume('a')).toMatchObject({
      ...{ state: 'queued', error: null, endTimeMs: null, cancelRequested: false },
    });
    expect(await store.claimNext()).toMatchObject({ isBegun: true, job: { id: 'a', state: 'preparing' } });
    await store.append(number, [state('failed')]);
    const full = new JobStore(database, () => 0, 0);
    await expect(full.requestResume('a')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  it('cancels a paused job at once', async () => {
    await create('a');
    await store.requestPause('a');
    expect(await store.requestCancel('a')).toMatchObject({ state: 'cancelled', endTimeMs: expect.any(Number) });
  });

  it('deletes jobs that have ended, their events and their request ids', async () => {
    const { number } = await create('a', 'r1');
    await expect(store.remove('a')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'JOB_NOT_ENDED' });
    await store.append(number, [state('failed')]);
    await store.remove('a');
    await expect(store.get('a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(store.remove('a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await sequences(number)).toEqual([]);
    expect((await create('b', 'r1', 'another')).number).toBeGreaterThan(number);
  });

  it('prefers priority, then owners with less running, then those who wait longest for a turn', async () => {
    const queue = async (id: string, owner: string, priority = 0) =>
      store.create(newJob({ id, owner, priority, requestDigest: id }));
    for (const [id, owner, priority] of [
      ['a1', 'a', 0],
      ['a2', 'a', 0],
      ['a3', 'a', 0],
      ['b1', 'b', 0],
      ['b2', 'b', 0],
      ['c1', 'c', -1],
      ['a4', 'a', 5],
    ] as const) {
      await queue(id, owner, priority);
    }
    const order: string[] = [];
    const running: number[] = [];
    for (let claimed = await store.claimNext(); claimed; claimed = await store.claimNext(running)) {
      order.push(claimed.job.id);
      // Of two places one is free again each time, the longer held one.
      running.push(claimed.job.number);
      if (running.length === 2) {
        await store.append(running.shift()!, [state('failed')]);
      }
    }
    expect(order).toEqual(['a4', 'b1', 'a1', 'b2', 'a2', 'a3', 'c1']);
  });

  it('tells of events once they are committed, with their positions among those of all jobs, and of removals', async () => {
    const told: number[][] = [];
    const stop = store.listen({
      onEvents: (events) =>
        told.push(...events.map(({ jobNumber, sequence, position }) => [jobNumber, sequence, position])),
      onRemoved: (number) => told.push([number]),
    });
    const { number } = await create('a');
    await create('b');
    await store.append(number, [state('preparing'), state('training')]);
    await store.append(number, [state('queued')]).catch(() => undefined);
    await store.append(number, [state('failed')]);
    await store.remove('a');
    const { number: third } = await create('c');
    stop();
    await store.requestCancel('b');
    expect(told).toEqual([[1, 1, 1], [2, 1, 2], [1, 2, 3], [1, 3, 4], [1, 4, 5], [1], [third, 1, 6]]);
    expect(await store.latestPosition()).toBe(7);
    expect((await store.allEvents(jobCondition([]), 2, 10)).map(({ position, jobId }) => [position, jobId])).toEqual([
      [6, 'c'],
      [7, 'b'],
    ]);
  });

  it('counts jobs by state', async () => {
    await create('a');
    await create('b');
    await store.claimNext();
    expect(await store.countByState()).toMatchObject({ queued: 1, preparing: 1, training: 0 });
  });
});
