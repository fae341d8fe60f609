import type { Activation } from '../../../native/index.js';
import { quote } from '../../platform/errors.js';
import type { NodeReader } from './node-reader.js';
import type { Operator } from './operator.js';
import { elementCount, type Rows } from './value.js';

const add = (node: NodeReader, { value, shape }: Rows, activation: Activation, parameter = 0): Rows =>
  node.steps.add({ type: 'activation', inputs: [value], activation, parameter }, shape);

const multiply = (node: NodeReader, { value, shape }: Rows, factor: number): Rows => {
  const operand = new Float32Array(elementCount(shape)).fill(factor);
  node.steps.countSpread(operand.length);
  const inputs: [number] = [value];
  return node.steps.add({ type: 'arithmetic', operation: 'multiply', inputs, operand, reversed: false }, shape);
};

const clip = (node: NodeReader, { value, shape }: Rows, lowest: number, highest: number): Rows =>
  node.steps.add({ type: 'clip', inputs: [value], lowest, highest }, shape);

/** One that the engine has as it is. */
const plain = (activation: Activation): Operator => ({
  inputs: [1, 1],
  attributes: [],
  apply: (node) => add(node, node.numbers(0), activation),
});

/** One with a parameter. */
const withAlpha = (activation: Activation, alpha: number): Operator => ({
  inputs: [1, 1],
  attributes: ['alpha'],
  apply: (node) => add(node, node.numbers(0), activation, node.float('alpha', alpha)),
});

const seluAlpha = Math.fround(1.6732632423543772);
const seluGamma = Math.fround(1.0507009873554805);

/** gamma * (x < 0 ? alpha * (e^x - 1) : x). */
const selu: Operator = {
  inputs: [1, 1],
  attributes: ['alpha', 'gamma'],
  apply(node) {
    const rows = node.numbers(0);
    const [alpha, gamma] = [node.float('alpha', seluAlpha), node.float('gamma', seluGamma)];
    if (alpha === seluAlpha && gamma === seluGamma) {
      return add(node, rows, 'selu');
    }
    return multiply(node, add(node, rows, 'elu', alpha), gamma);
  },
};

/** clip(alpha * x + beta, 0, 1). */
function hardSigmoid(node: NodeReader, rows: Rows, alpha: number, beta: number): Rows {
  if (alpha === Math.fround(1 / 6) && beta === 0.5) {
    return add(node, rows, 'hardSigmoid');
  }
  const columns = elementCount(rows.shape);
  node.steps.countSpread(2 * columns);
  const factor = new Float32Array(columns).fill(alpha);
  const summand = new Float32Array(columns).fill(beta);
  const line = node.steps.add({ type: 'scale', inputs: [rows.value], factor, summand }, rows.shape);
  return clip(node, line, 0, 1);
}

/** x * clip(x / 6 + 1/2, 0, 1). */
function hardSwish(node: NodeReader): Rows {
  const rows = node.numbers(0);
  const gate = hardSigmoid(node, rows, Math.fround(1 / 6), 0.5);
  const inputs: [number, number] = [rows.value, gate.value];
  return node.steps.add(
    { type: 'arithmetic', operation: 'multiply', inputs, operand: null, reversed: false },
    rows.shape,
  );
}

/** Bounds are attributes before version 11 and inputs from then on. */
function clipBetween(node: NodeReader): Rows {
  const rows = node.numbers(0);
  const old = node.facts.opset < 11;
  const bound = (index: number, name: string, otherwise: number) => {
    if (old) {
      return node.float(name, otherwise);
    }
    return node.has(index) ? node.scalar(index) : otherwise;
  };
  if (!old && node.node.attribute.length > 0) {
    throw node.refuse('has its bounds as attributes, which they are no more from version 11 on');
  }
  return clip(node, rows, bound(1, 'min', Number.NEGATIVE_INFINITY), bound(2, 'max', Number.POSITIVE_INFINITY));
}

function gelu(node: NodeReader): Rows {
  const approximate = node.text('approximate', 'none');
  if (approximate !== 'none' && approximate !== 'tanh') {
    throw node.refuse(`has ${quote(approximate)} as its attribute approximate; there are none and tanh`);
  }
  return add(node, node.numbers(0), approximate === 'tanh' ? 'geluTanh' : 'gelu');
}

/** Over whole rows: before version 13 over all dimensions from the axis on, since then over the axis alone. */
const softmax = (activation: 'softmax' | 'logSoftmax'): Operator => ({
  inputs: [1, 1],
  attributes: ['axis'],
  apply(node) {
    const rows = node.numbers(0);
    const flattens = node.facts.opset < 13;
    const rank = rows.shape.length + 1;
    const axis = node.axis(flattens ? 1 : -1, rank);
    const taken = flattens ? rows.shape.slice(Math.max(axis - 1, 0)) : rows.shape.slice(axis - 1, axis);
    if (axis === 0 || axis === rank || elementCount(taken) !== elementCount(rows.shape)) {
      throw node.refuse(
        `goes over axis ${axis} of [${['N', ...rows.shape].join(', ')}]; only whole rows are supported`,
      );
    }
    return add(node, rows, activation);
  },
});

const prelu: Operator = {
  inputs: [2, 2],
  attributes: [],
  apply(node) {
    const rows = node.numbers(0);
    return node.steps.add({ type: 'prelu', inputs: [rows.value], alpha: node.weightsAlong(1, rows) }, rows.shape);
  },
};

export const activations: Record<string, Operator> = {
  Relu: plain('relu'),
  Sigmoid: plain('sigmoid'),
  Tanh: plain('tanh'),
  Softplus: plain('softplus'),
  Softsign: plain('softsign'),
  LeakyRelu: withAlpha('leakyRelu', Math.fround(0.01)),
  Elu: withAlpha('elu', 1),
  Selu: selu,
  PRelu: prelu,
  HardSigmoid: {
    inputs: [1, 1],
    attributes: ['alpha', 'beta'],
    apply: (node) => hardSigmoid(node, node.numbers(0), node.float('alpha', Math.fround(0.2)), node.float('beta', 0.5)),
  },
  HardSwish: { inputs: [1, 1], attributes: [], since: 14, apply: hardSwish },
  Clip: { inputs: [1, 3], attributes: ['min', 'max'], apply: clipBetween },
  Gelu: { inputs: [1, 1], attributes: ['approximate'], since: 20, apply: gelu },
  Softmax: softmax('softmax'),
  LogSoftmax: softmax('logSoftmax'),
};
