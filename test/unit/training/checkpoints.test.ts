import { beforeEach, describe, expect, it } from 'vitest';
import type { Happening } from '../../../services/training/job.js';
import { diskFull, kinds, RunnerFixture, weightsOf } from './runner-fixture.js';

let fixture: RunnerFixture;
beforeEach(async () => {
  fixture = await RunnerFixture.open();
  return () => fixture.close();
});

/** 50 steps an epoch. */
const rows = { train: 400, validation: 16, test: 16 };
const spec = { epochs: 3, batchSize: 8, earlyStopping: { patience: 2 } };

const places = (happenings: Happening[], kind: 'checkpoint' | 'resumed') =>
  happenings.flatMap((happening) =>
    happening.kind === kind ? [`${happening.epochsDone}:${happening.stepsDone}`] : [],
  );

describe('the checkpoints of a job', () => {
  it('are written every so many steps, over the ends of epochs, and after the last', async () => {
    await fixture.create({ ...spec, epochs: 2, earlyStopping: null, checkpoints: { everySteps: 30 } }, rows);
    const told = places(await fixture.run(), 'checkpoint');
    // Those that come due while one is being written are left out.
    expect(['0:30', '1:10', '1:40', '2:0']).toEqual(expect.arrayContaining(told));
    expect(told.at(-1)).toBe('2:0');
    expect(told.length).toBeGreaterThan(0);
  });

  it('are written every so many epochs, and after the last', async () => {
    await fixture.create({ epochs: 3, checkpoints: { everyEpochs: 2 } });
    expect(places(await fixture.run(), 'checkpoint')).toEqual(['2:0', '3:0']);
  });

  it('are written in the midst of an epoch when it is time, and the epoch comes to the same', async () => {
    const many = { train: 400_000, validation: 16, test: 16 };
    const long = { epochs: 1, batchSize: 1, optimizer: { type: 'sgd' as const } };
    await fixture.create(long, many);
    await fixture.run();
    await fixture.create({ ...long, checkpoints: { everySeconds: 1 } }, many, 'b');
    const happenings = await fixture.run();
    const told = places(happenings, 'checkpoint');
    expect(told.at(-1)).toBe('1:0');
    expect(weightsOf(fixture.published[1]!)).toEqual(weightsOf(fixture.published[0]!));
    expect(fixture.published[1]!.metrics).toEqual(fixture.published[0]!.metrics);
  });

  it.each<[string, Record<string, unknown>]>([
    ['every 7 steps', { everySteps: 7, keepLast: 2 }],
    ['every 2 epochs', { everyEpochs: 2 }],
  ])('%s lead to the same bits after each of many interruptions', async (_, checkpoints) => {
    await fixture.create({ ...spec, checkpoints }, rows);
    await fixture.run();
    await fixture.create({ ...spec, checkpoints }, rows, 'b');
    const { write } = fixture.checkpoints;
    let happenings: Happening[] = [];
    for (let stop = 1; kinds(happenings).at(-1) !== 'succeeded'; stop++) {
      // As if killed: nothing is written once the stop has begun.
      fixture.checkpoints.write = write;
      let seen = 0;
      fixture.stopAfter((happening) => {
        seen += happening.kind === 'checkpoint' || happening.kind === 'epoch' ? 1 : 0;
        if (seen >= stop) {
          fixture.checkpoints.write = () => Promise.reject(new Error('killed'));
        }
        return seen >= stop;
      });
      happenings = await fixture.run();
    }
    expect(places(happenings, 'resumed').length).toBeGreaterThan(1);
    expect(weightsOf(fixture.published[1]!)).toEqual(weightsOf(fixture.published[0]!));
    expect(fixture.published[1]!.metrics).toEqual(fixture.published[0]!.metrics);
  });

  it('stay when the job fails on a full disk, and it goes on from them once there is room', async () => {
    await fixture.create(spec, rows);
    await fixture.run();
    await fixture.create({ ...spec, checkpoints: { keepLast: 2 } }, rows, 'b');
    const write = fixture.checkpoints.write.bind(fixture.checkpoints);
    let written = 0;
    fixture.checkpoints.write = (...checkpoint) => (++written > 1 ? Promise.reject(diskFull) : write(...checkpoint));
    const failed = await fixture.run();
    expect(failed.at(-1)).toMatchObject({
      ...{ state: 'failed', error: { code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('resume the job') } },
    });
    expect(await fixture.checkpoints.names('b')).toHaveLength(1);
    fixture.checkpoints.write = write;
    await fixture.store.requestResume('b');
    const resumed = await fixture.run();
    expect(kinds(resumed).at(-1)).toBe('succeeded');
    expect(places(resumed, 'resumed')).toEqual(['1:0']);
    expect(weightsOf(fixture.published[1]!)).toEqual(weightsOf(fixture.published[0]!));
    expect(await fixture.checkpoints.names('b')).toEqual([]);
  });

  it('are gone on from at an earlier place where the newest cannot be read', async () => {
    await fixture.create({ ...spec, checkpoints: { keepLast: 2 } }, rows);
    fixture.stopAfter(({ kind }) => kind === 'checkpoint');
    await fixture.run();
    const intact = await fixture.checkpoints.read('a');
    await fixture.checkpoints.write('a', { ...intact!, epochsDone: 9, trainerState: Uint8Array.of(1, 2, 3) }, 2);
    const happenings = await fixture.run();
    expect(happenings).toContainEqual(expect.objectContaining({ kind: 'log', severity: 'warning' }));
    expect(places(happenings, 'resumed')).toEqual([`${intact!.epochsDone}:${intact!.stepsDone}`]);
    expect(kinds(happenings).at(-1)).toBe('succeeded');
  });
});
