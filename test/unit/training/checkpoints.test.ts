import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Trainer } from '../../../native/index.js';
import type { Happening } from '../../../services/training/job.js';
import { diskFull, kinds, RunnerFixture, twoClasses, weightsOf } from './runner-fixture.js';

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

describe('a training that diverges', () => {
  const onDivergence = { retries: 4, learningRateFactor: 0.25 };
  /** A rate that is too large by far: the loss grows from step to step. */
  const steep = {
    pipeline: { labelKind: 'number' as const, message: {} },
    layers: [{ type: 'dense' as const, units: 1, activation: 'linear', kernelInitializer: null }],
    ...{ loss: 'meanSquaredError' as const, optimizer: { type: 'sgd' as const, learningRate: 32 } },
    ...{ epochs: 3, batchSize: 8, earlyStopping: { patience: 5 } },
  };

  beforeEach(() => {
    fixture.preprocessing = {
      tensors: async (...asked) => {
        const { rows: count, features } = await twoClasses.tensors(...asked);
        return { rows: count, features, targets: Float32Array.from({ length: count }, (_, i) => features[2 * i]!) };
      },
    };
  });

  const warnings = (happenings: Happening[]) =>
    happenings.flatMap((happening) =>
      happening.kind === 'log' && happening.severity === 'warning' ? [happening.text] : [],
    );

  it('fails with the reason, unless it is to go back', async () => {
    await fixture.create(steep, rows);
    expect((await fixture.run()).at(-1)).toMatchObject({
      ...{
        state: 'failed',
        error: { code: 'FAILED_PRECONDITION', message: expect.stringMatching(/^Training diverged/) },
      },
    });
  });

  it('fails when no retry is left', async () => {
    await fixture.create({ ...steep, onDivergence: { retries: 1, learningRateFactor: 0.99 } }, rows);
    const happenings = await fixture.run();
    expect(warnings(happenings)).toHaveLength(1);
    expect(happenings.at(-1)).toMatchObject({ error: { message: expect.stringContaining('lowered 1 times') } });
  });

  it('goes back to the last epoch with lower learning rates, to the same bits after each of many interruptions', async () => {
    await fixture.create({ ...steep, onDivergence }, rows);
    const undisturbed = await fixture.run();
    expect(kinds(undisturbed).at(-1)).toBe('succeeded');
    const said = warnings(undisturbed);
    expect(said[0]).toMatch(
      /^Training diverged.* It goes on from the start with learning rates times 0.25 \(1 of 4 retries\)\.$/,
    );
    expect(said.length).toBeGreaterThan(1);
    const checkpoints = { everySteps: 7 };
    await fixture.create({ ...steep, onDivergence, checkpoints }, rows, 'b');
    let happenings: Happening[] = [];
    for (let stop = 1; kinds(happenings).at(-1) !== 'succeeded'; stop++) {
      let seen = 0;
      fixture.stopAfter(({ kind }) => {
        seen += kind === 'checkpoint' || kind === 'log' || kind === 'epoch' ? 1 : 0;
        return seen >= stop;
      });
      happenings = await fixture.run();
    }
    expect(weightsOf(fixture.published[1]!)).toEqual(weightsOf(fixture.published[0]!));
    expect(fixture.published[1]!.metrics).toEqual(fixture.published[0]!.metrics);
  });

  it('goes back from the midst to the end of an epoch, with the schedule that it had come to', async () => {
    const plateau = { type: 'plateau' as const, patience: 0, factor: 0.5, minimumDelta: 1e6 };
    await fixture.create(
      { ...steep, optimizer: { type: 'sgd', learningRate: 0.1 }, schedule: plateau, onDivergence },
      rows,
    );
    const { evaluate } = Trainer.prototype;
    let evaluations = 0;
    vi.spyOn(Trainer.prototype, 'evaluate').mockImplementation(async function (this: Trainer, examples) {
      const measured = await evaluate.call(this, examples);
      // The validation after the third epoch.
      return ++evaluations === 3 ? { ...measured, loss: Number.POSITIVE_INFINITY } : measured;
    });
    const happenings = await fixture.run();
    vi.restoreAllMocks();
    expect(places(happenings, 'resumed')).toEqual(['2:0']);
    const rates = happenings.flatMap((happening) => (happening.kind === 'epoch' ? happening.learningRate : []));
    // Halved after the second epoch, and a quarter of that after the divergence.
    expect(rates).toEqual([0.1, 0.1, expect.closeTo(0.1 / 2 / 4, 9)]);
  });
});
