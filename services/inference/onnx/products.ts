import type { NodeReader } from './node-reader.js';
import type { Operator } from './operator.js';
import { alongRow, elementCount, type Rows, sameShape, shapeText } from './value.js';

/** alpha * A * B + beta * C, A being the rows. */
const gemm: Operator = {
  inputs: [2, 3],
  attributes: ['alpha', 'beta', 'transA', 'transB'],
  apply(node) {
    const rows = node.numbers(0);
    if (node.integer('transA', 0) !== 0) {
      throw node.refuse('has transA = 1, which would turn the rows of a batch into columns');
    }
    if (rows.shape.length !== 1) {
      throw node.refuse(`takes rows of one dimension but receives ${shapeText(rows)}`);
    }
    const { shape, numbers } = node.weights(1);
    if (shape.length !== 2) {
      throw node.refuse(`needs weights of two dimensions but has ${shapeText(node.constant(1))}`);
    }
    const transposed = node.integer('transB', 0) !== 0;
    const [inner, units] = transposed ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
    expectInner(node, rows, inner);
    const kernel = scaled(numbers, node.float('alpha', 1));
    return addThird(node, rows, { kernel, transposed, units });
  },
};

interface Weights {
  kernel: Float32Array;
  /** The kernel is [units, in] rather than [in, units]. */
  transposed: boolean;
  units: number;
}

function addThird(node: NodeReader, rows: Rows, weights: Weights): Rows {
  const beta = node.float('beta', 1);
  const shape = [weights.units];
  const third = node.has(2) ? node.input(2) : null;
  if (third?.kind !== 'rows') {
    return dense(node, rows, weights, third === null ? null : scaled(node.weightsAlong(2, { ...rows, shape }), beta));
  }
  let summand = node.numbers(2);
  if (!sameShape(summand.shape, shape)) {
    throw node.refuse(`adds rows of ${shapeText(summand)} to rows of [N, ${weights.units}]`);
  }
  if (beta !== 1) {
    const operand = new Float32Array(weights.units).fill(beta);
    const inputs: [number] = [summand.value];
    summand = node.steps.add({ type: 'arithmetic', operation: 'multiply', inputs, operand, reversed: false }, shape);
  }
  const inputs: [number, number] = [dense(node, rows, weights, null).value, summand.value];
  return node.steps.add({ type: 'arithmetic', operation: 'add', inputs, operand: null, reversed: false }, shape);
}

/** Rows of one dimension, or of several that are 1 but for the last, times a matrix. */
const matMul: Operator = {
  inputs: [2, 2],
  attributes: [],
  apply(node) {
    const rows = node.numbers(0);
    const { shape, numbers } = node.weights(1);
    if (shape.length !== 1 && shape.length !== 2) {
      throw node.refuse(`needs weights of one or two dimensions but has ${shapeText(node.constant(1))}`);
    }
    const before = rows.shape.slice(0, -1);
    if (rows.shape.length === 0 || elementCount(before) !== 1) {
      throw node.refuse(`takes rows of one dimension but receives ${shapeText(rows)}`);
    }
    const [inner, units] = [shape[0]!, shape[1] ?? 1];
    expectInner(node, rows, inner);
    const result = shape.length === 1 ? before : [...before, units];
    return { ...dense(node, rows, { kernel: numbers, transposed: false, units }, null), shape: result };
  },
};

function dense(node: NodeReader, rows: Rows, weights: Weights, bias: Float32Array | null): Rows {
  const { units } = weights;
  return node.steps.add({ type: 'dense', inputs: [rows.value], ...weights, bias, activation: 'linear' }, [units]);
}

function expectInner(node: NodeReader, rows: Rows, inner: number): void {
  if (rows.shape.at(-1) !== inner) {
    throw node.refuse(`multiplies rows of ${shapeText(rows)} by weights of ${shapeText(node.constant(1))}`);
  }
}

const scaled = (numbers: Float32Array, factor: number): Float32Array =>
  factor === 1 ? numbers : numbers.map((number) => number * factor);

/** (x - mean) / sqrt(variance + epsilon) * scale + bias, by channel: the first dimension of a row. */
const batchNormalization: Operator = {
  inputs: [5, 5],
  attributes: ['epsilon', 'momentum', 'spatial', 'training_mode'],
  apply(node) {
    const rows = node.numbers(0);
    if (node.integer('training_mode', 0) !== 0) {
      throw node.refuse('is in training mode; export the model for inference');
    }
    if (node.integer('spatial', 1) !== 1 && rows.shape.length > 1) {
      throw node.refuse('has spatial = 0, which later versions of the operator have given up');
    }
    const channels = rows.shape[0] ?? 1;
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((index) => {
      const { shape, numbers } = node.weights(index);
      if (!sameShape(shape, [channels])) {
        throw node.refuse(`needs input ${index} to have the shape [${channels}] but it has [${shape.join(', ')}]`);
      }
      return numbers;
    }) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const epsilon = node.float('epsilon', 1e-5);
    const factors = scale.map((number, channel) => number / Math.sqrt(variance[channel]! + epsilon));
    const summands = bias.map(
      (number, channel) => number - (mean[channel]! * scale[channel]!) / Math.sqrt(variance[channel]! + epsilon),
    );
    node.steps.countSpread(2 * elementCount(rows.shape));
    const spread = (numbers: Float32Array) => {
      const shape = [channels, ...rows.shape.slice(1).map(() => 1)];
      return alongRow({ kind: 'constant', datatype: 'FP32', shape, numbers }, rows.shape)!;
    };
    const [factor, summand] = [spread(factors), spread(summands)];
    return node.steps.add({ type: 'scale', inputs: [rows.value], factor, summand }, rows.shape);
  },
};

export const products: Record<string, Operator> = {
  Gemm: gemm,
  MatMul: matMul,
  BatchNormalization: batchNormalization,
};
