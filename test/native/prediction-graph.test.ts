import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EngineError,
  type GraphDatatype,
  type GraphStep,
  PredictionGraph,
  type PredictionGraphSpec,
} from '../../native/index.js';
import { fuzzRuns, mutated, wrongValue } from '../support/mutations.js';
import { noise } from './build-network.js';

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Numbers of a datatype in memory, from and to bytes. */
interface Memory {
  bytes(numbers: number[]): Uint8Array;
  numbers(bytes: Uint8Array): number[];
}

type Arrays = Uint8ArrayConstructor | Float64ArrayConstructor | Int32ArrayConstructor;

const plain = (arrays: unknown): Memory => ({
  bytes: (numbers) => bytesOf((arrays as Arrays).from(numbers)),
  numbers: (bytes) => [...new (arrays as Arrays)(Uint8Array.from(bytes).buffer)],
});
const big = (arrays: BigInt64ArrayConstructor | BigUint64ArrayConstructor): Memory => ({
  bytes: (numbers) => bytesOf(arrays.from(numbers.map(BigInt))),
  numbers: (bytes) => [...new arrays(Uint8Array.from(bytes).buffer)].map(Number),
});

const memories: Partial<Record<GraphDatatype, Memory>> = {
  bool: plain(Uint8Array),
  uint8: plain(Uint8Array),
  uint16: plain(Uint16Array),
  uint32: plain(Uint32Array),
  uint64: big(BigUint64Array),
  int8: plain(Int8Array),
  int16: plain(Int16Array),
  int32: plain(Int32Array),
  int64: big(BigInt64Array),
  float32: plain(Float32Array),
  float64: plain(Float64Array),
};
const datatypes = Object.keys(memories) as GraphDatatype[];
const memory = (datatype: GraphDatatype): Memory => memories[datatype]!;

function cast(from: GraphDatatype, to: GraphDatatype, bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const spec: PredictionGraphSpec = {
    inputs: [{ datatype: from, columns }],
    steps: [{ type: 'cast', inputs: [0], to }],
    outputs: [1],
  };
  return PredictionGraph.create(spec).predict([bytes], rows)[0]!;
}

const castNumbers = (from: GraphDatatype, to: GraphDatatype, numbers: number[]): number[] =>
  memory(to).numbers(cast(from, to, memory(from).bytes(numbers), 1, numbers.length));

/** One value a 16-bit float can be. */
const half = (type: 'float16' | 'bfloat16', bits: number): number =>
  memory('float32').numbers(cast(type, 'float32', bytesOf(Uint16Array.of(bits)), 1, 1))[0]!;

describe('a cast', () => {
  const small = [0, 1, 2, 3, 64, 100, 127];

  test.each(datatypes.flatMap((from) => datatypes.map((to) => [from, to] as const)))(
    'from %s to %s keeps what both can hold, in rows of any width',
    (from, to) => {
      const numbers = from === 'bool' ? [0, 1, 1, 0, 0, 1, 0] : small;
      const expected = to === 'bool' ? numbers.map((number) => Number(number !== 0)) : numbers;
      expect(castNumbers(from, to, numbers)).toEqual(expected);
      const wide = Array.from({ length: 3 * 37 }, (_, index) => numbers[index % numbers.length]!);
      const result = memory(to).numbers(cast(from, to, memory(from).bytes(wide), 3, 37));
      expect(result).toEqual(wide.map((_, index) => expected[index % expected.length]));
    },
  );

  test('to an integer goes towards zero, and to the nearest end', () => {
    const numbers = [1.9, -1.9, 127.9, -128.9, 300, -300, 1e30, -1e30, Infinity, -Infinity, NaN, -0.5];
    for (const from of ['float32', 'float64'] as const) {
      expect(castNumbers(from, 'int8', numbers)).toEqual([1, -1, 127, -128, 127, -128, 127, -128, 127, -128, 0, 0]);
      expect(castNumbers(from, 'uint8', numbers)).toEqual([1, 0, 127, 0, 255, 0, 255, 0, 255, 0, 0, 0]);
      expect(castNumbers(from, 'int32', [2 ** 31, -(2 ** 31), 2 ** 30])).toEqual([2 ** 31 - 1, -(2 ** 31), 2 ** 30]);
      const longs = cast(from, 'int64', memory(from).bytes([2 ** 63, -(2 ** 63), 2 ** 62]), 1, 3);
      expect([...new BigInt64Array(Uint8Array.from(longs).buffer)]).toEqual([2n ** 63n - 1n, -(2n ** 63n), 2n ** 62n]);
    }
  });

  test('between integers keeps the low bits', () => {
    expect(castNumbers('int32', 'int8', [128, 256, -129, 511])).toEqual([-128, 0, 127, -1]);
    expect(castNumbers('int8', 'uint32', [-1])).toEqual([2 ** 32 - 1]);
    expect(castNumbers('int64', 'uint16', [-1, 65_536 + 7])).toEqual([65_535, 7]);
  });

  test('to bool is true for everything but 0', () => {
    expect(castNumbers('float32', 'bool', [0, -0, 0.1, NaN, -5, 1e-45])).toEqual([0, 0, 1, 1, 1, 1]);
    expect(castNumbers('bool', 'float32', [0, 1, 2, 255])).toEqual([0, 1, 1, 1]);
    expect(castNumbers('int64', 'bool', [0, -(2 ** 40)])).toEqual([0, 1]);
  });

  test('to float32 rounds to nearest, numbers below the normal ones included', () => {
    const numbers = [0.1, 1e40, -1e40, 1e-45, 1e-310, NaN];
    expect(castNumbers('float64', 'float32', numbers)).toEqual(numbers.map(Math.fround));
    expect(castNumbers('int32', 'float32', [16_777_217])).toEqual([16_777_216]);
    expect(castNumbers('float32', 'float64', [1e-45])).toEqual([Math.fround(1e-45)]);
  });

  test('of every float16 and bfloat16 there and back keeps its bits', () => {
    const all = bytesOf(Uint16Array.from({ length: 65_536 }, (_, bits) => bits));
    for (const [type, infinity] of [
      ['float16', 0x7c00],
      ['bfloat16', 0x7f80],
    ] as const) {
      const back = cast('float32', type, cast(type, 'float32', all, 64, 1024), 64, 1024);
      const bits = new Uint16Array(Uint8Array.from(back).buffer);
      const changed = [...bits.keys()].filter((index) => bits[index] !== index);
      // NaN stays one, and becomes quiet.
      expect(changed.every((index) => (index & 0x7fff) > infinity && (bits[index]! & 0x7fff) > infinity)).toBe(true);
    }
    expect(half('float16', 0x3555)).toBe(0.333251953125);
    expect(half('float16', 0x0001)).toBe(2 ** -24);
    expect(half('bfloat16', 0x3eab)).toBe(0.333984375);
  });

  test('to float16 and bfloat16 rounds to nearest even', () => {
    const bits = (type: GraphDatatype, ...numbers: number[]) => [
      ...new Uint16Array(
        Uint8Array.from(cast('float32', type, memory('float32').bytes(numbers), 1, numbers.length)).buffer,
      ),
    ];
    expect(bits('float16', 2049, 2051, 65_519, 65_520, -65_520, 2 ** -25, 1.5 * 2 ** -24)).toEqual([
      0x6800, 0x6802, 0x7bff, 0x7c00, 0xfc00, 0x0000, 0x0002,
    ]);
    expect(bits('bfloat16', 1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, NaN)).toEqual([0x3f80, 0x3f82, 0x7f80, 0x7fc0]);
  });
});

/** Two inputs, a branch that meets again, several datatypes, outputs from everywhere. */
function branching(): PredictionGraphSpec {
  const steps: GraphStep[] = [
    {
      type: 'dense',
      inputs: [0],
      units: 21,
      kernel: noise(19 * 21, 1),
      transposed: false,
      bias: null,
      activation: 'tanh',
    },
    { type: 'cast', inputs: [1], to: 'float32' },
    { type: 'concatenate', inputs: [2, 3, 0], blocks: 1 },
    {
      type: 'dense',
      inputs: [4],
      units: 45,
      kernel: noise(45 * 45, 2),
      transposed: false,
      bias: noise(45, 3),
      activation: 'linear',
    },
    { type: 'arithmetic', operation: 'add', inputs: [4, 5], operand: null, reversed: false },
    { type: 'activation', inputs: [6], activation: 'softmax', parameter: 0 },
    { type: 'cast', inputs: [6], to: 'int64' },
  ];
  const inputs = [
    { datatype: 'float32' as const, columns: 19 },
    { datatype: 'int16' as const, columns: 5 },
  ];
  return { inputs, steps, outputs: [7, 8, 1, 0, 2] };
}

const rowBytes = [19 * 4, 5 * 2];
const outputBytes = [45 * 4, 45 * 8, 5 * 2, 19 * 4, 21 * 4];

function branchingInputs(rows: number): Uint8Array[] {
  const whole = Int16Array.from({ length: rows * 5 }, (_, index) => (index % 7) - 3);
  return [bytesOf(noise(rows * 19, 4)), bytesOf(whole)];
}

describe('a graph', () => {
  test('gives a row the same bits alone, among others, on another thread, and wherever it lies', async () => {
    const graph = PredictionGraph.create(branching());
    const rows = 333;
    const inputs = branchingInputs(rows);
    const together = graph.predict(inputs, rows);
    expect(await graph.predictAsync(inputs, rows)).toEqual(together);
    for (const row of [0, 1, 64, 332]) {
      const alone = inputs.map((input, index) => {
        const moved = new Uint8Array(rowBytes[index]! + 3);
        moved.set(input.subarray(row * rowBytes[index]!, (row + 1) * rowBytes[index]!), 3);
        return moved.subarray(3);
      });
      const expected = together.map((output, index) =>
        output.slice(row * outputBytes[index]!, (row + 1) * outputBytes[index]!),
      );
      expect(graph.predict(alone, 1)).toEqual(expected);
    }
  });

  test('shares many rows among threads with the same bits', () => {
    const graph = PredictionGraph.create(branching());
    // Enough for the prediction team.
    const rows = 8192;
    const inputs = branchingInputs(rows);
    const together = graph.predict(inputs, rows);
    for (let first = 0; first < rows; first += 1024) {
      const part = inputs.map((input, index) =>
        input.subarray(first * rowBytes[index]!, (first + 1024) * rowBytes[index]!),
      );
      const expected = together.map((output, index) =>
        output.subarray(first * outputBytes[index]!, (first + 1024) * outputBytes[index]!),
      );
      expect(graph.predict(part, 1024).every((output, index) => Buffer.compare(output, expected[index]!) === 0)).toBe(
        true,
      );
    }
  });

  test('knows its work and its memory', () => {
    const [kernel, bias] = [noise(19 * 7, 5), noise(7, 6)];
    const graph = PredictionGraph.create({
      inputs: [{ datatype: 'float32', columns: 19 }],
      steps: [{ type: 'dense', inputs: [0], units: 7, kernel, transposed: false, bias, activation: 'gelu' }],
      outputs: [1],
    });
    expect(graph.multiplyAdds).toBe(19 * 7);
    expect(graph.bytes).toBe((19 + 1) * 16 * 4);
  });

  test('keeps inputs and bits that it only moves', () => {
    const odd = Uint8Array.of(1, 0, 0x80, 0x7f, 0, 0, 0, 0x80, 1, 0, 0, 0, 255, 255, 255, 255);
    const graph = PredictionGraph.create({
      inputs: [{ datatype: 'float32', columns: 2 }],
      steps: [{ type: 'concatenate', inputs: [0, 0], blocks: 2 }],
      outputs: [0, 1],
    });
    const [same, twice] = graph.predict([odd], 2);
    expect(same).toEqual(odd);
    const elements = [0, 0, 1, 1, 2, 2, 3, 3].flatMap((index) => [...odd.subarray(index * 4, index * 4 + 4)]);
    expect([...twice!]).toEqual(elements);
  });

  test('answers while it is disposed of, and not after', async () => {
    const graph = PredictionGraph.create(branching());
    const inputs = branchingInputs(100);
    const expected = graph.predict(inputs, 100);
    const running = [graph.predictAsync(inputs, 100), graph.predictAsync(inputs, 100)];
    graph.dispose();
    graph.dispose();
    expect(await Promise.all(running)).toEqual([expected, expected]);
    expect(() => graph.predict(inputs, 100)).toThrow(
      new EngineError('FAILED_PRECONDITION', 'graph', 'The graph has been disposed of.'),
    );
    await expect(graph.predictAsync(inputs, 100)).rejects.toThrow('disposed');
  });
});

describe('refuses', () => {
  const inputs = [{ datatype: 'float32' as const, columns: 2 }];
  const dense = {
    type: 'dense',
    inputs: [0],
    units: 1,
    kernel: new Float32Array(2),
    transposed: false,
    bias: null,
    activation: 'linear',
  };

  test.each<[string, unknown, RegExp]>([
    ['a value that is not made yet', { ...dense, inputs: [1] }, /`steps\[0\].inputs` to be values made before/],
    ['no value', { ...dense, inputs: [] }, /`steps\[0\].inputs` to be as many as the step reads/],
    ['a kernel of the wrong size', { ...dense, units: 2 }, /`steps\[0\].weights` to hold 4 numbers but received 2/],
    ['a bias of the wrong size', { ...dense, bias: new Float32Array(2) }, /`steps\[0\].bias` to hold 1 numbers/],
    ['softmax in a product', { ...dense, activation: 'softmax' }, /`steps\[0\].activation` to be elementwise/],
    ['no units', { ...dense, units: 0, kernel: new Float32Array(0) }, /between 1 and 1048576 columns/],
    ['too many units', { ...dense, units: 2 ** 21 }, /between 1 and 1048576 columns/],
    ['an unknown step', { ...dense, type: 'convolution' }, /`steps\[0\].type` to be one of dense/],
    ['uneven blocks', { type: 'concatenate', inputs: [0], blocks: 3 }, /`steps\[0\].blocks` to divide/],
  ])('%s', (_, step, message) => {
    expect(() => PredictionGraph.create({ inputs, steps: [step as GraphStep], outputs: [0] })).toThrow(message);
  });

  test('integers to compute with, and values of two types side by side', () => {
    const whole = [{ datatype: 'int8' as const, columns: 2 }, ...inputs];
    const of = (step: unknown) => () =>
      PredictionGraph.create({ inputs: whole, steps: [step as GraphStep], outputs: [0] });
    expect(of(dense)).toThrow(/`steps\[0\].inputs` to be float32/);
    expect(of({ type: 'concatenate', inputs: [0, 1], blocks: 1 })).toThrow(/one datatype/);
  });

  test('an output that is no value, and more memory than a row may take', () => {
    expect(() => PredictionGraph.create({ inputs, steps: [], outputs: [1] })).toThrow(/`outputs` to be values/);
    const wide = Array.from({ length: 5 }, () => ({ datatype: 'float32' as const, columns: 2 ** 20 }));
    expect(() => PredictionGraph.create({ inputs: wide, steps: [], outputs: [0] })).toThrow(
      /at most 16777216 bytes a row/,
    );
  });

  test('inputs of the wrong number, type, size and place', async () => {
    const graph = PredictionGraph.create({ inputs, steps: [], outputs: [0] });
    const of =
      (arrays: unknown[], rows = 1) =>
      () =>
        graph.predict(arrays as Uint8Array[], rows);
    expect(of([])).toThrow(/hold 1 arrays but received 0/);
    expect(of([new Float32Array(2)])).toThrow(/`inputs\[0\]` to be a Uint8Array/);
    expect(of([new Uint8Array(7)])).toThrow(/hold 8 bytes but received 7/);
    expect(of([new Uint8Array(8)], 0)).toThrow(/`rows`/);
    const growing = new Uint8Array(Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]) as ArrayBuffer);
    await expect(graph.predictAsync([growing], 1)).rejects.toThrow(/fixed length/);
    expect(() => PredictionGraph.prototype.predict.call({}, [], 1)).toThrow(/Expected a PredictionGraph/);
  });

  test('any other spec, in the one way allowed', () => {
    const spec = branching();
    fc.assert(
      fc.property(fc.oneof(mutated(spec), wrongValue), (wrong) => {
        try {
          PredictionGraph.create(wrong as PredictionGraphSpec).dispose();
        } catch (error) {
          if (!(error instanceof EngineError) || error.code !== 'INVALID_ARGUMENT') throw error;
        }
      }),
      { numRuns: fuzzRuns },
    );
  });
});
