import { describe, expect, test } from 'vitest';
import { type Activation, type Loss, type OptimizerSpec, readSafetensors, Trainer } from '../../native/index.js';
import golden from '../golden/engine.json' with { type: 'json' };
import { epochOptions, floatBlock, networkWith, specOf } from './build-network.js';

const { rows, inputs, hidden: hiddenUnits, outputs } = golden.shape;
const names = ['layers.0.kernel', 'layers.0.bias', 'layers.1.kernel', 'layers.1.bias'];

// PyTorch computed in float64; a float32 sum of up to 7 products of size 1 is off by a few of its units, 6e-8 each.
const tolerance = 2e-6;

function expectClose(actual: ArrayLike<number>, expected: number[], allowed: number): void {
  expect(actual.length).toBe(expected.length);
  for (const [index, value] of expected.entries()) {
    expect(Math.abs(actual[index]! - value), `element ${index}`).toBeLessThanOrEqual(allowed);
  }
}

function targetsOf(loss: string, targets: number[]): Int32Array | Float32Array {
  return loss === 'categoricalCrossEntropy' ? Int32Array.from(targets) : Float32Array.from(targets);
}

function specFor(hidden: string, output: string) {
  return specOf(inputs, `${hiddenUnits} ${hidden as Activation}`, `${outputs} ${output as Activation}`);
}

describe('outputs, loss and every gradient agree with PyTorch', () => {
  test.each(golden.gradients)('$hidden, then $output with $loss', async (golden) => {
    const network = networkWith(specFor(golden.hidden, golden.output), golden.parameters);
    const features = Float32Array.from(golden.features);
    expectClose(network.predict(features, rows), golden.expected.outputs, tolerance);
    const trainer = new Trainer(network, {
      loss: golden.loss as Loss,
      optimizer: { type: 'gradientDescent', learningRate: 1 },
      batchSize: 'full',
      seed: 0,
      threads: 1,
    });
    const targets = targetsOf(golden.loss, golden.targets);
    const gradients = await trainer.gradients({ rows, features: floatBlock(inputs, features), targets });
    expect(Math.abs(gradients.loss - golden.expected.loss)).toBeLessThanOrEqual(tolerance * 4);
    for (const [index, name] of names.entries()) {
      expectClose(gradients.parameters[name]!, golden.expected.parameters[index]!, tolerance);
    }
    expectClose(gradients.inputs, golden.expected.inputs, tolerance);
    trainer.dispose();
    network.dispose();
  });
});

describe('ten steps of every optimizer agree with PyTorch', () => {
  test.each(golden.optimizers)('$optimizer', async (golden) => {
    const spec = specFor('tanh', 'softmax');
    const network = networkWith(spec, golden.parameters);
    const trainer = new Trainer(network, {
      loss: 'categoricalCrossEntropy',
      optimizer: golden.optimizer as OptimizerSpec,
      batchSize: 'full',
      seed: 0,
      threads: 1,
    });
    const features = Float32Array.from(golden.features);
    const examples = { rows, features: floatBlock(inputs, features), targets: Int32Array.from(golden.targets) };
    for (const [epoch, loss] of golden.expected.losses.entries()) {
      const result = await trainer.trainEpoch(examples, epochOptions(epoch));
      // Ten steps carry the rounding of one into the next.
      expect(Math.abs(result.loss - loss)).toBeLessThanOrEqual(1e-5);
    }
    expect(trainer.step).toBe(10);
    const expected = networkWith(spec, golden.expected.parameters);
    const actualOutputs = network.predict(features, rows);
    expectClose(actualOutputs, [...expected.predict(features, rows)], 1e-5);
    const { tensors } = readSafetensors(network.toSafetensors({}));
    // Adam divides by the root of a tiny second moment: its relative rounding is amplified, hence 1e-5 and not 2e-6.
    for (const [index, name] of names.entries()) {
      expectClose(tensors.get(name)!.data, golden.expected.parameters[index]!, 1e-5);
    }
    for (const owner of [trainer, network, expected]) owner.dispose();
  });
});
