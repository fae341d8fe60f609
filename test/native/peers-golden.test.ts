import { describe, expect, test } from 'vitest';
import {
  type Loss,
  Network,
  type NetworkSpec,
  readSafetensors,
  Trainer,
  writeSafetensors,
} from '../../native/index.js';
import keras from '../golden/engine-keras.json' with { type: 'json' };
import torch from '../golden/loss.json' with { type: 'json' };
import { epochOptions, floatBlock } from './build-network.js';

/** One network, its batch, and what the peer made of them. */
interface Golden {
  name: string;
  network: unknown;
  loss: unknown;
  classes: boolean;
  rows: number;
  tensors: Record<string, { shape: number[]; data: number[] }>;
  features: number[];
  targets: number[];
  weights: number[] | null;
  expected: {
    outputs: number[];
    loss: number;
    parameters: Record<string, number[]>;
    inputs: number[];
    statistics: Record<string, number[]>;
  };
}

// The peers computed in float64: a float32 sum of up to 8 products of size 1 is off by a few of its units, 6e-8 each, and
// sums of large numbers by as much of their size.
const tolerance = 3e-6;

function expectClose(what: string, actual: ArrayLike<number>, expected: number[]): void {
  expect(actual.length, what).toBe(expected.length);
  const size = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  for (const [index, value] of expected.entries()) {
    expect(Math.abs(actual[index]! - value), `${what} ${index}`).toBeLessThanOrEqual(tolerance * size);
  }
}

function networkOf({ network, tensors }: Golden): Network {
  const entries = Object.entries(tensors).map(
    ([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }] as const,
  );
  return Network.fromSafetensors(network as NetworkSpec, writeSafetensors(new Map(entries), {}));
}

function examplesOf({ rows, network, features, targets, weights, classes }: Golden) {
  return {
    rows,
    features: floatBlock((network as NetworkSpec).inputs, Float32Array.from(features)),
    targets: classes ? Int32Array.from(targets) : Float32Array.from(targets),
    ...(weights === null ? {} : { weights: Float32Array.from(weights) }),
  };
}

function trainerOf(network: Network, { loss }: Golden): Trainer {
  return new Trainer(network, {
    loss: loss as Loss,
    optimizer: { type: 'gradientDescent', learningRate: 1e-30 },
    batchSize: 'full',
    seed: 0,
    threads: 1,
  });
}

async function agrees(golden: Golden): Promise<void> {
  const network = networkOf(golden);
  const trainer = trainerOf(network, golden);
  const examples = examplesOf(golden);
  expectClose('output', network.predict(Float32Array.from(golden.features), golden.rows), golden.expected.outputs);
  const gradients = await trainer.gradients(examples);
  expectClose('loss', [gradients.loss], [golden.expected.loss]);
  for (const [name, expected] of Object.entries(golden.expected.parameters)) {
    expectClose(name, gradients.parameters[name]!, expected);
  }
  expectClose('input', gradients.inputs, golden.expected.inputs);
  await trainer.trainEpoch(examples, epochOptions());
  const { tensors } = readSafetensors(network.toSafetensors({}));
  for (const [name, expected] of Object.entries(golden.expected.statistics)) {
    expectClose(`${name} after a step`, tensors.get(name)!.data, expected);
  }
  trainer.dispose();
  network.dispose();
}

describe.each([
  ['Keras', keras],
  ['PyTorch', torch],
])('%s agrees on outputs, loss and every gradient:', (_, golden) => {
  test.each(golden.activations as Golden[])('$name', agrees);
  test.each(golden.losses as Golden[])('$name', agrees);
  test.each(golden.layers as Golden[])('$name', agrees);
});
