import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Examples,
  Network,
  readSafetensors,
  type Sampling,
  Trainer,
  type TrainerOptions,
  writeSafetensors,
} from '../../native/index.js';
import { adam, digestOf, epochOptions, examplesOf, floatBlock, noise, specOf, trainerOf } from './build-network.js';

const spec = specOf(5, '19 tanh', '3 softmax');
const epochs = 3;

interface Case {
  rows: number;
  batchSize: TrainerOptions['batchSize'];
  sampling: Sampling['type'];
}

function optionsOf({ rows, batchSize, sampling }: Case): Partial<TrainerOptions> {
  const weights = noise(rows, 3).map(Math.abs);
  return { batchSize, sampling: sampling === 'weighted' ? { type: sampling, weights } : { type: sampling } };
}

interface Outcome {
  digest: string;
  /** Of each epoch: [loss, accuracy, examples, steps]. */
  totals: (number | null)[][];
}

async function undisturbed(examples: Examples, options: Partial<TrainerOptions>): Promise<Outcome> {
  const network = Network.create(spec, 1);
  const trainer = trainerOf(network, options);
  const totals = [];
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const result = await trainer.trainEpoch(examples, epochOptions(epoch));
    expect(result.step).toBe(result.steps);
    totals.push([result.loss, result.accuracy, result.examples, result.steps]);
  }
  trainer.dispose();
  return { digest: digestOf(network), totals };
}

/** Stops after the given numbers of steps, over and over, each time going on in another trainer with other threads. */
async function interrupted(examples: Examples, options: Partial<TrainerOptions>, stops: number[]): Promise<Outcome> {
  let network = Network.create(spec, 1);
  let trainer = trainerOf(network, options);
  const totals = [];
  for (let call = 0; trainer.position.epoch < epochs; call += 1) {
    const { epoch, step } = trainer.position;
    const maxSteps = stops[call % stops.length]!;
    const result = await trainer.trainEpoch(examples, { ...epochOptions(epoch), maxSteps });
    expect(result.step).toBe(Math.min(step + maxSteps, result.steps));
    if (result.step === result.steps) totals.push([result.loss, result.accuracy, result.examples, result.steps]);
    const state = trainer.saveState();
    trainer.dispose();
    network = Network.create(spec, 2);
    trainer = trainerOf(network, { ...options, threads: 1 + (call % 3) });
    trainer.loadState(state);
    expect(trainer.saveState()).toEqual(state);
  }
  trainer.dispose();
  return { digest: digestOf(network), totals };
}

test('a run that stops anywhere, is saved and goes on ends with the same bits and totals', {
  timeout: 60_000,
}, async () => {
  const anyCase = fc.record({
    rows: fc.integer({ min: 1, max: 1400 }),
    batchSize: fc.constantFrom<Case['batchSize'][]>(1, 7, 32, 256, 257, 600, 'full'),
    sampling: fc.constantFrom<Case['sampling'][]>('shuffle', 'sequential', 'weighted', 'stratified'),
  });
  const stops = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(anyCase, stops, async (drawn, stops) => {
      // Single rows are many steps: enough of them, not all.
      const rows = drawn.batchSize === 1 ? 1 + (drawn.rows % 150) : drawn.rows;
      const options = optionsOf({ ...drawn, rows });
      const examples = examplesOf(rows, 5, 3);
      expect(await interrupted(examples, options, stops)).toEqual(await undisturbed(examples, options));
    }),
    { numRuns: 40 },
  );
});

test.each([1, 300])('a run that is cancelled at any moment goes on exactly, with batch size %i', async (batchSize) => {
  const examples = examplesOf(batchSize === 1 ? 4000 : 20_000, 5, 3);
  const options = { batchSize, threads: 2 };
  const network = Network.create(spec, 1);
  const trainer = trainerOf(network, options);
  const totals = [];
  let cancellations = 0;
  while (trainer.position.epoch < epochs) {
    const { epoch, step } = trainer.position;
    const controller = new AbortController();
    // By the number of steps seen, not by a clock; the last few are never cancelled, so that there is an end.
    const onProgress = (progress: { step: number; steps: number }) => {
      if (progress.step > step && progress.step < progress.steps - 5 && cancellations < 10) controller.abort();
    };
    try {
      const result = await trainer.trainEpoch(examples, {
        ...epochOptions(epoch),
        onProgress,
        signal: controller.signal,
      });
      totals.push([result.loss, result.accuracy, result.examples, result.steps]);
    } catch (error) {
      expect(error).toMatchObject({ code: 'CANCELLED' });
      expect(trainer.position.epoch).toBe(epoch);
      expect(trainer.position.step).toBeGreaterThan(step);
      cancellations += 1;
    }
  }
  expect(cancellations).toBeGreaterThan(0);
  expect({ digest: digestOf(network), totals }).toEqual(await undisturbed(examples, options));
});

describe('a position', () => {
  const examples = examplesOf(100, 5, 3);
  const started = async (maxSteps = 2) => {
    const trainer = trainerOf(Network.create(spec, 1), { batchSize: 10 });
    await trainer.trainEpoch(examples, { ...epochOptions(4), maxSteps });
    return trainer;
  };

  test('lies within the epoch, then before the next', async () => {
    const trainer = await started();
    expect(trainer.position).toEqual({ epoch: 4, step: 2 });
    const result = await trainer.trainEpoch(examples, epochOptions(4));
    expect(result).toMatchObject({ step: 10, steps: 10, examples: 100 });
    expect(trainer.position).toEqual({ epoch: 5, step: 0 });
    expect(trainer.step).toBe(10);
  });

  test('is left when another epoch is asked for', async () => {
    const trainer = await started();
    expect(await trainer.trainEpoch(examples, epochOptions(5))).toMatchObject({ step: 10, examples: 100 });
    expect(trainer.step).toBe(12);
  });

  test('does not fit examples with another number of rows', async () => {
    const trainer = await started();
    await expect(trainer.trainEpoch(examplesOf(99, 5, 3), epochOptions(4))).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      field: 'examples',
    });
    expect(trainer.position).toEqual({ epoch: 4, step: 2 });
  });

  test('progress counts the whole epoch, and speed this call only', async () => {
    const trainer = await started(9);
    const seen: number[] = [];
    await trainer.trainEpoch(examples, {
      ...epochOptions(4),
      onProgress: ({ step, examples, examplesPerSecond, seconds }) => {
        seen.push(step, examples);
        expect(examplesPerSecond * seconds).toBeCloseTo(10, 6);
      },
    });
    expect(seen).toEqual([10, 100]);
  });

  test.each([0, -1, 1.5, Number.NaN, '3'])('cannot be reached in %s steps', async (maxSteps) => {
    const trainer = trainerOf(Network.create(spec, 1));
    const running = trainer.trainEpoch(examples, { ...epochOptions(), maxSteps: maxSteps as number });
    await expect(running).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field: 'maxSteps' });
  });

  test.each<[string, object]>([
    ['step', { step: 10 }],
    ['batch size', { batchRows: 101 }],
    ['row', { rows: -100 }],
    ['sum', { lossSum: null }],
  ])('with an impossible %s in a checkpoint is refused, and nothing changes', async (_, wrong) => {
    const trainer = await started();
    const before = trainer.saveState();
    const position = JSON.parse(readSafetensors(before).metadata.position!);
    const damaged = withPosition(before, JSON.stringify({ ...position, ...wrong }));
    expect(() => trainer.loadState(damaged)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => trainer.loadState(withPosition(before, '{'))).toThrow(expect.objectContaining({ field: 'position' }));
    expect(trainer.saveState()).toEqual(before);
    trainer.loadState(withPosition(before, JSON.stringify(position)));
  });
});

/** The checkpoint with another text in its metadata. */
function withPosition(file: Uint8Array, position: string): Uint8Array {
  const { tensors, metadata } = readSafetensors(file);
  return writeSafetensors(tensors, { ...metadata, position });
}

describe('a loss that is no longer finite', () => {
  // The last batches hold numbers whose squares overflow; those before are harmless.
  const rows = 100;
  const data = noise(rows * 5, 1).map((value, index) => (index >= 5 * 70 ? value * 1e30 : value));
  const examples: Examples = { rows, features: floatBlock(5, data), targets: noise(rows, 2) };
  const make = () => {
    const network = Network.create(specOf(5, '8 linear', '1 linear'), 1);
    const options = {
      loss: 'meanSquaredError',
      optimizer: adam,
      batchSize: 10,
      sampling: { type: 'sequential' },
    } as const;
    return { network, trainer: new Trainer(network, { ...options, seed: 1, threads: 2 }) };
  };

  test('brings weights, optimizer and position back to where the call began', async () => {
    const { network, trainer } = make();
    await trainer.trainEpoch(examples, { ...epochOptions(2), maxSteps: 4 });
    const before = trainer.saveState();
    const digest = digestOf(network);
    const failing = trainer.trainEpoch(examples, epochOptions(2));
    await expect(failing).rejects.toMatchObject({ code: 'DIVERGED' });
    await expect(failing).rejects.toThrow(
      /in epoch 2, step (8|9|10) of 10; weights and optimizer are again as in epoch 2 after step 4\./,
    );
    expect(digestOf(network)).toBe(digest);
    expect(trainer.saveState()).toEqual(before);
    expect([trainer.step, trainer.position]).toEqual([4, { epoch: 2, step: 4 }]);
  });

  test('leaves a trainer that goes on as if nothing had been', async () => {
    const calm = { ...examples, features: floatBlock(5, noise(rows * 5, 1)) };
    const [first, second] = [make(), make()];
    await expect(first.trainer.trainEpoch(examples, epochOptions(0))).rejects.toMatchObject({ code: 'DIVERGED' });
    for (const { trainer } of [first, second]) await trainer.trainEpoch(calm, epochOptions(0));
    expect(digestOf(first.network)).toBe(digestOf(second.network));
  });
});

test('takes the checkpoint of other learning rates only where that is asked for, and goes on with its own', async () => {
  const [network, another] = [Network.create(spec, 1), Network.create(spec, 2)];
  const [before, after] = [
    trainerOf(network, { optimizer: adam }),
    trainerOf(another, { optimizer: { ...adam, learningRate: 1e-9 } }),
  ];
  const state = before.saveState();
  expect(() => after.loadState(state)).toThrow('optimizer.learningRate is 0.001, not 1e-9');
  after.loadState(state, { otherRates: true });
  expect(after.learningRate).toBe(1e-9);
  expect(digestOf(another)).toBe(digestOf(network));
  const beta = trainerOf(Network.create(spec, 1), {
    optimizer: { type: 'adam', learningRate: 0.001, beta1: 0.5, beta2: 0.999, epsilon: 1e-7 },
  });
  expect(() => beta.loadState(state, { otherRates: true })).toThrow('optimizer.beta1 is 0.9, not 0.5');
});
