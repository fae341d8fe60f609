import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EventBursts } from '../../../services/training/event-bursts.js';
import type { FeedListener, FeedStore } from '../../../services/training/event-feed.js';
import type { Happening, KeptEvent } from '../../../services/training/job.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A store that hands on what it is told to, and what a listener to its bursts heard, a list a burst. */
function heardFrom() {
  let source!: FeedListener<KeptEvent>;
  const store: FeedStore<KeptEvent> = {
    listen(listener) {
      source = listener;
      return () => undefined;
    },
  };
  const bursts = new EventBursts(store);
  const heard: number[][] = [];
  const removed: number[] = [];
  const stop = bursts.listen({
    onEvents: (events) => heard.push(events.map(({ sequence }) => sequence)),
    onRemoved: (jobNumber) => removed.push(jobNumber),
  });
  let sequence = 0;
  const commit = (...kinds: Happening['kind'][]) =>
    source.onEvents(kinds.map((kind) => ({ sequence: ++sequence, jobNumber: 1, happening: { kind } }) as KeptEvent));
  return { commit, heard, removed, stop, remove: (jobNumber: number) => source.onRemoved(jobNumber) };
}

it('hands on the first event at once, and what follows soon together, in order', () => {
  const { commit, heard } = heardFrom();
  commit('step');
  expect(heard).toEqual([[1]]);
  commit('epoch');
  vi.advanceTimersByTime(200);
  commit('checkpoint', 'step');
  expect(heard).toEqual([[1]]);
  vi.advanceTimersByTime(200);
  expect(heard).toEqual([[1], [2, 3, 4]]);
  commit('step');
  vi.advanceTimersByTime(400);
  expect(heard).toEqual([[1], [2, 3, 4], [5]]);
});

it('is not held up by a burst that is long past', () => {
  const { commit, heard } = heardFrom();
  commit('step');
  vi.advanceTimersByTime(1_000);
  commit('step');
  expect(heard).toEqual([[1], [2]]);
});

it('hands on at once what changes a job, after what came before it', () => {
  const { commit, heard } = heardFrom();
  commit('step');
  commit('epoch');
  commit('trainingEnd', 'stateChange');
  expect(heard).toEqual([[1], [2, 3, 4]]);
  vi.advanceTimersByTime(1_000);
  expect(heard).toHaveLength(2);
});

it('tells at once of jobs that are removed, and nothing to one that has left', () => {
  const { commit, heard, removed, stop, remove } = heardFrom();
  remove(7);
  expect(removed).toEqual([7]);
  stop();
  commit('stateChange');
  expect(heard).toEqual([]);
});
