import { beforeEach, describe, expect, it } from 'vitest';
import type { KeptEvent } from '../../../services/training/job.js';
import type { JobStore } from '../../../services/training/job-store.js';
import { timeLeftMs } from '../../../services/training/tuning/time-budget.js';
import { bestTrial, rank } from '../../../services/training/tuning/trial-ranking.js';
import { TrialWatch } from '../../../services/training/tuning/trial-watch.js';
import {
  enterTuningState,
  type KeptTuningEvent,
  type Trial,
  type TuningState,
  toPastTrial,
} from '../../../services/training/tuning/tuning-job.js';
import { TuningFixture, tune } from './tuning-fixture.js';

let fixture: TuningFixture;

beforeEach(async () => {
  fixture = await TuningFixture.open();
  return () => fixture.close();
});

const entered = (state: TuningState) => (event: KeptTuningEvent) =>
  event.happening.kind === 'stateChange' && event.happening.state === state;
const isEnd = (event: KeptTuningEvent) => entered('succeeded')(event) || entered('failed')(event);
const statesOf = (events: KeptTuningEvent[]) =>
  events.flatMap(({ happening }) => (happening.kind === 'stateChange' ? happening.state : []));

/** A gate before an epoch of a trial: resolves `reached` when the training stands there, which goes on once it is opened. */
function gateAt(trial: string, epoch: number): { reached: Promise<void>; open: () => void } {
  let arrive = () => {};
  let open = () => {};
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  fixture.beforeEpoch = async (job, at) => {
    if (job.id.endsWith(trial) && at === epoch) {
      arrive();
      await opened;
    }
  };
  return { reached, open };
}

const jobStates = async () => await new Set((await fixture.jobs.list(everyJob)).jobs.map(({ state }) => state));
const everyJob = { pageSize: 100, pageToken: '', filter: '', orderBy: '' } as unknown as Parameters<
  JobStore['list']
>[0];

describe('a tuning that is paused', () => {
  it('goes on to the same leaderboard as one that was not, over restarts of the service too', async () => {
    await fixture.begin('a');
    await fixture.until('a', isEnd);
    const undisturbed = await fixture.board('a');
    expect(new Set(undisturbed.trials.map(({ state }) => state))).toEqual(new Set(['complete', 'stopped']));

    const last = undisturbed.trials.findLastIndex(({ state }) => state === 'complete') + 1;
    let gate = gateAt('b-trials-1', 2);
    await fixture.begin('b');
    for (const [trial, epoch] of [
      [1, 5],
      [last, 3],
      [0, 0],
    ] as const) {
      await gate.reached;
      const { latestSequence } = await fixture.tunings.pause('b');
      gate.open();
      await fixture.until('b', (event) => event.sequence > latestSequence && entered('paused')(event));
      expect(await jobStates()).toContain('paused');
      await fixture.stop();
      await fixture.start();
      expect(await fixture.store.get('b')).toMatchObject({ state: 'paused' });
      gate = gateAt(`b-trials-${trial}`, epoch);
      await fixture.tunings.resume('b');
    }
    const events = await fixture.until('b', isEnd);
    expect(statesOf(events)).toEqual([
      ...['tuning', 'paused', 'tuning', 'paused', 'tuning', 'paused', 'tuning', 'publishing', 'succeeded'],
    ]);
    expect(await fixture.board('b')).toEqual(undisturbed);
  });

  it('is paused by the next process when this one ends before its trials have stopped', async () => {
    const { reached, open } = gateAt('trials-1', 3);
    await fixture.begin('a');
    await reached;
    await fixture.tunings.pause('a');
    const stopped = fixture.stop();
    open();
    await stopped;
    fixture.beforeEpoch = async () => undefined;
    await fixture.start();
    await fixture.until('a', entered('paused'));
    await fixture.tunings.resume('a');
    expect(statesOf(await fixture.until('a', isEnd))).toEqual([
      ...['tuning', 'paused', 'tuning', 'publishing', 'succeeded'],
    ]);
  });

  it('goes on at once where it is resumed before its trials have stopped', async () => {
    const { reached, open } = gateAt('trials-2', 1);
    await fixture.begin('a');
    await reached;
    await fixture.tunings.pause('a');
    await fixture.tunings.resume('a');
    open();
    const events = await fixture.until('a', isEnd);
    expect(events.at(-1)).toMatchObject({ happening: { state: 'succeeded' } });
  });

  it('in its last training goes on with that', async () => {
    const { reached, open } = gateAt('-best', 4);
    await fixture.begin('a');
    await reached;
    await fixture.tunings.pause('a');
    open();
    await fixture.until('a', entered('paused'));
    await fixture.stop();
    await fixture.start();
    await fixture.tunings.resume('a');
    const events = await fixture.until('a', isEnd);
    expect(statesOf(events)).toEqual(['tuning', 'publishing', 'paused', 'publishing', 'succeeded']);
    expect(await fixture.store.get('a')).toMatchObject({ jobId: 'tuningjobs-a-best' });
  });

  it('ends when it is cancelled, and so do its trials', async () => {
    const { reached, open } = gateAt('trials-1', 2);
    await fixture.begin('a', { parallel: 2 });
    await reached;
    await fixture.tunings.pause('a');
    open();
    await fixture.until('a', entered('paused'));
    await fixture.stop();
    await fixture.start();
    await fixture.tunings.cancel('a');
    await fixture.until('a', entered('cancelled'));
    const { trials } = await fixture.board('a');
    expect(trials.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    expect(await jobStates()).toEqual(new Set(['cancelled']));
  });

  it('ends when it is cancelled while its trials stop', async () => {
    const { reached, open } = gateAt('trials-1', 2);
    await fixture.begin('a');
    await reached;
    await fixture.tunings.pause('a');
    await fixture.tunings.cancel('a');
    open();
    await fixture.until('a', entered('cancelled'));
    expect(await jobStates()).toEqual(new Set(['cancelled']));
    await expect(fixture.tunings.remove('a')).resolves.toBeUndefined();
  });

  it('is refused what it cannot do', async () => {
    const { reached, open } = gateAt('trials-1', 2);
    await fixture.begin('a');
    await reached;
    await expect(fixture.tunings.resume('a')).rejects.toMatchObject({
      ...{
        code: 'FAILED_PRECONDITION',
        message: expect.stringContaining('cannot be resumed: it is tuning, not paused.'),
      },
    });
    await fixture.tunings.pause('a');
    open();
    await fixture.until('a', entered('paused'));
    await expect(fixture.tunings.pause('a')).rejects.toMatchObject({ reason: 'TUNING_PAUSED' });
    await fixture.tunings.cancel('a');
    await fixture.until('a', entered('cancelled'));
    await expect(fixture.tunings.pause('a')).rejects.toMatchObject({
      message: 'The tuning tuningJobs/a cannot be paused: it has been cancelled.',
    });
    await expect(fixture.tunings.resume('a')).rejects.toMatchObject({ reason: 'TUNING_ENDED' });
  });

  it('spends no time', async () => {
    const tuning = await fixture.begin('a');
    const change = (state: TuningState) => ({ kind: 'stateChange', state }) as const;
    const paused = enterTuningState(tuning, change('paused'), 1_000);
    const resumed = enterTuningState(paused, change('tuning'), 1_700);
    const again = enterTuningState(enterTuningState(resumed, change('paused'), 2_000), change('tuning'), 2_050);
    expect([paused.pausedMs, resumed.pausedMs, again.pausedMs]).toEqual([0, 700, 750]);
    expect(again.pauseTimeMs).toBe(2_000);
  });
});

it('stops trials by their bracket of Hyperband', async () => {
  await fixture.begin('a', { stopEarly: 'hyperband', trials: 4, seed: 3 });
  await fixture.until('a', isEnd);
  const { trials } = await fixture.board('a');
  const reasons = trials.flatMap(({ endReason }) => endReason ?? []);
  expect(reasons.length).toBeGreaterThan(0);
  // What trains on folds, the last training does alone.
  const { jobs } = await fixture.jobs.list(everyJob);
  expect(jobs.map(({ spec }) => [spec.crossValidation, spec.learningCurve].map(Boolean))).toEqual([
    [true, true],
    ...trials.map(() => [false, false]),
  ]);
  for (const reason of reasons) {
    expect(reason).toMatch(/^Stopped by tuning: 1 of the 1 other trials of bracket 1 that were validated once/);
  }
});

it('cuts off the trials that run when the time is up, and publishes one of them if it is the best', async () => {
  // The second trial is worse than the first up to the end, the third is better from its first epoch on.
  const { reached, open } = gateAt('trials-3', 5);
  await fixture.begin('a', { stopEarly: 'none', trials: 9, seconds: 1_000 });
  await reached;
  fixture.nowMs += 1_000_000;
  open();
  const events = await fixture.until('a', isEnd);
  const { trials } = await fixture.board('a');
  expect(trials.map(({ state }) => state)).toEqual(['complete', 'complete', 'cutOff']);
  const [, , last] = trials;
  expect(last).toMatchObject({ endReason: 'Stopped by tuning: the time of the tuning is up.' });
  expect(last!.epochsDone).toBeGreaterThanOrEqual(5);
  // Without early stopping it would publish the weights of its last epoch.
  expect(last!.objective).toBe(last!.curve.at(-1));
  expect(statesOf(events)).toEqual(['tuning', 'publishing', 'succeeded']);
  const { spec } = await fixture.jobs.get('tuningjobs-a-best');
  expect(spec.optimizer).toMatchObject({ learningRate: last!.values['optimizer.learning_rate'] });
});

describe('a trial that is cut off', () => {
  const trial: Trial = {
    ...{
      number: 0,
      values: {},
      state: 'running',
      objective: null,
      epochsDone: 0,
      curve: [],
      jobId: null,
      endReason: null,
    },
    ...{ beginTimeMs: 0, endTimeMs: null, spentMs: 0 },
  };
  const epoch = (epoch: number, validationLoss: number | null) =>
    ({ happening: { kind: 'epoch', epoch, validationLoss } }) as KeptEvent;

  it.each([
    ['at its best with early stopping', true, 0.2],
    ['as it was measured last without', false, 0.3],
  ])('counts %s', (_, restoresBest, objective) => {
    const watch = new TrialWatch(trial, 'validationLoss', restoresBest);
    for (const event of [epoch(1, 0.4), epoch(2, 0.2), epoch(3, 0.3), epoch(4, null)]) {
      watch.take(event);
    }
    watch.end('cutOff', 'the time was up');
    expect(watch.current).toMatchObject({ state: 'cutOff', objective, epochsDone: 4 });
    watch.take(epoch(5, 0.1));
    expect(watch.current).toMatchObject({ objective, epochsDone: 4 });
  });

  it('is ranked with the complete ones by what it had come to, and with the stopped ones without that', () => {
    const trials = [
      { ...trial, number: 0, state: 'complete', objective: 0.3 },
      { ...trial, number: 1, state: 'stopped', objective: 0.1, epochsDone: 1 },
      { ...trial, number: 2, state: 'cutOff', objective: 0.2 },
      { ...trial, number: 3, state: 'cutOff', objective: null },
      { ...trial, number: 4, state: 'failed', objective: 0.05 },
    ] as const;
    const ranked = rank(trials.map((each) => toPastTrial(each, 'validationLoss')));
    expect(ranked.map(({ number }) => number)).toEqual([2, 0, 1, 3, 4]);
    expect(bestTrial(trials, 'validationLoss')?.number).toBe(2);
    expect(bestTrial(trials, 'validationAccuracy')?.number).toBe(0);
  });

  it('leaves the time that it would take to its end for the last training', () => {
    const tuning = { tune: { ...tune, seconds: 100 }, createTimeMs: 1_000, pausedMs: 500 };
    const complete: Trial = { ...trial, state: 'complete', objective: 0.5, epochsDone: 10, spentMs: 20_000 };
    const running: Trial = { ...trial, number: 1, objective: 0.6, epochsDone: 2, spentMs: 8_000 };
    const left = (...trials: Trial[]) => timeLeftMs(tuning, trials, 11_500);
    expect(left()).toBe(90_000);
    expect(left(complete, running)).toBe(70_000);
    // It leads, and 10 epochs of it would take 40 s.
    expect(left(complete, { ...running, objective: 0.4 })).toBe(50_000);
    expect(left({ ...running, objective: 0.4 })).toBe(82_000);
    expect(timeLeftMs({ ...tuning, tune }, [complete], 11_500)).toBe(Number.POSITIVE_INFINITY);
  });
});
