import { beforeEach, describe, expect, it } from 'vitest';
import type { JobStore } from '../../../services/training/job-store.js';
import {
  enterTuningState,
  type KeptTuningEvent,
  type TuningState,
} from '../../../services/training/tuning/tuning-job.js';
import { TuningFixture } from './tuning-fixture.js';

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
  for (const reason of reasons) {
    expect(reason).toMatch(/^Stopped by tuning: 1 of the 1 other trials of bracket 1 that were validated once/);
  }
});
