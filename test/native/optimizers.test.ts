import { describe, expect, test } from 'vitest';
import { Network, type OptimizerSpec, readSafetensors, type TrainerOptions } from '../../native/index.js';
import kerasFile from '../golden/optimizers-keras.json' with { type: 'json' };
import torchFile from '../golden/optimizers-torch.json' with { type: 'json' };
import { digestOf, epochOptions, examplesOf, floatBlock, specOf, trainerOf } from './build-network.js';
import {
  distanceBetween,
  type GoldenFile,
  type OptimizerCase,
  parametersOf,
  startOf,
  titled,
} from './optimizer-golden.js';

const keras = kerasFile as unknown as GoldenFile;
const torch = torchFile as unknown as GoldenFile;

const optimizers: OptimizerSpec[] = [
  { type: 'gradientDescent', learningRate: 0.1 },
  { type: 'sgd', learningRate: 0.1, momentum: 0.9 },
  { type: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: true },
  { type: 'adam' },
  { type: 'adam', amsgrad: true },
  { type: 'adamW' },
  { type: 'rmsprop' },
  { type: 'rmsprop', momentum: 0.5 },
  { type: 'rmsprop', momentum: 0.5, centered: true },
  { type: 'adagrad' },
  { type: 'adadelta' },
  { type: 'lion' },
];

/**
 * Keras and PyTorch computed in float64; ten float32 steps add up some roundings of 6e-8 each, on numbers up to 2. Adam
 * divides a gradient by its own size, so that the rounding of a small one, 1e-3 of it, is a part of the rate.
 */
function allowedFor({ optimizer }: OptimizerCase): number {
  return optimizer.type === 'adam' || optimizer.type === 'adamW' ? 2e-5 : 3e-6;
}

describe.each([
  ['Keras', keras],
  ['PyTorch', torch],
])('ten steps agree with %s', (_, file) => {
  test.each(titled(file.optimizers))('%s', async (_title, golden) => {
    const { network, trainer, examples } = startOf(file, golden);
    const allowed = allowedFor(golden);
    for (const [epoch, loss] of golden.expected.losses.entries()) {
      const result = await trainer.trainEpoch(examples, epochOptions(epoch));
      expect(Math.abs(result.loss - loss), `loss ${epoch}`).toBeLessThan(allowed);
    }
    // The default rate of Adadelta moves nothing by more than 1.5e-5 in ten steps.
    const moved = distanceBetween(file.parameters, golden.expected.parameters);
    expect(distanceBetween(parametersOf(network), golden.expected.parameters)).toBeLessThan(
      Math.min(allowed, moved / 20),
    );
    if (golden.expected.average !== undefined) {
      trainer.useAveragedWeights();
      expect(distanceBetween(parametersOf(network), golden.expected.average)).toBeLessThan(allowed);
      expect(distanceBetween(golden.expected.parameters, golden.expected.average)).toBeGreaterThan(1e-3);
    }
    trainer.dispose();
    network.dispose();
  });
});

test.each(titled(keras.optimizers))(
  'a batch above 256 rows, through memory, does the same steps: %s',
  async (_title, golden) => {
    const { network, trainer, examples } = startOf(keras, golden);
    const copies = 75;
    const tiled = {
      ...examples,
      rows: examples.rows * copies,
      features: floatBlock(keras.shape.inputs, Float32Array.from(Array(copies).fill(keras.features).flat())),
      targets: Int32Array.from(Array(copies).fill(keras.targets).flat()),
    };
    for (let epoch = 0; epoch < 10; epoch += 1) await trainer.trainEpoch(tiled, epochOptions(epoch));
    expect(distanceBetween(parametersOf(network), golden.expected.parameters)).toBeLessThan(allowedFor(golden));
    trainer.dispose();
    network.dispose();
  },
);

const spec = specOf(13, '37 relu', '70 tanh', '5 softmax');
const examples = examplesOf(700, 13, 5);

async function trained(options: Partial<TrainerOptions>): Promise<string> {
  const network = Network.create(spec, 3);
  const trainer = trainerOf(network, options);
  for (const epoch of [0, 1]) await trainer.trainEpoch(examples, epochOptions(epoch));
  const digest = digestOf(network);
  trainer.dispose();
  network.dispose();
  return digest;
}

describe('the same bits with 1, 2 and 5 threads', () => {
  const extras = {
    clipping: { globalNorm: 0.05 },
    regularization: { l1: 1e-4, l2: 1e-3 },
    averaging: {},
    schedule: { type: 'cosine', steps: 100, warmupSteps: 2 },
  } satisfies Partial<TrainerOptions>;

  test.each(optimizers.map((optimizer) => [JSON.stringify(optimizer), optimizer] as const))(
    'of %s, fused and with batches above 256 and clipping by the global norm',
    async (_, optimizer) => {
      for (const options of [{}, { batchSize: 300, ...extras }, { batchSize: 300 }, { batchSize: 50, ...extras }]) {
        const alone = await trained({ ...options, optimizer, threads: 1 });
        for (const threads of [2, 5]) expect(await trained({ ...options, optimizer, threads })).toBe(alone);
      }
    },
  );
});

describe('a checkpoint goes on exactly', () => {
  const options = {
    regularization: { l2: 1e-3 },
    clipping: { norm: 0.3 },
    averaging: { decay: 0.9 },
    schedule: { type: 'exponential', steps: 20, factor: 0.5 },
  } satisfies Partial<TrainerOptions>;

  test.each(optimizers.map((optimizer) => [JSON.stringify(optimizer), optimizer] as const))(
    'with %s',
    async (_, optimizer) => {
      const networks = [Network.create(spec, 3), Network.create(spec, 999)] as const;
      const [straight, resumed] = networks.map((network) => trainerOf(network, { ...options, optimizer }));
      await straight!.trainEpoch(examples, epochOptions(0));
      const state = straight!.saveState();
      resumed!.loadState(state);
      expect(resumed!.learningRate).toBe(straight!.learningRate);
      expect(resumed!.saveState()).toEqual(state);
      for (const trainer of [straight!, resumed!]) await trainer.trainEpoch(examples, epochOptions(1));
      expect(resumed!.saveState()).toEqual(straight!.saveState());
      expect(digestOf(networks[1])).toBe(digestOf(networks[0]));
    },
  );

  test('whose tensors are named after the moments', () => {
    const names = (optimizer: OptimizerSpec, more: Partial<TrainerOptions> = {}) => {
      const state = trainerOf(Network.create(specOf(2, '1 sigmoid'), 1), {
        loss: 'binaryCrossEntropy',
        optimizer,
        ...more,
      }).saveState();
      const kernels = [...readSafetensors(state).tensors.keys()].filter((name) => name.endsWith('.kernel'));
      return kernels.map((name) => name.replace('layers.0.kernel', '')).sort();
    };
    expect(names({ type: 'gradientDescent', learningRate: 1 })).toEqual(['']);
    expect(names({ type: 'sgd', learningRate: 1 })).toEqual(['']);
    expect(names({ type: 'sgd', learningRate: 1, momentum: 0.5 })).toEqual(['', 'optimizer.velocity.']);
    expect(names({ type: 'adam', amsgrad: true })).toEqual([
      '',
      'optimizer.firstMoment.',
      'optimizer.largestSecondMoment.',
      'optimizer.secondMoment.',
    ]);
    expect(names({ type: 'rmsprop', momentum: 0.5, centered: true }, { averaging: {} })).toEqual([
      '',
      'average.',
      'optimizer.meanGradient.',
      'optimizer.meanSquare.',
      'optimizer.velocity.',
    ]);
  });

  test.each<[string, Partial<TrainerOptions>, string]>([
    ['another optimizer', { optimizer: { type: 'lion' } }, 'optimizer.type is "adam", not "lion"'],
    ['another beta', { optimizer: { type: 'adam', beta1: 0.8 } }, 'optimizer.beta1 is 0.9, not 0.8'],
    ['a schedule', { schedule: { type: 'step', steps: 3, factor: 0.5 } }, 'schedule is null, not {"type":"step"'],
    ['clipping', { clipping: { value: 1 } }, 'clipping is null, not {"value":1}'],
    ['an average', { averaging: {} }, 'averaging is null, not {"decay":0.99}'],
    ['regularization', { regularization: { l1: 1 } }, 'regularization is null, not {"l1":1,"l2":0}'],
  ])('and is refused under %s, naming the difference', (_, options, message) => {
    const network = Network.create(spec, 3);
    const state = trainerOf(network, { optimizer: { type: 'adam' } }).saveState();
    const other = trainerOf(network, { optimizer: { type: 'adam' }, ...options });
    const before = other.saveState();
    expect(() => other.loadState(state)).toThrow(message);
    expect(() => other.loadState(state)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: '__metadata__' }),
    );
    expect(other.saveState()).toEqual(before);
  });
});

describe('refuses', () => {
  const network = Network.create(spec, 1);

  test.each<[string, object, string, string]>([
    ['no learning rate for sgd', { type: 'sgd' }, 'optimizer.learningRate', 'a finite number but received undefined'],
    ['a misspelt field', { type: 'adam', lerningRate: 1 }, 'optimizer.lerningRate', 'did you mean `learningRate`?'],
    ["another optimizer's field", { type: 'lion', epsilon: 1 }, 'optimizer.epsilon', 'expected one of type, learning'],
    ['a negative decay', { type: 'adam', weightDecay: -1 }, 'optimizer.weightDecay', 'at least 0 but received -1'],
    ['an epsilon of 0', { type: 'adam', epsilon: 0 }, 'optimizer.epsilon', 'at least 1.17549435082229e-38'],
    ['a rho of 1', { type: 'rmsprop', rho: 1 }, 'optimizer.rho', 'at least 0 and below 1 but received 1'],
    ['a negative beginning', { type: 'adagrad', initialAccumulator: -1 }, 'optimizer.initialAccumulator', 'at least 0'],
    ['text for a number', { type: 'adadelta', rho: '0.9' }, 'optimizer.rho', 'a finite number but received "0.9"'],
    ['text for a choice', { type: 'sgd', learningRate: 1, nesterov: 1 }, 'optimizer.nesterov', 'true or false'],
    ['an unknown type', { type: 'adamw' }, 'optimizer.type', 'adam, adamW, rmsprop'],
  ])('%s', (_, optimizer, field, message) => {
    const call = () => trainerOf(network, { optimizer: optimizer as never });
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });

  test('an unknown option', () => {
    expect(() => trainerOf(network, { scheduel: null } as never)).toThrow('did you mean `schedule`?');
  });

  test('a field left undefined is a field left out', () => {
    expect(() => trainerOf(network, { optimizer: { type: 'adam', beta1: undefined } as never })).not.toThrow();
  });
});

test('a gradient whose norm is not finite is seen, whatever the optimizer', async () => {
  for (const optimizer of optimizers) {
    for (const clipping of [{ norm: 1 }, { globalNorm: 1 }]) {
      const network = Network.create(specOf(2, '3 linear', '1 linear'), 1);
      const trainer = trainerOf(network, { loss: 'meanSquaredError', optimizer, clipping, batchSize: 1 });
      // The first row's error overflows, its loss, in doubles, does not: the next step has to meet NaN.
      const features = floatBlock(2, Float32Array.of(3e19, 3e19, 1, 1));
      const data = { rows: 2, features, targets: Float32Array.of(-3e38, 0) };
      const options = { ...epochOptions(), epoch: 0 };
      await expect(
        trainer.trainEpoch(data, options).then(() => trainer.trainEpoch(data, options)),
      ).rejects.toMatchObject({ code: 'DIVERGED' });
      trainer.dispose();
      network.dispose();
    }
  }
});
