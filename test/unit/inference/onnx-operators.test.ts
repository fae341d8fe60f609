import { describe, expect, it } from 'vitest';
import { loadOnnx } from '../../../services/inference/onnx/load-onnx.js';
import { bytesOf, floatsOf, node, onnxModel, tensor, value } from '../../support/onnx-models.js';

type Shape = (number | string)[];
type Attributes = Record<string, unknown>;

interface OneNode {
  shape: Shape;
  result: Shape;
  /** Constants, in the order in which the node reads them after `x`. */
  constants?: { dims: number[]; numbers: number[]; type?: 'FP32' | 'INT64' }[];
  attributes?: Attributes;
  opset?: number;
  /** Names of its inputs, where they are others than x, c0, c1 and so on. */
  reads?: string[];
}

/** Answers of a model with one node, from rows `x` to rows `y`. */
function answer(opType: string, x: number[], one: OneNode): number[] {
  const { shape, result, constants = [], attributes = {}, opset = 17 } = one;
  const names = constants.map((_, index) => `c${index}`);
  const bytes = onnxModel({
    nodes: [node(opType, one.reads ?? ['x', ...names], 'y', attributes)],
    initializers: constants.map(({ dims, numbers, type }, index) => tensor(names[index]!, dims, numbers, type)),
    inputs: [value('x', 'FP32', shape)],
    outputs: [value('y', 'FP32', result)],
    opset,
  });
  const columns = shape.slice(1).reduce<number>((product, length) => product * (length as number), 1);
  return floatsOf(loadOnnx(bytes).execute([bytesOf(x)], x.length / columns)[0]!);
}

/** Of float32 computations of sums of some terms of about 1, and of the engine's exponentials. */
const tolerance = 2e-6;

function expectClose(actual: number[], expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [index, number] of expected.entries()) {
    expect(Math.abs(actual[index]! - number), `${index}: ${actual[index]} for ${number}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(number)),
    );
  }
}

const line = Array.from({ length: 34 }, (_, index) => (index - 16.5) / 2.3);
const numbersOf = (count: number, seed: number) =>
  Array.from({ length: count }, (_, index) => Math.fround(Math.sin((index + 1) * 12.9898 + seed) * 2));

/** A normal distribution function, by its series. */
function normal(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (x * x) / (2 * n + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const clamp = (x: number, lowest: number, highest: number) => Math.min(Math.max(x, lowest), highest);
const elu = (x: number, alpha: number) => (x < 0 ? alpha * Math.expm1(x) : x);

describe('activations', () => {
  it.each<[string, Attributes, number, (x: number) => number]>([
    ['Relu', {}, 7, (x) => Math.max(x, 0)],
    ['Sigmoid', {}, 13, sigmoid],
    ['Tanh', {}, 17, Math.tanh],
    ['Softplus', {}, 17, (x) => Math.log1p(Math.exp(x))],
    ['Softsign', {}, 22, (x) => x / (1 + Math.abs(x))],
    ['LeakyRelu', {}, 17, (x) => (x < 0 ? 0.01 * x : x)],
    ['LeakyRelu', { alpha: 0.2 }, 7, (x) => (x < 0 ? 0.2 * x : x)],
    ['LeakyRelu', { alpha: -0.3 }, 17, (x) => (x < 0 ? -0.3 * x : x)],
    ['Elu', {}, 17, (x) => elu(x, 1)],
    ['Elu', { alpha: 0.7 }, 17, (x) => elu(x, 0.7)],
    ['Selu', {}, 17, (x) => 1.0507009873554805 * elu(x, 1.6732632423543772)],
    ['Selu', { alpha: 1.5, gamma: 2 }, 17, (x) => 2 * elu(x, 1.5)],
    ['Gelu', {}, 20, (x) => x * normal(x)],
    [
      'Gelu',
      { approximate: 'tanh' },
      21,
      (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    ],
    ['HardSigmoid', {}, 17, (x) => clamp(0.2 * x + 0.5, 0, 1)],
    ['HardSigmoid', { alpha: 1 / 6, beta: 0.5 }, 17, (x) => clamp(x / 6 + 0.5, 0, 1)],
    ['HardSigmoid', { alpha: 0.4, beta: 0.1 }, 7, (x) => clamp(0.4 * x + 0.1, 0, 1)],
    ['HardSwish', {}, 14, (x) => x * clamp(x / 6 + 0.5, 0, 1)],
    ['Clip', { min: 0, max: 6 }, 7, (x) => clamp(x, 0, 6)],
    ['Clip', { min: -1 }, 10, (x) => Math.max(x, -1)],
    ['Clip', {}, 17, (x) => x],
    ['Identity', {}, 17, (x) => x],
    ['Dropout', {}, 13, (x) => x],
    ['Dropout', { ratio: 0.3 }, 7, (x) => x],
  ])('%s %o of version %d', (opType, attributes, opset, reference) => {
    const x = line.map(Math.fround);
    expectClose(answer(opType, x, { shape: ['N', 17], result: ['N', 17], attributes, opset }), x.map(reference));
  });

  it('Clip with bounds as inputs, either of them left out', () => {
    const of = (constants: OneNode['constants'], reads?: string[]) =>
      answer('Clip', [-9, 2, 9], { shape: ['N', 3], result: ['N', 3], constants, reads });
    const [low, high] = [
      { dims: [], numbers: [0] },
      { dims: [], numbers: [6] },
    ];
    expect(of([low, high])).toEqual([0, 2, 6]);
    expect(of([low])).toEqual([0, 2, 9]);
    expect(of([high], ['x', '', 'c0'])).toEqual([-9, 2, 6]);
  });

  it('PRelu with a slope for each column, and with one for all', () => {
    const of = (dims: number[], numbers: number[]) =>
      answer('PRelu', [-1, -2, 3, -4], { shape: ['N', 2], result: ['N', 2], constants: [{ dims, numbers }] });
    expect(of([2], [0.5, 0.25])).toEqual([-0.5, -0.5, 3, -1]);
    expect(of([1], [2])).toEqual([-2, -4, 3, -8]);
  });

  it('passes NaN through bounds and slopes', () => {
    const shape = ['N', 1];
    for (const opType of ['Relu', 'Clip', 'LeakyRelu', 'Softplus']) {
      expect(answer(opType, [Number.NaN], { shape, result: shape })).toEqual([Number.NaN]);
    }
  });
});

describe('softmax', () => {
  const x = numbersOf(3 * 5, 1);
  const softmax = (row: number[]) => {
    const total = row.reduce((sum, number) => sum + Math.exp(number), 0);
    return row.map((number) => Math.exp(number) / total);
  };
  const expected = [0, 5, 10].flatMap((first) => softmax(x.slice(first, first + 5)));

  it.each<[number, Attributes, Shape]>([
    [7, {}, ['N', 5]],
    [11, { axis: -1n }, ['N', 5]],
    [13, {}, ['N', 5]],
    [17, { axis: 1n }, ['N', 5]],
    [11, {}, ['N', 1, 5]],
    [17, {}, ['N', 1, 5]],
    [17, { axis: 1n }, ['N', 5, 1]],
  ])('of version %d with %o over rows of %o', (opset, attributes, shape) => {
    const one = { shape, result: shape, attributes, opset };
    expectClose(answer('Softmax', x, one), expected);
    expectClose(answer('LogSoftmax', x, one), expected.map(Math.log));
  });
});

/** rows [n, inner] times kernel [inner, units], plus a bias for each unit. */
function product(x: number[], kernel: number[], inner: number, bias: number[]): number[] {
  const units = kernel.length / inner;
  return Array.from({ length: (x.length / inner) * units }, (_, place) => {
    const [row, unit] = [Math.floor(place / units), place % units];
    let sum = bias[unit] ?? 0;
    for (let i = 0; i < inner; i++) {
      sum += x[row * inner + i]! * kernel[i * units + unit]!;
    }
    return sum;
  });
}

describe('products', () => {
  const [rows, inner, units] = [5, 19, 18];
  const x = numbersOf(rows * inner, 2);
  const kernel = numbersOf(inner * units, 3);
  const bias = numbersOf(units, 4);
  const transposed = Array.from({ length: kernel.length }, (_, place) => {
    return kernel[(place % inner) * units + Math.floor(place / inner)]!;
  });
  const shapes = { shape: ['N', inner], result: ['N', units] };

  it('Gemm with a bias', () => {
    const constants = [
      { dims: [inner, units], numbers: kernel },
      { dims: [units], numbers: bias },
    ];
    expectClose(answer('Gemm', x, { ...shapes, constants, opset: 7 }), product(x, kernel, inner, bias));
  });

  it('Gemm with turned weights, factors and one number as bias', () => {
    const constants = [
      { dims: [units, inner], numbers: transposed },
      { dims: [1, 1], numbers: [3] },
    ];
    const attributes = { alpha: 0.5, beta: 2, transB: 1n };
    const halves = kernel.map((number) => number / 2);
    const expected = product(x, halves, inner, Array(units).fill(6));
    expectClose(answer('Gemm', x, { ...shapes, constants, attributes, opset: 13 }), expected);
  });

  it('Gemm without a bias', () => {
    const constants = [{ dims: [inner, units], numbers: kernel }];
    expectClose(answer('Gemm', x, { ...shapes, constants, opset: 11 }), product(x, kernel, inner, []));
  });

  it('Gemm that adds rows', () => {
    const square = numbersOf(inner * inner, 5);
    const constants = [{ dims: [inner, inner], numbers: square }];
    const one = { shape: ['N', inner], result: ['N', inner], constants, reads: ['x', 'c0', 'x'] };
    const plain = product(x, square, inner, []);
    expectClose(
      answer('Gemm', x, { ...one, attributes: { beta: 3 } }),
      plain.map((number, place) => number + 3 * x[place]!),
    );
    expectClose(
      answer('Gemm', x, one),
      plain.map((number, place) => number + x[place]!),
    );
  });

  it('MatMul with a matrix, a vector, and rows of more dimensions', () => {
    const matrix = [{ dims: [inner, units], numbers: kernel }];
    const vector = [{ dims: [inner], numbers: kernel.slice(0, inner) }];
    const expected = product(x, kernel, inner, []);
    expectClose(answer('MatMul', x, { ...shapes, constants: matrix }), expected);
    const deep = { shape: ['N', 1, inner], result: ['N', 1, units], constants: matrix };
    expectClose(answer('MatMul', x, deep), expected);
    const single = { shape: ['N', inner], result: ['N'], constants: vector };
    expectClose(answer('MatMul', x, single), product(x, kernel.slice(0, inner), inner, []));
  });

  it.each([7, 9, 14, 15])('BatchNormalization of version %d, by channel', (opset) => {
    const channels = 3;
    const [scale, shift, mean] = [numbersOf(channels, 6), numbersOf(channels, 7), numbersOf(channels, 8)];
    const variance = numbersOf(channels, 9).map((number) => Math.fround(number * number + 0.1));
    const constants = [scale, shift, mean, variance].map((numbers) => ({ dims: [channels], numbers }));
    const attributes = { epsilon: 0.01 };
    for (const [inside, rest] of [
      [1, []],
      [4, [2, 2]],
    ] as const) {
      const input = numbersOf(6 * channels * inside, 10);
      const shape = ['N', channels, ...rest];
      const expected = input.map((number, place) => {
        const channel = Math.floor(place / inside) % channels;
        return ((number - mean[channel]!) / Math.sqrt(variance[channel]! + 0.01)) * scale[channel]! + shift[channel]!;
      });
      expectClose(
        answer('BatchNormalization', input, { shape, result: shape, constants, attributes, opset }),
        expected,
      );
    }
  });
});

describe('arithmetic', () => {
  const x = numbersOf(12, 11);
  const operations: [string, (a: number, b: number) => number][] = [
    ['Add', (a, b) => a + b],
    ['Sub', (a, b) => a - b],
    ['Mul', (a, b) => a * b],
    ['Div', (a, b) => a / b],
  ];

  it.each(operations)('%s with a constant on either side, to the nearest float32', (opType, f) => {
    const constants = [{ dims: [3], numbers: [0.7, -3, 11] }];
    const shapes = { shape: ['N', 3], result: ['N', 3], constants };
    const operand = (place: number) => Math.fround([0.7, -3, 11][place % 3]!);
    const left = x.map((number, place) => Math.fround(f(number, operand(place))));
    const right = x.map((number, place) => Math.fround(f(operand(place), number)));
    expect(answer(opType, x, shapes)).toEqual(left);
    expect(answer(opType, x, { ...shapes, reads: ['c0', 'x'] })).toEqual(right);
  });

  it.each(operations)('%s of two tensors', (opType, f) => {
    const shapes = { shape: ['N', 3], result: ['N', 3], reads: ['x', 'x'] };
    expect(answer(opType, x, shapes)).toEqual(x.map((number) => Math.fround(f(number, number))));
  });

  it.each<[number[], number[], (place: number) => number]>([
    [[], [5], () => 5],
    [[1], [5], () => 5],
    [[2], [5, 6], (place) => 5 + (place % 2)],
    [[3, 1], [5, 6, 7], (place) => 5 + Math.floor(place / 2)],
    [[1, 3, 2], [1, 2, 3, 4, 5, 6], (place) => place + 1],
    [[1, 1, 1], [5], () => 5],
  ])('broadcasts a constant of shape %o along a row', (dims, numbers, expected) => {
    const shape = ['N', 3, 2];
    const actual = answer('Add', Array(12).fill(0), { shape, result: shape, constants: [{ dims, numbers }] });
    expect(actual).toEqual(Array.from({ length: 12 }, (_, place) => expected(place % 6)));
  });
});

describe('shapes', () => {
  const x = Array.from({ length: 12 }, (_, index) => index);
  const to = (...numbers: number[]) => [{ dims: [numbers.length], numbers, type: 'INT64' as const }];

  it.each<[Shape, number[], Shape, Attributes?]>([
    [
      ['N', 2, 3],
      [-1, 6],
      ['N', 6],
    ],
    [
      ['N', 2, 3],
      [0, -1],
      ['N', 6],
    ],
    [
      ['N', 2, 3],
      [0, 0, 1, 3],
      ['N', 2, 1, 3],
    ],
    [
      ['N', 2, 3],
      [0, 3, -1],
      ['N', 3, 2],
    ],
    [['N', 2, 3], [-1, 6], ['N', 6], { allowzero: 1n }],
    [
      [1, 2, 3],
      [1, 6],
      [1, 6],
    ],
    [['N', 1], [-1], ['N']],
    [['N'], [-1, 1], ['N', 1]],
  ])('Reshape from %o by %o', (shape, target, result, attributes = {}) => {
    expect(answer('Reshape', x, { shape, result, constants: to(...target), attributes })).toEqual(x);
  });

  it.each<[Shape, Attributes, Shape]>([
    [['N', 2, 3], {}, ['N', 6]],
    [['N', 2, 3], { axis: -2n }, ['N', 6]],
    [['N', 1, 6], { axis: 2n }, ['N', 6]],
    [['N'], {}, ['N', 1]],
  ])('Flatten of %o with %o', (shape, attributes, result) => {
    expect(answer('Flatten', x, { shape, result, attributes })).toEqual(x);
  });

  it('Concat on each axis of a row', () => {
    const both = (axis: bigint, result: Shape) =>
      answer('Concat', x, { shape: ['N', 2, 3], result, reads: ['x', 'x'], attributes: { axis } });
    const twice = (length: number) =>
      Array.from({ length: 12 / length }, (_, part) => x.slice(part * length, (part + 1) * length)).flatMap((part) => [
        ...part,
        ...part,
      ]);
    expect(both(1n, ['N', 4, 3])).toEqual(twice(6));
    expect(both(2n, ['N', 2, 6])).toEqual(twice(3));
    expect(both(-1n, ['N', 2, 6])).toEqual(twice(3));
  });
});
