import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BrokenArtifact } from '../../../services/inference/model-files.js';
import { loadOnnx } from '../../../services/inference/onnx/load-onnx.js';
import { fuzzRuns, mutatedBytes } from '../../support/mutations.js';
import { elementTypes, type ModelParts, node, onnxModel, tensor, value } from '../../support/onnx-models.js';

/** Why the model is not loaded. */
function reasonAgainst(bytes: Uint8Array): string {
  try {
    loadOnnx(bytes).dispose();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokenArtifact);
    return (error as Error).message;
  }
  throw new Error('the model was loaded');
}

const kernel = tensor('kernel', [3, 2], [1, 2, 3, 4, 5, 6]);

/** A model of one product, with some parts of it others. */
function modelWith(parts: Partial<ModelParts>): Uint8Array {
  return onnxModel({
    nodes: [node('MatMul', ['x', 'kernel'], 'y')],
    initializers: [kernel],
    inputs: [value('x', 'FP32', ['N', 3])],
    outputs: [value('y', 'FP32', ['N', 2])],
    ...parts,
  });
}

const x = (shape: (number | string)[]) => ({ inputs: [value('x', 'FP32', shape)] });
const one = (opType: string, attributes: Record<string, unknown> = {}, reads = ['x', 'kernel']) => ({
  nodes: [node(opType, reads, 'y', attributes)],
});

it('loads the model that the others are made of', () => {
  expect(() => loadOnnx(modelWith({}))).not.toThrow();
});

describe('refuses', () => {
  it.each<[string, Partial<ModelParts>, RegExp]>([
    ['an unknown operator', one('Conv'), /Conv \(node 0\) is of operator Conv, .* supported are Add, BatchNorm.*Tanh$/],
    [
      'an operator of another set',
      { nodes: [{ ...node('Relu', ['x'], 'y'), domain: 'com.example' }] },
      /operator com\.example\.Relu, which is not supported/,
    ],
    [
      'an operator that its version does not have',
      { ...one('Gelu', {}, ['x']), opset: 19 },
      /operator Gelu, which is not supported in version 19/,
    ],
    ['a node by its name', { nodes: [{ ...node('Conv', ['x'], 'y'), name: 'first' }] }, /Conv "first" is of operator/],
    ['operators that are too old', { opset: 6 }, /version 6 of the operators; 7 to 24/],
    ['operators that are too new', { opset: 1000 }, /version 1000 of the operators/],
    ['a negative version', { opset: -1 }, /version -1 of the operators/],
    ['a format that is too old', { irVersion: 2 }, /IR version below 3/],
    ['an unknown attribute', one('MatMul', { wide: 1n }), /MatMul \(node 0\) has an attribute "wide"/],
    ['an attribute of the wrong type', one('Gemm', { alpha: 1n }), /attribute alpha of the wrong type/],
    ['too many inputs', one('Relu'), /has 2 inputs; it takes 1/],
    ['too few inputs', one('MatMul', {}, ['x']), /has 1 inputs; it takes 2/],
    ['an input that is left out', one('MatMul', {}, ['x', '']), /lacks input 1/],
    ['a name that nothing makes', one('MatMul', {}, ['x', 'z']), /reads "z", which is neither an input/],
    ['a missing initializer', { initializers: [] }, /reads "kernel", which is neither/],
    [
      'a cycle',
      { nodes: [node('Add', ['x', 'b'], 'a'), node('Relu', ['a'], 'b'), node('Relu', ['b'], 'y')] },
      /Add \(node 0\) waits for its own result: the graph has a cycle/,
    ],
    [
      'two values of one name',
      { nodes: [node('Relu', ['x'], 'y'), node('Tanh', ['x'], 'y')] },
      /Tanh \(node 1\) makes "y", which is there already/,
    ],
    ['a result called like an input', { nodes: [node('Relu', ['x'], 'x')] }, /makes "x", which is there already/],
    ['two initializers of one name', { initializers: [kernel, kernel] }, /two initializers called "kernel"/],
    [
      'two inputs of one name',
      { inputs: [value('x', 'FP32', ['N', 3]), value('x', 'FP32', ['N', 3])] },
      /no input, two of one name/,
    ],
    ['a model without inputs', { inputs: [] }, /has no input/],
    ['a model without outputs', { outputs: [] }, /has no output/],
    ['an output that nothing makes', { outputs: [value('z', 'FP32', ['N', 2])] }, /"z" is not made by any node/],
    ['a constant output', { outputs: [value('kernel', 'FP32', [1, 2])] }, /"kernel" is a constant/],
    ['an output of another width', { outputs: [value('y', 'FP32', ['N', 3])] }, /declared as \[N, 3\].*makes \[N, 2\]/],
    ['an output of another datatype', { outputs: [value('y', 'FP64', ['N', 2])] }, /declared as FP64.*makes FP32/],
    ['an output of one row', { outputs: [value('y', 'FP32', [1, 2])] }, /declared as \[1, 2\]/],
    ['an open dimension', x(['N', 'M']), /\[\?, \?\]; all lengths but the first must be given/],
    ['a fixed number of rows', x([32, 3]), /\[32, 3\]; its first dimension must be the rows: open, or 1/],
    ['a negative first dimension', x([-1, 3]), /\[-1, 3\]; its first dimension/],
    ['a negative dimension', x(['N', -3]), /all lengths but the first must be given and positive/],
    ['an empty dimension', x(['N', 0]), /must be given and positive/],
    ['a dimension beyond all numbers', x(['N', 2 ** 60]), /must be given and positive/],
    ['too wide an input', x(['N', 2 ** 21]), /multiplies rows of \[N, 2097152\]/],
    [
      'too wide an input that is only moved',
      { ...x(['N', 2 ** 21]), ...one('Relu', {}, ['x']), outputs: [value('y', 'FP32', ['N', 2 ** 21])] },
      /between 1 and 1048576 columns/,
    ],
    ['a single number', x([]), /the shape \[\]; its first dimension/],
    [
      'an input of unknown shape',
      { inputs: [{ name: 'x', type: { tensorType: { elemType: 1 } } }] },
      /"x" has no shape/,
    ],
    ['an input of unknown type', { inputs: [{ name: 'x' }] }, /input "x" is not a tensor/],
    [
      'complex numbers',
      { inputs: [{ name: 'x', type: { tensorType: { elemType: 14, shape: {} } } }] },
      /not a tensor of a datatype/,
    ],
    ['weights that do not fit', x(['N', 4]), /multiplies rows of \[N, 4\] by weights of \[3, 2\]/],
    ['weights that are rows', one('MatMul', {}, ['x', 'x']), /needs input 1 to be a constant/],
    ['rows that are weights', one('MatMul', {}, ['kernel', 'kernel']), /needs a tensor of FP32 rows as input 0/],
    ['turned rows', one('Gemm', { transA: 1n }), /transA = 1/],
    [
      'a matrix of three dimensions',
      { initializers: [tensor('kernel', [3, 2, 1], [1, 2, 3, 4, 5, 6])] },
      /one or two dimensions but has \[3, 2, 1\]/,
    ],
    ['a product of several rows each', x(['N', 2, 3]), /takes rows of one dimension but receives \[N, 2, 3\]/],
    ['whole numbers to compute with', { inputs: [value('x', 'INT64', ['N', 3])] }, /would compute in INT64/],
    [
      'double precision to compute with',
      { inputs: [value('x', 'FP64', ['N', 3])] },
      /would compute in FP64.*cast before/,
    ],
    [
      'whole weights',
      { initializers: [tensor('kernel', [3, 2], [1, 2, 3, 4, 5, 6], 'INT64')] },
      /input 1 to be FP32 but it is INT64/,
    ],
    ['a sum with what does not fit', one('Add'), /constant of shape \[3, 2\], which does not fit rows of \[N, 3\]/],
    [
      'a sum that would widen',
      { ...x(['N', 1]), ...one('Add'), initializers: [tensor('kernel', [3], [1, 2, 3])] },
      /does not fit rows of \[N, 1\]/,
    ],
    [
      'a sum of different tensors',
      { nodes: [node('MatMul', ['x', 'kernel'], 'p'), node('Add', ['x', 'p'], 'y')] },
      /same shape but receives \[N, 3\] and \[N, 2\]/,
    ],
    ['softmax over the batch', one('Softmax', { axis: 0n }, ['x']), /goes over axis 0/],
    [
      'softmax over parts of rows',
      { ...x(['N', 2, 3]), ...one('Softmax', {}, ['x']) },
      /goes over axis 2 of \[N, 2, 3\]/,
    ],
    ['an axis that is not there', one('Softmax', { axis: 5n }, ['x']), /has axis 5, but its input has 2 dimensions/],
    ['flattening the batch', one('Flatten', { axis: 0n }, ['x']), /would mix the rows/],
    ['concatenating batches', one('Concat', { axis: 0n }, ['x', 'x']), /rows of a batch one after the other/],
    ['concatenating without an axis', one('Concat', {}, ['x', 'x']), /lacks its attribute axis/],
    ['concatenating constants', one('Concat', { axis: 1n }), /beside a constant/],
    ['casting to texts', one('Cast', { to: 8n }, ['x']), /turns FP32 into BYTES/],
    ['casting to nothing', one('Cast', {}, ['x']), /turns FP32 into another type/],
    [
      'dropping out',
      { ...one('Dropout', {}, ['x', '', 'on']), initializers: [tensor('on', [], [1])] },
      /in training mode/,
    ],
    [
      'what has been dropped',
      { nodes: [node('Dropout', ['x'], ['d', 'mask']), node('Identity', ['mask'], 'y')] },
      /reads "mask", an output that only training/,
    ],
    ['a constant of nothing', { nodes: [node('Constant', [], 'y')] }, /needs exactly one value/],
  ])('%s', (_, parts, reason) => {
    expect(reasonAgainst(modelWith(parts))).toMatch(reason);
  });

  it.each<[string, number[], RegExp]>([
    ['mixes rows', [-1, 4], /would mix the rows/],
    ['has a fixed number of rows', [2, 3], /would mix the rows/],
    ['takes one row for all', [1, 3], /would mix the rows/],
    ['does not fit', [0, 4], /puts 3 elements into the shape \[4\]/],
    ['has two unknown lengths', [0, -1, -1], /puts 3 elements into the shape \[-1, -1\]/],
    ['copies what is not there', [0, 0, 0], /copies dimension 2/],
    ['is negative', [0, -3], /not all positive/],
    ['is empty', [], /would mix the rows/],
  ])('Reshape to a shape that %s', (_, shape, reason) => {
    const parts = { ...one('Reshape', {}, ['x', 'to']), initializers: [tensor('to', [shape.length], shape, 'INT64')] };
    expect(reasonAgainst(modelWith(parts))).toMatch(reason);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'in another file',
      { dataLocation: 1, rawData: Buffer.alloc(0) },
      /initializer "kernel" has its numbers in another file/,
    ],
    ['of a negative shape', { dims: [-3, -2] }, /the shape \[-3, -2\], which no tensor can have/],
    ['too short', { rawData: Buffer.alloc(20) }, /does not hold the 6 numbers of its shape \[3, 2\]/],
    ['too long', { rawData: Buffer.alloc(28) }, /does not hold the 6 numbers/],
    ['missing', { rawData: Buffer.alloc(0) }, /does not hold the 6 numbers/],
    [
      'beyond all memory',
      { dims: [2 ** 31, 2 ** 31], rawData: Buffer.alloc(0) },
      /does not hold the 4611686018427388000/,
    ],
    ['texts', { dataType: elementTypes.BYTES }, /has datatype BYTES; constants can be/],
    ['of a type that nobody knows', { dataType: 77 }, /has datatype number 77/],
  ])('weights that are %s', (_, fields, reason) => {
    expect(reasonAgainst(modelWith({ initializers: [{ ...kernel, ...fields }] }))).toMatch(reason);
  });

  it('constants that spread to more than memory should hold', () => {
    const names = Array.from({ length: 80 }, (_, index) => `v${index}`);
    const nodes = names.map((name, index) => node('Add', [index === 0 ? 'x' : names[index - 1]!, 'c'], name));
    const shape = ['N', 2 ** 20];
    const bytes = onnxModel({
      nodes,
      initializers: [tensor('c', [], [1])],
      inputs: [value('x', 'FP32', shape)],
      outputs: [value('v79', 'FP32', shape)],
    });
    expect(reasonAgainst(bytes)).toMatch(/spread to more than/);
  });

  it('more fields than memory should hold', () => {
    const empty = Buffer.alloc(10_000_002).fill(Buffer.of(0x0a, 0x00));
    const length = Buffer.of(0x3a, 0x80, 0xad, 0xe2, 0x04);
    expect(reasonAgainst(Buffer.concat([Buffer.of(0x08, 0x08), length, empty.subarray(0, 10_000_000)]))).toMatch(
      /more than 4000000 fields/,
    );
  });

  it('names of any length, which its message cuts short', () => {
    const name = 'x'.repeat(1_000_000);
    const nodes = [{ ...node(name, [name], name, { [name]: 1 }), name, domain: name }];
    expect(reasonAgainst(modelWith({ nodes, inputs: [value(name, 'FP32', ['N', 3])] })).length).toBeLessThan(2000);
    expect(reasonAgainst(modelWith({ nodes })).length).toBeLessThan(2000);
  });

  it.each([
    ['no bytes', ''],
    ['a text', 'this is not a model at all'],
    ['JSON', '{"format":"millrace.network/1"}'],
  ])('%s', (_, text) => {
    expect(reasonAgainst(Buffer.from(text))).toMatch(/not an ONNX model/);
  });
});

/** A model with everything in it. */
const rich = onnxModel({
  nodes: [
    node('Gemm', ['x', 'kernel', 'bias'], 'g', { alpha: 0.5, transB: 0n }),
    node('BatchNormalization', ['g', 'bias', 'bias', 'bias', 'ones'], 'n', { epsilon: 0.001 }),
    node('Relu', ['n'], 'r'),
    node('Concat', ['r', 'g'], 'c', { axis: 1n }),
    node('Reshape', ['c', 'to'], 's'),
    node('Flatten', ['s'], 'f'),
    node('Clip', ['f', 'low', ''], 'k'),
    node('Softmax', ['k'], 'p', { axis: -1n }),
    node('Cast', ['p'], 'i', { to: 7n }),
    node('Concat', ['text', 'text'], 't', { axis: 1n }),
  ],
  initializers: [
    kernel,
    tensor('bias', [2], [1, 2]),
    tensor('ones', [2], [1, 1]),
    tensor('to', [3], [0, 2, -1], 'INT64'),
    tensor('low', [], [0]),
  ],
  inputs: [value('x', 'FP32', ['N', 3]), value('text', 'BYTES', ['N', 1])],
  outputs: [value('i', 'INT64', ['N', 4]), value('p', 'FP32', ['N', 4]), value('t', 'BYTES', ['N', 2])],
});

describe('bytes that are no longer a model are refused or computed, whatever they are', () => {
  /** Loads and, where that goes, runs. */
  function survive(bytes: Uint8Array): boolean {
    try {
      const executable = loadOnnx(bytes);
      const sizes = { FP32: 4, INT64: 8, BYTES: 4, FP64: 8, INT32: 4, UINT32: 4, UINT64: 8, FP16: 2, BF16: 2 };
      const inputs = executable.inputs.map(({ datatype, shape }) => {
        const size = (sizes as Record<string, number>)[datatype] ?? (datatype.endsWith('16') ? 2 : 1);
        return new Uint8Array(3 * size * shape.reduce((product, length) => product * length, 1));
      });
      expect(executable.execute(inputs, 3).length).toBe(executable.outputs.length);
      executable.dispose();
      return true;
    } catch (error) {
      if (error instanceof BrokenArtifact && error.message.length < 2000) return false;
      throw error;
    }
  }

  it('as it is', () => {
    expect(survive(rich)).toBe(true);
  });

  it('cut off anywhere', () => {
    for (let length = 0; length < rich.length; length++) {
      survive(rich.subarray(0, length));
    }
  });

  it('changed anywhere', { timeout: 60_000 + 100 * fuzzRuns }, () => {
    fc.assert(
      fc.property(mutatedBytes(rich), (bytes) => {
        survive(bytes);
      }),
      { numRuns: Math.max(500, fuzzRuns) },
    );
  });
});
