import { describe, expect, test } from 'vitest';
import { Network, readSafetensors, type TrainerOptions } from '../../native/index.js';
import { digestOf, epochOptions, examplesOf, floatBlock, specOf, trainerOf } from './build-network.js';

const spec = specOf(6, '9 tanh', '4 softmax');
const examples = examplesOf(50, 6, 4);
const descent = { type: 'sgd', learningRate: 0.5 } as const;

/** The weights before and after one step on all examples, and the gradient of the data's loss before it. */
async function oneStep(options: Partial<TrainerOptions>) {
  const network = Network.create(spec, 4);
  const trainer = trainerOf(network, { optimizer: descent, batchSize: 'full', ...options });
  const weights = () =>
    Object.fromEntries(
      [...readSafetensors(network.toSafetensors({})).tensors].map(([name, { data }]) => [name, data.slice()]),
    );
  const before = weights();
  const gradients = await trainer.gradients(examples);
  const { loss } = await trainer.trainEpoch(examples, epochOptions());
  const after = weights();
  const steps = Object.entries(before).map(([name, values]) => ({
    name,
    values,
    step: values.map((value, index) => (value - after[name]![index]!) / descent.learningRate),
    gradient: gradients.parameters[name]!,
  }));
  trainer.dispose();
  network.dispose();
  return { steps, loss, dataLoss: gradients.loss };
}

const normOf = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0));
const kernelNames = ['layers.0.kernel', 'layers.1.kernel'];

// A step is a difference of two float32 weights of up to 1, divided by the rate.
const digits = 6;

describe('regularisation', () => {
  test('adds l1 sign(w) + 2 l2 w to the gradient of kernels alone, and nothing to the loss', async () => {
    const [l1, l2] = [0.01, 0.03];
    const { steps, loss, dataLoss } = await oneStep({ regularization: { l1, l2 } });
    expect(loss).toBeCloseTo(dataLoss, 12);
    for (const { name, values, step, gradient } of steps) {
      for (const [index, value] of values.entries()) {
        const added = kernelNames.includes(name) ? l1 * Math.sign(value) + 2 * l2 * value : 0;
        expect(step[index], name).toBeCloseTo(gradient[index]! + added, digits);
      }
    }
  });

  test('leaves a weight of exactly 0 without an l1 slope', async () => {
    const network = Network.create(specOf(3, '2 softmax zeros'), 1);
    const options = { optimizer: descent, batchSize: 'full', regularization: { l1: 1 } } as const;
    const silent = { rows: 2, features: floatBlock(3, new Float32Array(6)), targets: Int32Array.of(0, 1) };
    const before = digestOf(network);
    await trainerOf(network, options).trainEpoch(silent, epochOptions());
    expect(digestOf(network)).toBe(before);
  });
});

describe('clipping', () => {
  test('by value cuts every element', async () => {
    const { steps } = await oneStep({ clipping: { value: 0.01 } });
    const gradients = steps.flatMap(({ gradient }) => [...gradient]);
    expect(gradients.filter((value) => Math.abs(value) > 0.01).length).toBeGreaterThan(10);
    expect(gradients.filter((value) => Math.abs(value) < 0.01).length).toBeGreaterThan(10);
    for (const { step, gradient } of steps) {
      for (const [index, value] of gradient.entries()) {
        expect(step[index]).toBeCloseTo(Math.max(-0.01, Math.min(0.01, value)), digits);
      }
    }
  });

  test('by norm scales the tensors that are longer, and only those', async () => {
    const limit = 0.12;
    const { steps } = await oneStep({ clipping: { norm: limit } });
    const norms = steps.map(({ gradient }) => normOf(gradient));
    expect(Math.max(...norms)).toBeGreaterThan(limit);
    expect(Math.min(...norms)).toBeLessThan(limit);
    for (const { step, gradient } of steps) {
      const scale = limit / Math.max(limit, normOf(gradient));
      for (const [index, value] of gradient.entries()) expect(step[index]).toBeCloseTo(value * scale, digits);
    }
  });

  test.each([0.05, 50])('by the global norm scales all alike, here to %d', async (limit) => {
    const { steps } = await oneStep({ clipping: { globalNorm: limit } });
    const scale = limit / Math.max(limit, normOf(steps.flatMap(({ gradient }) => [...gradient])));
    expect(scale < 1).toBe(limit < 1);
    for (const { step, gradient } of steps) {
      for (const [index, value] of gradient.entries()) expect(step[index]).toBeCloseTo(value * scale, digits);
    }
  });

  test.each<[object, string, string]>([
    [{}, 'clipping', 'one of value, norm, globalNorm but received 0 of them'],
    [{ value: 1, norm: 1 }, 'clipping', 'received 2 of them'],
    [{ value: 0 }, 'clipping.value', 'a positive number but received 0'],
    [{ norm: -1 }, 'clipping.norm', 'a positive number but received -1'],
    [{ globalNorm: Number.NaN }, 'clipping.globalNorm', 'a finite number'],
    [{ globalnorm: 1 }, 'clipping.globalnorm', 'did you mean `globalNorm`?'],
  ])('refuses %j', (clipping, field, message) => {
    const call = () => trainerOf(Network.create(spec, 1), { clipping: clipping as never });
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });
});

describe('weight decay', () => {
  test('draws every trainable parameter to 0, by the rate times the decay', async () => {
    const { steps } = await oneStep({ optimizer: { ...descent, weightDecay: 0.1 } });
    for (const { values, step, gradient } of steps) {
      for (const [index, value] of values.entries()) {
        expect(step[index]).toBeCloseTo(gradient[index]! + 0.1 * value, digits);
      }
    }
  });
});

describe('the average of the weights', () => {
  test('of decay 0 is the weights', async () => {
    const network = Network.create(spec, 4);
    const trainer = trainerOf(network, { averaging: { decay: 0 }, batchSize: 7 });
    await trainer.trainEpoch(examples, epochOptions());
    const digest = digestOf(network);
    trainer.useAveragedWeights();
    expect(digestOf(network)).toBe(digest);
  });

  test('does not change the training', async () => {
    const digests = [];
    for (const averaging of [null, { decay: 0.9 }]) {
      const network = Network.create(spec, 4);
      await trainerOf(network, { averaging, batchSize: 7 }).trainEpoch(examples, epochOptions());
      digests.push(digestOf(network));
    }
    expect(digests[0]).toBe(digests[1]);
  });

  test('is refused where none is kept, before the first step, and while an epoch runs', async () => {
    const without = trainerOf(Network.create(spec, 4));
    const expected = expect.objectContaining({ code: 'FAILED_PRECONDITION', field: 'averaging' });
    expect(() => without.useAveragedWeights()).toThrow(expected);
    const trainer = trainerOf(Network.create(spec, 4), { averaging: {} });
    expect(() => trainer.useAveragedWeights()).toThrow(expected);
    const running = trainer.trainEpoch(examples, epochOptions());
    expect(() => trainer.useAveragedWeights()).toThrow(
      expect.objectContaining({ code: 'FAILED_PRECONDITION', field: 'trainer' }),
    );
    await running;
    expect(() => trainer.useAveragedWeights()).not.toThrow();
  });

  test.each<[object, string]>([
    [{ decay: 1 }, 'averaging.decay'],
    [{ dekay: 0.5 }, 'averaging.dekay'],
  ])('refuses %j', (averaging, field) => {
    const call = () => trainerOf(Network.create(spec, 1), { averaging });
    expect(call).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });

  test.each<[object, string]>([
    [{ l1: -1 }, 'regularization.l1'],
    [{ l2: Number.POSITIVE_INFINITY }, 'regularization.l2'],
    [{ L1: 1 }, 'regularization.L1'],
  ])('as is regularization of %j', (regularization, field) => {
    const call = () => trainerOf(Network.create(spec, 1), { regularization });
    expect(call).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });
});
