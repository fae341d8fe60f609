import { describe, expect, test } from 'vitest';
import {
  type Examples,
  type LayerSpec,
  Network,
  type NetworkSpec,
  readSafetensors,
  type Tensor,
  type Trainer,
  type TrainerOptions,
} from '../../native/index.js';
import { digestOf, epochOptions, examplesOf, floatBlock, noise, trainerOf } from './build-network.js';

const classes = 5;
const output: LayerSpec = { type: 'dense', units: classes, activation: 'softmax' };
const embedding: LayerSpec = {
  type: 'embedding',
  tables: [
    { column: 3, categories: 4, units: 20 },
    { column: 0, categories: 7, units: 5 },
  ],
};
const normalization: LayerSpec = { type: 'batchNormalization', momentum: 0.5 };
const softmax: LayerSpec = { type: 'activation', activation: 'softmax' };

/** 40 columns are two panels and a half. */
const every: NetworkSpec = {
  inputs: 6,
  layers: [
    embedding,
    { type: 'dense', units: 40, useBias: false },
    { type: 'batchNormalization', momentum: 0.9 },
    { type: 'activation', activation: 'gelu' },
    {
      type: 'residual',
      layers: [
        { type: 'layerNormalization' },
        { type: 'dense', units: 40, activation: 'relu' },
        { type: 'dropout', rate: 0.25 },
      ],
    },
    { type: 'prelu' },
    output,
  ],
};

/** `examplesOf` with categories in the columns of `embedding`'s tables. */
function categorical(rows: number): Examples & { targets: Int32Array } {
  const examples = examplesOf(rows, every.inputs, classes);
  const data = examples.features[0]!.data as Float32Array;
  for (let row = 0; row < rows; row += 1) {
    data[row * every.inputs] = row % 7;
    data[row * every.inputs + 3] = (row * 3) % 4;
  }
  return examples;
}

function numbersOf({ features }: Examples): Float32Array {
  return features[0]!.data as Float32Array;
}

describe('a network with every layer', () => {
  const rows = 600;
  const epochs = 2;
  const examples = categorical(rows);

  async function undisturbed(options: Partial<TrainerOptions>): Promise<Network> {
    const network = Network.create(every, 3);
    const trainer = trainerOf(network, options);
    for (let epoch = 0; epoch < epochs; epoch += 1) await trainer.trainEpoch(examples, epochOptions(epoch));
    trainer.dispose();
    return network;
  }

  const batchSizes = [32, 300, 'full'] as const;

  test.each(batchSizes)('has the same bits with 1, 2 and 5 threads, batch size %s', async (batchSize) => {
    const digests = new Set<string>();
    for (const threads of [1, 2, 5]) digests.add(digestOf(await undisturbed({ batchSize, threads })));
    expect(digests.size).toBe(1);
    expect(digests).not.toContain(digestOf(Network.create(every, 3)));
  });

  test.each(batchSizes)('goes on exactly after maxSteps, saveState and loadState, batch size %s', async (batchSize) => {
    const stops = [1, 3, 7];
    let network = Network.create(every, 3);
    let trainer = trainerOf(network, { batchSize });
    for (let call = 0; trainer.position.epoch < epochs; call += 1) {
      const { epoch } = trainer.position;
      await trainer.trainEpoch(examples, { ...epochOptions(epoch), maxSteps: stops[call % stops.length]! });
      const state = trainer.saveState();
      trainer.dispose();
      network = Network.create(every, 4);
      trainer = trainerOf(network, { batchSize, threads: 1 + (call % 3) });
      trainer.loadState(state);
    }
    const straight = await undisturbed({ batchSize });
    expect(digestOf(network)).toBe(digestOf(straight));
    // What was folded for prediction is that of the loaded weights.
    expect(network.predict(numbersOf(examples), rows)).toEqual(straight.predict(numbersOf(examples), rows));
  });
});

type Matrix = number[][];

/** The layers in plain float64, as in prediction, with the tensors under `prefix`. */
function forward(layers: readonly LayerSpec[], prefix: string, tensors: Map<string, Tensor>, x: Matrix): Matrix {
  return layers.reduce((value, layer, index) => through(layer, `${prefix}layers.${index}.`, tensors, value), x);
}

function through(layer: LayerSpec, name: string, tensors: Map<string, Tensor>, x: Matrix): Matrix {
  const at = (tensor: string) => tensors.get(name + tensor)!.data as Float32Array;
  switch (layer.type) {
    case 'dense': {
      const [kernel, bias] = [at('kernel'), layer.useBias === false ? null : at('bias')];
      const product = x.map((row) =>
        Array.from({ length: layer.units }, (_, unit) =>
          row.reduce((sum, value, i) => sum + value * kernel[i * layer.units + unit]!, bias?.[unit] ?? 0),
        ),
      );
      return product.map((row) => activated(layer.activation ?? 'linear', row));
    }
    case 'activation':
      return x.map((row) => activated(layer.activation, row));
    case 'batchNormalization': {
      const [gamma, beta, mean, variance] = ['gamma', 'beta', 'movingMean', 'movingVariance'].map(at);
      const epsilon = layer.epsilon ?? 1e-3;
      return x.map((row) =>
        row.map((value, i) => ((value - mean![i]!) / Math.sqrt(variance![i]! + epsilon)) * gamma![i]! + beta![i]!),
      );
    }
    case 'dropout':
      return x;
    case 'residual': {
      const block = forward(layer.layers, name, tensors, x);
      return x.map((row, r) => row.map((value, i) => value + block[r]![i]!));
    }
    default:
      throw new Error(`The reference has no ${layer.type}.`);
  }
}

function activated(activation: string, row: number[]): number[] {
  switch (activation) {
    case 'linear':
      return row;
    case 'relu':
      return row.map((value) => Math.max(0, value));
    case 'softmax': {
      const powers = row.map((value) => Math.exp(value - Math.max(...row)));
      const sum = powers.reduce((a, b) => a + b);
      return powers.map((power) => power / sum);
    }
    default:
      throw new Error(`The reference has no ${activation}.`);
  }
}

describe('prediction after training is that of a float64 reference, and of the trainer without training', () => {
  const inputs = 6;
  const rows = 70;
  const relu: LayerSpec = { type: 'activation', activation: 'relu' };
  const dense: LayerSpec = { type: 'dense', units: 20 };
  const cases: [string, LayerSpec[]][] = [
    ['folded into the dense layer, activation and all', [dense, normalization, relu, output]],
    ['folded into a dense layer without bias', [{ ...dense, useBias: false }, normalization, relu, output]],
    ['folded twice, over a dropout', [dense, normalization, { type: 'dropout', rate: 0.5 }, normalization, output]],
    ['folded into the last dense layer', [dense, relu, { type: 'dense', units: classes }, normalization, softmax]],
    ['not folded, as the first layer', [normalization, dense, relu, output]],
    ['not folded, after an activation', [{ ...dense, activation: 'relu' }, normalization, output]],
    ['not folded, after a residual', [dense, { type: 'residual', layers: [relu, dense] }, normalization, output]],
    [
      'not folded, where a residual begins',
      [dense, { type: 'residual', layers: [normalization, relu, dense] }, output],
    ],
  ];
  test.each(cases)('batch normalisation %s', async (_, layers) => {
    const network = Network.create({ inputs, layers }, 1);
    const trainer = trainerOf(network, { optimizer: { type: 'sgd', learningRate: 0.1 } });
    const plain = examplesOf(rows, inputs, classes);
    const numbers = numbersOf(plain).map((value) => 3 * value + 1);
    const examples = { ...plain, features: floatBlock(inputs, numbers) };
    for (let epoch = 0; epoch < 3; epoch += 1) await trainer.trainEpoch(examples, epochOptions(epoch));

    const { tensors } = readSafetensors(network.toSafetensors({}));
    const x = Array.from({ length: rows }, (_, row) => [...numbers.subarray(row * inputs, (row + 1) * inputs)]);
    const expected = forward(layers, '', tensors, x);
    const predicted = network.predict(numbers, rows);
    const differences = expected.flat().map((value, i) => Math.abs(value - predicted[i]!));
    expect(Math.max(...differences)).toBeLessThan(2e-6);

    const { loss } = await trainer.gradients(examples, { training: false });
    const losses = expected.map((row, index) => -Math.log(row[examples.targets[index]!]!));
    expect(Math.abs(loss - losses.reduce((a, b) => a + b) / rows)).toBeLessThan(2e-6);
    // The batch's own statistics are others: the comparison would see which were taken.
    expect(Math.abs((await trainer.gradients(examples)).loss - loss)).toBeGreaterThan(1e-4);
  });
});

describe('gradientNorms are the norms of the gradients of single rows', () => {
  const rows = 300; // more than go through at once
  const cases: [string, LayerSpec[]][] = [
    [
      'in a row of layers',
      [
        embedding,
        { type: 'dense', units: 20, activation: 'tanh' },
        { type: 'prelu', alphaInitializer: { type: 'constant', value: 0.25 } },
        { type: 'layerNormalization' },
        normalization,
        output,
      ],
    ],
    ['in every layer', every.layers],
    [
      'with batch normalisation first and last',
      [normalization, { type: 'dense', units: classes }, normalization, softmax],
    ],
  ];
  test.each(cases)('%s', async (_, layers) => {
    const network = Network.create({ ...every, layers }, 1);
    const trainer = trainerOf(network);
    const weights = noise(rows, 9).map((value) => 1 + value);
    const examples = { ...categorical(rows), weights };
    await trainer.trainEpoch(examples, epochOptions());
    const norms = await trainer.gradientNorms(examples);
    expect(norms.length).toBe(rows);
    for (let row = 0; row < rows; row += 1) {
      const { parameters } = await trainer.gradients(rowOf(examples, row), { training: false });
      const squares = Object.values(parameters).flatMap((values) => [...values].map((value) => value * value));
      const norm = Math.sqrt(squares.reduce((a, b) => a + b));
      expect(norm).toBeGreaterThan(0);
      expect(Math.abs(norms[row]! / norm - 1), `row ${row}`).toBeLessThan(1e-5);
    }
  });

  function rowOf(examples: Examples & { targets: Int32Array; weights: Float32Array }, row: number): Examples {
    const data = numbersOf(examples).slice(row * every.inputs, (row + 1) * every.inputs);
    const [targets, weights] = [examples.targets.slice(row, row + 1), examples.weights.slice(row, row + 1)];
    return { rows: 1, features: floatBlock(every.inputs, data), targets, weights };
  }
});

describe('dropout', () => {
  const inputs = 40;
  const rows = 2048;
  const count = rows * inputs;
  const features = noise(count, 4);
  // Far above every answer: the gradient of the absolute error is -1 for every row.
  const examples: Examples = {
    rows,
    features: floatBlock(inputs, features),
    targets: new Float32Array(rows).fill(1e6),
  };
  const sum: LayerSpec = { type: 'dense', units: 1, kernelInitializer: 'ones' };

  function summing(dropouts: number[], options: Partial<TrainerOptions> = {}): { network: Network; trainer: Trainer } {
    const layers: LayerSpec[] = [...dropouts.map((rate): LayerSpec => ({ type: 'dropout', rate })), sum];
    const network = Network.create({ inputs, layers }, 1);
    const optimizer = { type: 'gradientDescent', learningRate: 2 ** -10 } as const;
    const trainer = trainerOf(network, {
      loss: 'meanAbsoluteError',
      optimizer,
      batchSize: 'full',
      sampling: { type: 'sequential' },
      ...options,
    });
    return { network, trainer };
  }

  /** [rows, inputs]: what each number of the input was multiplied by. The kernel has to be ones. */
  async function factorsOf(trainer: Trainer, training = true): Promise<Float32Array> {
    const { inputs: gradient } = await trainer.gradients(examples, { training });
    return gradient.map((value) => -value * rows);
  }

  /** Within four standard deviations of a binomial distribution. */
  function expectShare(hits: number, of: number, share: number) {
    expect(Math.abs(hits - of * share)).toBeLessThan(4 * Math.sqrt(of * share * (1 - share)));
  }

  test.each([0.1, 0.25, 0.5, 0.9])('of rate %d drops such a share and scales the rest', async (rate) => {
    const factors = await factorsOf(summing([rate]).trainer);
    const kept = factors.filter((factor) => factor !== 0);
    expectShare(count - kept.length, count, rate);
    const scale = 1 / (1 - rate);
    expect(kept.every((factor) => Math.abs(factor - scale) < 1e-6 * scale)).toBe(true);
    for (let column = 0; column < inputs; column += 1) {
      expectShare(factors.filter((factor, i) => i % inputs === column && factor === 0).length, rows, rate);
    }
  });

  test.each([1, 16, inputs, 256 * inputs])('draws numbers that lie %i apart independently', async (distance) => {
    const factors = await factorsOf(summing([0.5]).trainer);
    const pairs = factors.subarray(distance);
    expectShare(pairs.filter((factor, i) => factor === factors[i]).length, pairs.length, 0.5);
  });

  test('draws two layers independently', async () => {
    const factors = await factorsOf(summing([0.5, 0.5]).trainer);
    expectShare(factors.filter((factor) => factor === 0).length, count, 0.75);
    expect(new Set(factors.map(Math.abs))).toEqual(new Set([0, 4]));
  });

  test('is decided by seed and step', async () => {
    const { trainer } = summing([0.5]);
    const first = await factorsOf(trainer);
    expect(await factorsOf(trainer)).toEqual(first);
    expect(await factorsOf(summing([0.5], { threads: 2 }).trainer)).toEqual(first);
    const same = (others: Float32Array) => others.filter((value, i) => (value === 0) === (first[i] === 0)).length;
    expectShare(same(await factorsOf(summing([0.5], { seed: 8 }).trainer)), count, 0.5);
    await trainer.trainEpoch(examples, epochOptions());
    expect(trainer.step).toBe(1);
    expectShare(same(await factorsOf(trainer)), count, 0.5);
  });

  test('drops in a step of training what the gradients before it dropped', async () => {
    const { network, trainer } = summing([0.5]);
    const { parameters } = await trainer.gradients(examples);
    await trainer.trainEpoch(examples, epochOptions());
    const { tensors } = readSafetensors(network.toSafetensors({}));
    const kernel = tensors.get('layers.1.kernel')!.data;
    const expected = parameters['layers.1.kernel']!.map((gradient) => 1 - 2 ** -10 * gradient);
    expect(Math.max(...expected.map((value, i) => Math.abs(value - kernel[i]!)))).toBeLessThan(2e-7);
    expect(new Set(expected).size).toBeGreaterThan(1);
  });

  test('does nothing in prediction, evaluation and gradients without training', async () => {
    const [dropping, plain] = [summing([0.5]), summing([])];
    expect(dropping.network.predict(features, rows)).toEqual(plain.network.predict(features, rows));
    expect(await dropping.trainer.evaluate(examples)).toEqual(await plain.trainer.evaluate(examples));
    expect(new Set(await factorsOf(dropping.trainer, false))).toEqual(new Set([1]));
  });
});

describe('a loss that is no longer finite', () => {
  const rows = 100;
  // The eighth batch of ten rows is the first one with numbers that a factor of 1e10 makes infinite.
  const data = noise(rows * 4, 1).map((value, index) => (index >= 4 * 75 ? Math.abs(value) * 1e30 + 1e30 : value));
  const examples: Examples = { rows, features: floatBlock(4, data), targets: noise(rows, 2) };
  const ones: LayerSpec = { type: 'dense', units: 4, kernelInitializer: 'ones' };
  const large: LayerSpec = { ...ones, kernelInitializer: { type: 'constant', value: 1e10 } };
  const rest: LayerSpec[] = [
    { type: 'batchNormalization' },
    { type: 'dropout', rate: 0.5 },
    { type: 'dense', units: 1 },
  ];

  test.each<[string, LayerSpec[]]>([
    ['layers.1', [ones, large, ...rest]],
    ['layers.1.layers.0', [ones, { type: 'residual', layers: [large] }, ...rest]],
    ['layers.1', [ones, { ...large, activation: 'gelu' }, ...rest]],
  ])('names %s, epoch and step, and leaves the weights from before', async (layer, layers) => {
    const network = Network.create({ inputs: 4, layers }, 1);
    const trainer = trainerOf(network, {
      loss: 'meanAbsoluteError',
      batchSize: 10,
      threads: 2,
      sampling: { type: 'sequential' },
    });
    await trainer.trainEpoch(examples, { ...epochOptions(2), maxSteps: 4 });
    const [digest, state] = [digestOf(network), trainer.saveState()];
    const calm = data.subarray(0, 4 * 70);
    const predicted = network.predict(calm, 70);
    const failing = trainer.trainEpoch(examples, epochOptions(2));
    await expect(failing).rejects.toMatchObject({ name: 'EngineError', code: 'DIVERGED' });
    await expect(failing).rejects.toThrow(`(first in layer \`${layer}\`) in epoch 2, step 8 of 10;`);
    expect(digestOf(network)).toBe(digest);
    expect(trainer.saveState()).toEqual(state);
    expect(network.predict(calm, 70)).toEqual(predicted);
  });
});

describe('layers that are refused', () => {
  const inside: LayerSpec = { type: 'embedding', tables: [{ column: 0, categories: 2, units: 2 }] };
  test.each<[string, unknown[], string, string]>([
    ['an embedding that is not first', [output, inside], 'layers[1]', 'to be the first layer'],
    [
      'an embedding in a later block',
      [output, { type: 'residual', layers: [inside] }],
      'layers[1].layers[0]',
      'to be the first layer',
    ],
    [
      'a residual that ends with another width',
      [{ type: 'residual', layers: [{ type: 'dense', units: 7 }] }, output],
      'layers[0].layers',
      'to end with as many columns as it begins with (6) but it ends with 7',
    ],
    ['an unknown key', [{ type: 'dropout', rato: 0.5 }], 'layers[0].rato', 'did you mean `rate`?'],
    [
      'an unknown key in a table',
      [{ type: 'embedding', tables: [{ column: 0, categories: 2, unit: 2 }] }],
      'layers[0].tables[0].unit',
      'did you mean `units`?',
    ],
    [
      'an unknown key in a block',
      [{ type: 'residual', layers: [{ type: 'layerNormalization', epsilonn: 1 }] }],
      'layers[0].layers[0].epsilonn',
      'did you mean `epsilon`?',
    ],
    ['a dropout of all', [{ type: 'dropout', rate: 1 }], 'layers[0].rate', 'below 1 but received 1'],
    ['a negative dropout', [{ type: 'dropout', rate: -0.5 }], 'layers[0].rate', 'at least 0'],
    [
      'an epsilon of 0 by batch',
      [{ type: 'batchNormalization', epsilon: 0 }],
      'layers[0].epsilon',
      'a positive number but received 0',
    ],
    [
      'an epsilon of 0 by row',
      [{ type: 'layerNormalization', epsilon: 0 }],
      'layers[0].epsilon',
      'a positive number but received 0',
    ],
    [
      'a momentum above 1',
      [{ type: 'batchNormalization', momentum: 1.5 }],
      'layers[0].momentum',
      'at most 1 but received 1.5',
    ],
  ])('%s', (_, layers, field, message) => {
    expect(() => Network.create({ inputs: 6, layers } as NetworkSpec, 1)).toThrow(
      expect.objectContaining({
        name: 'EngineError',
        code: 'INVALID_ARGUMENT',
        field,
        message: expect.stringContaining(message),
      }),
    );
  });
});

describe('a category out of range', () => {
  const rows = 80;
  const row = 70;
  const column = 3;
  const refusal = (field: string) =>
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      field,
      message: expect.stringMatching(/a category from 0 to 3 but received .* in row 70, column 3\./),
    });
  const withCategory = (category: number): Examples => {
    const examples = categorical(rows);
    numbersOf(examples)[row * every.inputs + column] = category;
    return examples;
  };

  test.each([4, -1, 1.5, 1e30])('%d is refused with its row and column', async (category) => {
    const network = Network.create(every, 1);
    const trainer = trainerOf(network);
    const digest = digestOf(network);
    const examples = withCategory(category);
    const input = numbersOf(examples);
    expect(() => network.predict(input, rows)).toThrow(refusal('input'));
    await expect(network.predictAsync(input, rows)).rejects.toEqual(refusal('input'));
    expect(() => network.quantize({ type: 'int8', calibration: { input, rows } })).toThrow(
      refusal('calibration.input'),
    );
    const quantized = network.quantize({ type: 'int8', calibration: null });
    expect(() => quantized.predict(input, rows)).toThrow(refusal('input'));
    await expect(quantized.predictAsync(input, rows)).rejects.toEqual(refusal('input'));
    await expect(trainer.trainEpoch(examples, epochOptions())).rejects.toEqual(refusal('features'));
    await expect(trainer.evaluate(examples)).rejects.toEqual(refusal('features'));
    await expect(trainer.gradients(examples)).rejects.toEqual(refusal('features'));
    await expect(trainer.gradientNorms(examples)).rejects.toEqual(refusal('features'));
    expect(digestOf(network)).toBe(digest);
  });

  test('that comes into examples after their first epoch diverges in the embedding and touches no memory', async () => {
    const network = Network.create(every, 1);
    const trainer = trainerOf(network);
    const examples = categorical(rows);
    await trainer.trainEpoch(examples, epochOptions(0));
    const digest = digestOf(network);
    for (const category of [4, -1, 1.5, 1e30, Number.NaN]) {
      numbersOf(examples)[row * every.inputs + column] = category;
      const failing = trainer.trainEpoch(examples, epochOptions(1));
      await expect(failing).rejects.toMatchObject({ code: 'DIVERGED' });
      await expect(failing).rejects.toThrow('(first in layer `layers.0`)');
      expect(digestOf(network)).toBe(digest);
    }
  });
});
