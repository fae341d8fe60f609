import { describe, expect, it } from 'vitest';
import { enterState, isEndState, type JobState, jobStates } from '../../../services/training/job-state.js';

describe('enterState', () => {
  it.each<[JobState, JobState]>([
    ['queued', 'training'],
    ['training', 'queued'],
    ['testing', 'training'],
    ['testing', 'succeeded'],
    ['publishing', 'training'],
    ['paused', 'training'],
    ['paused', 'failed'],
  ])('refuses to go from %s to %s', (from, to) => {
    expect(() => enterState(from, to)).toThrow(`from ${from} to ${to}`);
  });

  it.each<JobState>(['succeeded', 'cancelled'])('lets nothing follow %s', (end) => {
    expect(isEndState(end)).toBe(true);
    for (const to of jobStates) {
      expect(() => enterState(end, to)).toThrow();
    }
  });

  it.each<JobState>(['queued', 'preparing', 'training', 'testing', 'publishing'])(
    'lets %s fail and be cancelled',
    (from) => {
      expect(enterState(from, 'failed')).toBe('failed');
      expect(enterState(from, 'cancelled')).toBe('cancelled');
    },
  );

  it.each<JobState>(['queued', 'preparing', 'training', 'testing'])('lets %s be paused, and queue again', (from) => {
    expect(enterState(enterState(from, 'paused'), 'queued')).toBe('queued');
  });

  it('ends a job that has failed, unless it is queued again', () => {
    expect(isEndState('failed')).toBe(true);
    expect(enterState('failed', 'queued')).toBe('queued');
    expect(() => enterState('failed', 'preparing')).toThrow();
  });

  it('lets a paused job be cancelled', () => {
    expect(enterState('paused', 'cancelled')).toBe('cancelled');
  });

  it('leads from the queue to success', () => {
    const path: JobState[] = ['queued', 'preparing', 'training', 'testing', 'publishing', 'succeeded'];
    expect(path.slice(1).reduce((state, next) => enterState(state, next), path[0]!)).toBe('succeeded');
  });

  it.each<JobState>(['preparing', 'training', 'testing', 'publishing'])(
    'prepares anew after an interruption while %s',
    (from) => {
      expect(enterState(from, 'preparing')).toBe('preparing');
    },
  );

  it.each<JobState>(['training', 'testing', 'publishing'])('goes on with %s after preparing', (to) => {
    expect(enterState('preparing', to)).toBe(to);
  });
});
