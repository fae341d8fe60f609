import { expect, it } from 'vitest';
import type { GraphStep, PredictionGraphSpec } from '../../../native/index.js';
import { fused } from '../../../services/inference/onnx/fusion.js';

const floats = (...numbers: number[]) => Float32Array.from(numbers);

const product: GraphStep = {
  type: 'dense',
  inputs: [0],
  units: 2,
  kernel: floats(1, 2, 3, 4, 5, 6),
  transposed: false,
  bias: null,
  activation: 'linear',
};
const add = (input: number, ...operand: number[]): GraphStep => {
  return { type: 'arithmetic', operation: 'add', inputs: [input], operand: floats(...operand), reversed: false };
};
const scale = (input: number): GraphStep => {
  return { type: 'scale', inputs: [input], factor: floats(10, 100), summand: floats(1, 2) };
};
const activation = (input: number, name: 'relu' | 'softmax' | 'leakyRelu', parameter = 0): GraphStep => {
  return { type: 'activation', inputs: [input], activation: name, parameter };
};

const graph = (steps: GraphStep[], ...outputs: number[]): PredictionGraphSpec => {
  return { inputs: [{ datatype: 'float32', columns: 3 }], steps, outputs };
};

it('makes one step of a product, a constant, a scale and an activation', () => {
  expect(fused(graph([product, add(1, 7, 8), scale(2), activation(3, 'relu')], 4))).toEqual(
    graph(
      [
        { ...product, kernel: floats(10, 200, 30, 400, 50, 600), bias: floats(71, 802), activation: 'relu' },
      ] as GraphStep[],
      1,
    ),
  );
});

it('scales weights that lie the other way round', () => {
  const { steps } = fused(graph([{ ...product, transposed: true } as GraphStep, scale(1)], 2));
  expect(steps).toMatchObject([{ kernel: floats(10, 20, 30, 400, 500, 600), bias: floats(1, 2) }]);
});

it('subtracts a constant, and leaves one that is subtracted from', () => {
  const subtract = { ...add(1, 7, 8), operation: 'subtract' } as GraphStep;
  expect(fused(graph([product, subtract], 2)).steps).toMatchObject([{ bias: floats(-7, -8) }]);
  expect(fused(graph([product, { ...subtract, reversed: true } as GraphStep], 2)).steps).toHaveLength(2);
});

it.each<[string, GraphStep[], number[]]>([
  ['softmax', [product, activation(1, 'softmax')], [2]],
  ['an activation with a parameter of its own', [product, activation(1, 'leakyRelu', 0.5)], [2]],
  ['what follows an activation', [product, activation(1, 'relu'), add(2, 1, 1)], [3]],
  ['a product that is an output as well', [product, activation(1, 'relu')], [1, 2]],
  ['a product that two steps read', [product, activation(1, 'relu'), scale(1)], [2, 3]],
])('leaves %s as it is', (_, steps, outputs) => {
  const result = fused(graph(steps, ...outputs));
  const kept = steps.length - (steps[1]!.type === 'activation' && steps[2]?.type === 'arithmetic' ? 1 : 0);
  expect(result.steps).toHaveLength(kept);
});

it('leaves out what no output needs, and numbers the rest anew', () => {
  const twice: GraphStep = { type: 'concatenate', inputs: [0, 3], blocks: 1 };
  const steps = [activation(0, 'relu'), activation(1, 'relu'), activation(0, 'softmax'), twice];
  expect(fused(graph(steps, 4, 0))).toEqual(
    graph([activation(0, 'softmax'), { type: 'concatenate', inputs: [0, 1], blocks: 1 }], 2, 0),
  );
});

it('does not count readers that no output needs', () => {
  const steps = [product, activation(1, 'relu'), activation(1, 'softmax')];
  expect(fused(graph(steps, 2)).steps).toMatchObject([{ type: 'dense', activation: 'relu' }]);
});
