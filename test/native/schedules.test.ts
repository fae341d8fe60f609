import { describe, expect, test } from 'vitest';
import { type EpochProgress, Network, type Schedule, type Trainer } from '../../native/index.js';
import kerasFile from '../golden/optimizers-keras.json' with { type: 'json' };
import torchFile from '../golden/optimizers-torch.json' with { type: 'json' };
import { epochOptions, examplesOf, floatBlock, noise, specOf, trainerOf } from './build-network.js';
import type { GoldenFile } from './optimizer-golden.js';

const keras = (kerasFile as unknown as GoldenFile).schedules;
const torch = (torchFile as unknown as GoldenFile).schedules;

const spec = specOf(2, '1 linear');
const step = { rows: 1, features: floatBlock(2, noise(2)), targets: Float32Array.of(0.5) };

function trainerWith(schedule: Schedule | null, learningRate = 0.1): Trainer {
  return trainerOf(Network.create(spec, 1), {
    loss: 'meanSquaredError',
    optimizer: { type: 'sgd', learningRate },
    schedule,
    batchSize: 'full',
  });
}

/** The rate of each of the first steps, as the trainer tells it before, and as the step reports it. */
async function ratesOf(trainer: Trainer, steps: number): Promise<number[]> {
  const rates: number[] = [];
  for (let epoch = 0; epoch < steps; epoch += 1) {
    rates.push(trainer.learningRate);
    const { learningRate } = await trainer.trainEpoch(step, epochOptions(epoch));
    expect(learningRate).toBe(rates[epoch]);
  }
  return rates;
}

function expectRates(actual: number[], expected: number[]): void {
  // Both in doubles, a few roundings apart; the files hold 10 digits.
  for (const [index, rate] of expected.entries()) {
    expect(Math.abs(actual[index]! - rate), `step ${index}`).toBeLessThanOrEqual(1e-9 * rate + 1e-15);
  }
}

describe.each([
  ['Keras', keras],
  ['PyTorch', torch],
])('sixty steps agree with %s', (_, file) => {
  test.each(file.curves.map(({ schedule, rates }) => [JSON.stringify(schedule), schedule, rates] as const))(
    '%s',
    async (_title, schedule, rates) => {
      expect(new Set(rates).size).toBeGreaterThan(4);
      expectRates(await ratesOf(trainerWith(schedule, file.learningRate), rates.length), rates);
    },
  );
});

describe('a plateau comes down as in Keras', () => {
  test.each(keras.plateaus!.map((run) => [JSON.stringify(run.schedule), run] as const))('%s', (_, run) => {
    const trainer = trainerWith(run.schedule);
    const rates = run.metrics.map((metric) => {
      trainer.observe(metric);
      return trainer.learningRate;
    });
    // Keras keeps its rate in the type of its numbers; ten digits are in the file.
    expectRates(rates, run.rates);
    expect(new Set(run.rates).size).toBeGreaterThan(2);
  });

  test('and goes on exactly from a checkpoint', () => {
    const { schedule, metrics } = keras.plateaus![1]!;
    const straight = trainerWith(schedule);
    let resumed = trainerWith(schedule);
    for (const metric of metrics) {
      straight.observe(metric);
      resumed.observe(metric);
      const next = trainerWith(schedule);
      next.loadState(resumed.saveState());
      resumed = next;
      expect(resumed.learningRate).toBe(straight.learningRate);
    }
    expect(resumed.saveState()).toHaveLength(straight.saveState().length);
  });
});

test('warm-up rises in a line from 0 to the first rate of any schedule, which begins after it', async () => {
  const schedules: Schedule[] = [
    { type: 'constant' },
    { type: 'step', steps: 3, factor: 0.5 },
    { type: 'oneCycle', steps: 12, maximumRate: 0.5 },
    { type: 'polynomial', steps: 9, endRate: 0.001 },
    { type: 'plateau' },
  ];
  for (const schedule of schedules) {
    const bare = await ratesOf(trainerWith(schedule), 12);
    const warmed = await ratesOf(trainerWith({ ...schedule, warmupSteps: 8 }), 20);
    const rise = Array.from({ length: 8 }, (_, index) => (bare[0]! * index) / 8);
    expectRates(warmed, [...rise, ...bare]);
  }
});

test('without a schedule the rate is constant', async () => {
  expect(new Set(await ratesOf(trainerWith(null), 5))).toEqual(new Set([0.1]));
});

test('a rate of 0 leaves the weights alone, a warmed one does not', async () => {
  const network = Network.create(spec, 1);
  const options = { loss: 'meanSquaredError', optimizer: { type: 'sgd', learningRate: 0.1 }, batchSize: 1 } as const;
  const trainer = trainerOf(network, { ...options, schedule: { type: 'constant', warmupSteps: 5 } });
  const before = network.toSafetensors({});
  await trainer.trainEpoch(step, epochOptions());
  expect(network.toSafetensors({})).toEqual(before);
  await trainer.trainEpoch(step, epochOptions());
  expect(network.toSafetensors({})).not.toEqual(before);
});

test('one cycle holds its last rate after its end', async () => {
  const rates = await ratesOf(trainerWith({ type: 'oneCycle', steps: 10, maximumRate: 1 }), 14);
  expect(rates[9]).toBeCloseTo(1 / 25 / 1e4, 12);
  expect(new Set(rates.slice(9)).size).toBe(1);
});

test('cosine restarts exactly at the end of each cycle', async () => {
  const schedule = { type: 'cosine', steps: 3, restarts: {} } as const;
  const rates = await ratesOf(trainerWith(schedule, 1), 50);
  // Cycles of 3, 6, 12, 24 steps.
  const starts = rates.flatMap((rate, index) => (rate === 1 ? [index] : []));
  expect(starts).toEqual([0, 3, 9, 21, 45]);
});

test('progress tells the rate of its step', async () => {
  const network = Network.create(specOf(4, '3 softmax'), 1);
  const trainer = trainerOf(network, { schedule: { type: 'step', steps: 1, factor: 0.5 }, batchSize: 10 });
  const reports: EpochProgress[] = [];
  const onProgress = (progress: EpochProgress) => reports.push(progress);
  await trainer.trainEpoch(examplesOf(40, 4, 3), { ...epochOptions(), onProgress });
  expect(reports.at(-1)).toMatchObject({ step: 4, learningRate: 0.001 / 8 });
  for (const { step: done, learningRate } of reports) expect(learningRate).toBe(0.001 / 2 ** (done - 1));
  expect(trainer.learningRate).toBe(0.001 / 16);
});

describe('refuses', () => {
  test.each<[object, string, string]>([
    [{ type: 'sine' }, 'schedule.type', 'constant, step, exponential'],
    [{ type: 'step', factor: 0.5 }, 'schedule.steps', 'an integer from 1'],
    [{ type: 'step', steps: 0, factor: 0.5 }, 'schedule.steps', 'an integer from 1'],
    [{ type: 'step', steps: 2 }, 'schedule.factor', 'a finite number but received undefined'],
    [{ type: 'exponential', steps: 2, factor: -1 }, 'schedule.factor', 'a positive number but received -1'],
    [{ type: 'polynomial', steps: 2, power: 0 }, 'schedule.power', 'a positive number'],
    [{ type: 'cosine', steps: 2, alpha: -1 }, 'schedule.alpha', 'at least 0'],
    [{ type: 'cosine', steps: 2, restarts: { lengthFactor: 0.5 } }, 'schedule.restarts.lengthFactor', 'at least 1'],
    [{ type: 'cosine', steps: 2, restarts: { length: 2 } }, 'schedule.restarts.length', 'no field'],
    [{ type: 'cosine', steps: 2, warmupStep: 2 }, 'schedule.warmupStep', 'did you mean `warmupSteps`?'],
    [{ type: 'oneCycle', steps: 1, maximumRate: 1 }, 'schedule.steps', 'at least 2 but received 1'],
    [{ type: 'oneCycle', steps: 9 }, 'schedule.maximumRate', 'a finite number'],
    [{ type: 'oneCycle', steps: 9, maximumRate: 1, annealing: 'cos' }, 'schedule.annealing', 'cosine, linear'],
    [
      { type: 'oneCycle', steps: 9, maximumRate: 1, threePhases: true, risingShare: 0.6 },
      'schedule.risingShare',
      '0.5',
    ],
    [{ type: 'plateau', factor: 1 }, 'schedule.factor', 'below 1'],
    [{ type: 'plateau', factor: 0 }, 'schedule.factor', 'positive'],
    [{ type: 'plateau', patience: 0.5 }, 'schedule.patience', 'an integer from 0'],
  ])('%j', (schedule, field, message) => {
    const call = () => trainerWith(schedule as Schedule);
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });

  test('a metric that is no number, and any for another schedule', () => {
    const trainer = trainerWith({ type: 'plateau' });
    for (const metric of [Number.NaN, Number.POSITIVE_INFINITY, '1', undefined]) {
      expect(() => trainer.observe(metric as number)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'metric' }),
      );
    }
    expect(() => trainerWith(null).observe(1)).toThrow(
      expect.objectContaining({ code: 'FAILED_PRECONDITION', field: 'schedule' }),
    );
  });
});
