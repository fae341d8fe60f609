import { describe, expect, test } from 'vitest';
import {
  type Activation,
  activations,
  type Examples,
  type LayerSpec,
  type Loss,
  Network,
  type NetworkSpec,
  readSafetensors,
  type Tensor,
  Trainer,
  writeSafetensors,
} from '../../native/index.js';
import { floatBlock, noise, specOf } from './build-network.js';

const rows = 3;
const inputs = 4;
const hiddenUnits = 5;
const outputs = 3;

// Central differences in float32: the loss has an error of about 1e-7, so a step of 2^-7 leaves 1e-5 of rounding, and
// the third derivative, of size 1, adds the square of the step, 6e-5.
const step = 2 ** -7;
const tolerance = 4e-4;

interface Case {
  spec: NetworkSpec;
  loss: Loss;
  examples: Examples;
}

/** Large biases and small kernels keep logits away from the corners of ReLU and its like. */
function drawn(spec: NetworkSpec): Map<string, Tensor> {
  const network = Network.create(spec, 1);
  const { tensors } = readSafetensors(network.toSafetensors({}));
  network.dispose();
  let seed = 11;
  for (const [name, { data }] of tensors) {
    const values = noise(data.length, seed);
    seed += 1;
    data.set(name.endsWith('.bias') ? values.map((value) => Math.sign(value) + value) : values.map((v) => v / 8));
  }
  return tensors;
}

async function gradientsOf({ spec, loss, examples }: Case, tensors: Map<string, Tensor>) {
  const network = Network.fromSafetensors(spec, writeSafetensors(tensors, {}));
  const options = { batchSize: 'full', seed: 0, threads: 1 } as const;
  const trainer = new Trainer(network, { loss, optimizer: { type: 'gradientDescent', learningRate: 1 }, ...options });
  const gradients = await trainer.gradients(examples);
  trainer.dispose();
  network.dispose();
  return gradients;
}

/** Moves each number of an array up and down and compares with what the engine says of it. */
async function compare(what: string, values: Float32Array, gradient: Float32Array, lossOf: () => Promise<number>) {
  expect(gradient.length).toBe(values.length);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index]!;
    values[index] = value + step;
    const above = await lossOf();
    values[index] = value - step;
    const below = await lossOf();
    values[index] = value;
    const difference = (above - below) / (2 * step);
    expect(Math.abs(gradient[index]! - difference), `${what} ${index}`).toBeLessThan(tolerance);
  }
}

async function agrees(network: Case): Promise<void> {
  const tensors = drawn(network.spec);
  const gradients = await gradientsOf(network, tensors);
  const lossOf = async () => (await gradientsOf(network, tensors)).loss;
  for (const [name, { data }] of tensors) {
    if (!name.includes('.moving')) await compare(name, data, gradients.parameters[name]!, lossOf);
  }
  await compare('input', network.examples.features[0]!.data as Float32Array, gradients.inputs, lossOf);
}

function targetsOf(loss: Loss): Examples['targets'] {
  const type = typeof loss === 'string' ? loss : loss.type;
  const random = noise(rows * outputs, 5);
  switch (type) {
    case 'categoricalCrossEntropy':
      return Int32Array.from([2, 0, 1]);
    case 'binaryCrossEntropy':
      return random.map((value) => (value > 0 ? 1 : 0));
    case 'hinge':
      return random.map((value) => (value > 0 ? 1 : -1));
    case 'kullbackLeibler':
      return Float32Array.of(0.5, 0.25, 0.25, 0, 1, 0, 0.125, 0.375, 0.5);
    case 'poisson':
      return random.map((value) => Math.abs(3 * value));
    default:
      return random;
  }
}

function batchFor(loss: Loss): Examples {
  const features = noise(rows * inputs, 3).map((value) => value / 2);
  return { rows, features: floatBlock(inputs, features), targets: targetsOf(loss) };
}

describe('gradients of activations agree with finite differences', () => {
  const cases = activations.flatMap((activation): { hidden: Activation; output: Activation }[] => [
    { hidden: activation, output: 'linear' },
    { hidden: 'tanh', output: activation },
  ]);
  test.each(cases)('$hidden, then $output', async ({ hidden, output }) => {
    const spec = specOf(inputs, `${hiddenUnits} ${hidden}`, `${outputs} ${output}`);
    await agrees({ spec, loss: 'meanSquaredError', examples: batchFor('meanSquaredError') });
  });
});

describe('gradients of losses agree with finite differences', () => {
  const categorical = { type: 'categoricalCrossEntropy', labelSmoothing: 0.125, classWeights: [0.5, 2, 1] } as const;
  const cases: { loss: Loss; output: Activation }[] = [
    { loss: 'meanAbsoluteError', output: 'linear' },
    { loss: 'huber', output: 'linear' },
    { loss: { type: 'huber', delta: 0.5 }, output: 'sigmoid' },
    { loss: 'logCosh', output: 'linear' },
    { loss: 'binaryCrossEntropy', output: 'sigmoid' },
    { loss: { type: 'binaryCrossEntropy', labelSmoothing: 0.25 }, output: 'sigmoid' },
    { loss: 'categoricalCrossEntropy', output: 'softmax' },
    { loss: categorical, output: 'softmax' },
    { loss: 'categoricalCrossEntropy', output: 'logSoftmax' },
    { loss: categorical, output: 'logSoftmax' },
    { loss: 'kullbackLeibler', output: 'logSoftmax' },
    { loss: 'poisson', output: 'softplus' },
    { loss: 'hinge', output: 'tanh' },
    { loss: 'kullbackLeibler', output: 'softmax' },
    { loss: 'kullbackLeibler', output: 'sigmoid' },
    { loss: 'poisson', output: 'sigmoid' },
    { loss: 'poisson', output: 'softmax' },
  ];
  test.each(cases)('$loss after $output', async ({ loss, output }) => {
    const spec = specOf(inputs, `${hiddenUnits} tanh`, `${outputs} ${output}`);
    const examples = batchFor(loss);
    await agrees({ spec, loss, examples });
    await agrees({ spec, loss, examples: { ...examples, weights: Float32Array.of(0.5, 2, 1.25) } });
  });

  test('categoricalCrossEntropy of probabilities', async () => {
    const spec = specOf(inputs, `${hiddenUnits} tanh`, `${outputs} softmax`);
    const examples = batchFor('kullbackLeibler');
    for (const loss of ['categoricalCrossEntropy', categorical] as const) await agrees({ spec, loss, examples });
  });
});

describe('gradients of layers agree with finite differences', () => {
  const first: LayerSpec = { type: 'dense', units: hiddenUnits, activation: 'tanh' };
  const last: LayerSpec = { type: 'dense', units: outputs };
  const block: LayerSpec[] = [
    { type: 'dense', units: hiddenUnits + 2, activation: 'tanh' },
    { type: 'dense', units: hiddenUnits },
  ];
  const cases: [string, LayerSpec[]][] = [
    ['dense without bias', [{ ...first, useBias: false }, last]],
    [
      'leaky ReLU with its own slope',
      [{ type: 'dense', units: 5 }, { type: 'activation', activation: 'leakyRelu', negativeSlope: 0.375 }, last],
    ],
    [
      'ELU with its own alpha',
      [{ type: 'dense', units: 5 }, { type: 'activation', activation: 'elu', alpha: 0.5 }, last],
    ],
    ['PReLU', [{ type: 'dense', units: hiddenUnits }, { type: 'prelu' }, last]],
    ['dropout, which drops the same in every call', [first, { type: 'dropout', rate: 0.5 }, last]],
    ['batch normalisation', [first, { type: 'batchNormalization' }, last]],
    ['batch normalisation last', [first, last, { type: 'batchNormalization', epsilon: 0.1 }]],
    ['layer normalisation', [first, { type: 'layerNormalization' }, last]],
    ['residual', [first, { type: 'residual', layers: block }, last]],
    [
      'residual in residual',
      [
        first,
        { type: 'residual', layers: [{ type: 'layerNormalization' }, { type: 'residual', layers: block }] },
        last,
      ],
    ],
  ];
  test.each(cases)('%s', async (_, layers) => {
    await agrees({ spec: { inputs, layers }, loss: 'meanSquaredError', examples: batchFor('meanSquaredError') });
  });
});
