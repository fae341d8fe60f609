import type { NodeReader } from './node-reader.js';
import type { Operator } from './operator.js';
import { datatypeOf, rankMax, readConstant } from './tensor-file.js';
import { type Constant, elementCount, type Rows, sameShape, shapeText, type Texts, type Value } from './value.js';

const identity: Operator = { inputs: [1, 1], attributes: [], apply: (node) => node.input(0) };

/** In inference nothing is dropped. */
const dropout: Operator = {
  inputs: [1, 3],
  attributes: ['ratio', 'seed'],
  apply(node) {
    if (node.has(2) && node.scalar(2) !== 0) {
      throw node.refuse('is in training mode; export the model for inference');
    }
    return node.input(0);
  },
};

/** Dimensions before the axis become one, and those from it on another. */
const flatten: Operator = {
  inputs: [1, 1],
  attributes: ['axis'],
  apply(node) {
    const value = node.input(0);
    if (value.kind === 'constant') {
      throw node.refuse('flattens a constant; fold it when the model is exported');
    }
    const axis = node.axis(1, value.shape.length + 1);
    if (axis === 0 || elementCount(value.shape.slice(0, axis - 1)) !== 1) {
      throw node.refuse(`at axis ${axis} of ${shapeText(value)} would mix the rows of a batch`);
    }
    return { ...value, shape: [elementCount(value.shape)] };
  },
};

const reshape: Operator = {
  inputs: [2, 2],
  attributes: ['allowzero'],
  apply(node) {
    const value = node.input(0);
    const { datatype, shape, numbers } = node.constant(1);
    if (datatype !== 'INT64' || shape.length !== 1 || numbers.length > rankMax) {
      throw node.refuse(`needs its shape to be INT64 of one dimension, at most ${rankMax} lengths`);
    }
    const before = value.kind === 'constant' ? value.shape : [null, ...value.shape];
    const target = Array.from(numbers, (length, axis) => {
      const copies = length === 0 && node.integer('allowzero', 0) === 0;
      if (copies && axis >= before.length) {
        throw node.refuse(`copies dimension ${axis}, which its input does not have`);
      }
      return copies ? before[axis]! : length;
    });
    if (target.some((length) => length !== null && (!Number.isSafeInteger(length) || length < -1 || length === 0))) {
      throw node.refuse(`has the shape [${numbers.join(', ')}], whose lengths are not all positive, 0 or -1`);
    }
    return value.kind === 'constant' ? reshapedConstant(node, value, target) : reshapedRows(node, value, target);
  },
};

function reshapedConstant(node: NodeReader, value: Constant, target: (number | null)[]): Constant {
  const shape = withoutUnknown(node, target as number[], value.numbers.length);
  return { ...value, shape };
}

/** `null` stands for the rows. */
function reshapedRows(node: NodeReader, value: Rows | Texts, target: (number | null)[]): Value {
  const [first, ...rest] = target;
  const columns = elementCount(value.shape);
  const mixes = node.refuse(
    `from ${shapeText(value)} to [${target.map((length) => length ?? 'N').join(', ')}] would mix the rows`,
  );
  if (first === undefined || rest.includes(null)) {
    throw mixes;
  }
  const lengths = rest as number[];
  const standsForRows =
    first === null || (first === 1 && node.facts.batchIsOne) || (first === -1 && elementCount(lengths) === columns);
  if (!standsForRows) {
    throw mixes;
  }
  return { ...value, shape: withoutUnknown(node, lengths, columns) };
}

function withoutUnknown(node: NodeReader, shape: readonly number[], count: number): number[] {
  const unknown = shape.indexOf(-1);
  const known = elementCount(shape.filter((_, axis) => axis !== unknown));
  const result = shape.map((length, axis) => (axis === unknown ? count / known : length));
  const fits = result.every((length) => Number.isSafeInteger(length) && length > 0) && elementCount(result) === count;
  if (!fits) {
    throw node.refuse(`puts ${count} elements into the shape [${shape.join(', ')}]`);
  }
  return result;
}

const concat: Operator = {
  inputs: [1, 2 ** 16],
  attributes: ['axis'],
  apply(node) {
    const values = node.inputs.map((_, index) => {
      const value = node.input(index);
      if (value.kind === 'constant') {
        throw node.refuse(`puts rows beside a constant (input ${index}); only rows are supported`);
      }
      return value;
    });
    const first = values[0]!;
    const axis = node.axis(null, first.shape.length + 1) - 1;
    if (axis < 0 || axis === first.shape.length) {
      throw node.refuse(`at axis ${axis + 1} would put the rows of a batch one after the other`);
    }
    const around = ({ shape }: Value) => shape.map((length, at) => (at === axis ? 1 : length));
    for (const [index, value] of values.entries()) {
      if (value.datatype !== first.datatype || !sameShape(around(value), around(first))) {
        const pair = `${first.datatype} ${shapeText(first)} and ${value.datatype} ${shapeText(value)}`;
        throw node.refuse(`puts together what does not fit (inputs 0 and ${index}): ${pair}`);
      }
    }
    const shape = first.shape.map((length, at) =>
      at === axis ? values.reduce((sum, value) => sum + value.shape[axis]!, 0) : length,
    );
    const blocks = elementCount(first.shape.slice(0, axis));
    if (first.kind === 'texts') {
      return { ...first, shape, elements: concatenated(values as Texts[], blocks) };
    }
    const inputs = values.map((value) => (value as Rows).value);
    return { ...node.steps.add({ type: 'concatenate', inputs, blocks }, shape), datatype: first.datatype };
  },
};

/** As the engine's step of this name. */
function concatenated(texts: readonly Texts[], blocks: number): Uint32Array {
  const result = new Uint32Array(texts.reduce((sum, { elements }) => sum + elements.length, 0));
  let place = 0;
  for (let block = 0; block < blocks; block++) {
    for (const { elements } of texts) {
      const count = elements.length / blocks;
      result.set(elements.subarray(block * count, (block + 1) * count), place);
      place += count;
    }
  }
  return result;
}

const cast: Operator = {
  inputs: [1, 1],
  attributes: ['to', 'saturate', 'round_mode'],
  apply(node) {
    const value = node.input(0);
    const to = datatypeOf(node.integer('to', 0));
    if (to === null || to === 'BYTES' || value.kind === 'texts') {
      throw node.refuse(`turns ${value.datatype} into ${to ?? 'another type'}; numbers and BOOL can be cast`);
    }
    if (value.kind === 'rows') {
      return to === value.datatype ? value : node.steps.cast(value, to);
    }
    if (to === value.datatype) {
      return value;
    }
    if (to !== 'FP32' && to !== 'FP64') {
      throw node.refuse(`turns a constant into ${to}; constants can become FP32 and FP64`);
    }
    const numbers = to === 'FP32' ? Float32Array.from(value.numbers) : Float64Array.from(value.numbers);
    return { ...value, datatype: to, numbers };
  },
};

const constant: Operator = {
  inputs: [0, 0],
  attributes: ['value', 'value_float', 'value_floats', 'value_int', 'value_ints'],
  apply(node) {
    const [attribute, ...others] = node.node.attribute;
    if (attribute === undefined || others.length > 0) {
      throw node.refuse('needs exactly one value');
    }
    const { name, t, f, i, floats, ints } = attribute;
    const of = (shape: number[], numbers: Float32Array | Float64Array): Constant => {
      return { kind: 'constant', datatype: numbers instanceof Float32Array ? 'FP32' : 'INT64', shape, numbers };
    };
    switch (name) {
      case 'value_float':
        return of([], Float32Array.of(f));
      case 'value_floats':
        return of([floats.length], Float32Array.from(floats));
      case 'value_int':
        return of([], Float64Array.of(i));
      case 'value_ints':
        return of([ints.length], Float64Array.from(ints));
      default:
        if (t === null) {
          throw node.refuse('has no tensor as its value');
        }
        return readConstant(t, `the value of ${node.label}`);
    }
  },
};

export const movements: Record<string, Operator> = {
  Identity: identity,
  Dropout: dropout,
  Flatten: flatten,
  Reshape: reshape,
  Concat: concat,
  Cast: cast,
  Constant: constant,
};
