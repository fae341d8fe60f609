import { describe, expect, test } from 'vitest';
import { availableCores, engineInfo, type Float32Bytes, Network, type QuantizedNetwork } from '../../native/index.js';
import { noise, specOf } from './build-network.js';

const network = Network.create(specOf(37, '53 relu', '19 tanh', '5 softmax'), 2);
const networks: [string, Network | QuantizedNetwork][] = [
  ['float32', network],
  ['int8', network.quantize({ type: 'int8', calibration: null })],
  ['bfloat16', network.quantize({ type: 'bfloat16' })],
  // What comes first is no product: the input goes into panels.
  ['activation first', Network.create({ inputs: 37, layers: [{ type: 'activation', activation: 'tanh' }] }, 1)],
];

/** Refusals of a call and of its asynchronous form, which must be the same. */
async function refusals(input: unknown, rows: unknown, output: unknown, of: Network | QuantizedNetwork = network) {
  const call = [input as Float32Array, rows as number, output as Float32Array] as const;
  let refusal: unknown = null;
  try {
    of.predictInto(...call);
  } catch (error) {
    refusal = error;
  }
  await expect(of.predictIntoAsync(...call)).rejects.toEqual(refusal);
  return refusal;
}

/** The bytes of `numbers` from byte `offset` of a larger buffer on. */
function bytesAt(offset: number, numbers: Float32Array): Uint8Array {
  const bytes = new Uint8Array(numbers.byteLength + 16).subarray(offset, offset + numbers.byteLength);
  bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
  return bytes;
}

function numbersOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

describe('predictInto and predictIntoAsync refuse', () => {
  const input = new Float32Array(37);
  const output = new Float32Array(5);

  test.each([
    ['an array as input', [1, 2], output, 'input'],
    ['no input', undefined, output, 'input'],
    ['doubles as input', new Float64Array(37), output, 'input'],
    ['signed bytes as input', new Int8Array(148), output, 'input'],
    ['a number too few', new Float32Array(36), output, 'input'],
    ['a byte too few', new Uint8Array(147), output, 'input'],
    ['a byte for each number', new Uint8Array(37), output, 'input'],
    ['a data view as input', new DataView(new ArrayBuffer(148)), output, 'input'],
    ['a buffer without a view', new ArrayBuffer(148), output, 'input'],
    ['no output', input, undefined, 'output'],
    ['null as output', input, null, 'output'],
    ['doubles as output', input, new Float64Array(5), 'output'],
    ['clamped bytes as output', input, new Uint8ClampedArray(20), 'output'],
    ['an output that is too short', input, new Float32Array(4), 'output'],
    ['an output that is too long', input, new Uint8Array(21), 'output'],
  ])('%s', async (_, wrongInput, wrongOutput, field) => {
    expect(await refusals(wrongInput, 1, wrongOutput)).toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 32, '1', null, undefined])('%s rows', async (rows) => {
    expect(await refusals(input, rows, output)).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'rows' });
  });

  test('rows that the arrays have no room for', async () => {
    expect(await refusals(input, 2, output)).toMatchObject({
      field: 'input',
      message:
        'Expected `input` to be a Float32Array of 74 elements or a Uint8Array of 296 bytes but received a typed array of 37 elements of another type or length.',
    });
  });

  test('detached arrays', async () => {
    const gone = new Float32Array(37);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(await refusals(gone, 1, output)).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'input' });
  });

  test('a disposed network', async () => {
    const disposed = Network.create(specOf(37, '5 softmax'), 1);
    disposed.dispose();
    const expected = { code: 'FAILED_PRECONDITION', field: 'network' };
    expect(await refusals(input, 1, output, disposed)).toMatchObject(expected);
  });

  test('categories out of range, wherever the bytes begin', async () => {
    const tables = [{ column: 0, categories: 3, units: 2 }];
    const embedding = Network.create({ inputs: 2, layers: [{ type: 'embedding', tables }] }, 1);
    for (const category of [3, -1, 0.5, Number.NaN, 1e30]) {
      const bytes = bytesAt(1, Float32Array.of(1, 0, category, 0));
      expect(await refusals(bytes, 2, new Float32Array(6), embedding)).toMatchObject({ field: 'input' });
    }
  });
});

test('the asynchronous form refuses a buffer that may shrink', async () => {
  const Resizable = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
  const input = new Float32Array(new Resizable(148, { maxByteLength: 296 }));
  const output = new Float32Array(5);
  await expect(network.predictIntoAsync(input, 1, output)).rejects.toMatchObject({ field: 'input' });
  network.predictInto(input, 1, output);
  expect(output).toEqual(network.predict(input, 1));
});

test('the buffers of an asynchronous prediction cannot be moved away from under it', async () => {
  const input = noise(37 * 200);
  const output = new Float32Array(5 * 200);
  const answer = network.predictIntoAsync(input, 200, output);
  for (const buffer of [input.buffer as ArrayBuffer, output.buffer as ArrayBuffer]) {
    // Some versions of Node refuse this, others leave the buffer where it is.
    try {
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    } catch {}
    expect(buffer.byteLength).toBeGreaterThan(0);
  }
  await answer;
  expect(output).toEqual(network.predict(input, 200));
});

describe.each(networks)('%s', (_, predicting) => {
  const outputs = predicting.predict(noise(37), 1).length;

  test.each([1, 2, 7, 64, 65, 257])('answers %d rows alike whatever byte they begin at', async (rows) => {
    const numbers = noise(37 * rows);
    const expected = predicting.predict(numbers, rows);
    for (let offset = 0; offset < 8; offset += 1) {
      const input = bytesAt(offset, numbers);
      const output = bytesAt((offset * 5) % 8, new Float32Array(outputs * rows).fill(-7));
      predicting.predictInto(input, rows, output);
      expect(numbersOf(output)).toEqual(expected);
      output.fill(7);
      await predicting.predictIntoAsync(input, rows, output);
      expect(numbersOf(output)).toEqual(expected);
      expect(predicting.predict(input, rows)).toEqual(expected);
      expect(await predicting.predictAsync(input, rows)).toEqual(expected);
      expect(numbersOf(input)).toEqual(numbers);
    }
  });

  test('writes its rows and nothing beside them', () => {
    const whole = new Uint8Array(4 * outputs * 3 + 7).fill(0xaa);
    predicting.predictInto(noise(37 * 3), 3, whole.subarray(3, 3 + 4 * outputs * 3));
    expect([...whole.subarray(0, 3), ...whole.subarray(whole.length - 4)]).toEqual(new Array(7).fill(0xaa));
  });

  test('may write over its own input', async () => {
    const rows = 130;
    const numbers = noise(37 * rows);
    const expected = predicting.predict(numbers, rows);
    const predictions: ((input: Float32Bytes, output: Float32Bytes) => void | Promise<void>)[] = [
      (input, output) => predicting.predictInto(input, rows, output),
      (input, output) => predicting.predictIntoAsync(input, rows, output),
    ];
    for (const predict of predictions) {
      const shared = numbers.slice();
      const output = shared.subarray(shared.length - outputs * rows);
      await predict(shared, output);
      expect(output).toEqual(expected);
    }
  });
});

test('several predictions into parts of one buffer do not disturb each other', async () => {
  const rows = 100;
  const numbers = noise(37 * rows);
  const together = new Uint8Array(20 * rows * 8 + 1).subarray(1);
  const parts = Array.from({ length: 8 }, (_, index) => together.subarray(20 * rows * index, 20 * rows * (index + 1)));
  await Promise.all(parts.map((part) => network.predictIntoAsync(numbers, rows, part)));
  for (const part of parts) expect(numbersOf(part)).toEqual(network.predict(numbers, rows));
});

test('a network tells the memory of its weights and the work of a row', () => {
  const { sizeBytes, rowWork } = Network.create(specOf(37, '53 relu', '5 softmax'), 1);
  // Kernels and biases in lines of 16 floats.
  expect(sizeBytes).toBe(4 * (37 * 64 + 64 + 53 * 16 + 16));
  // The softmax, an operation of its own, makes 5 numbers.
  expect(rowWork).toBe(37 * 53 + 53 * 5 + 5);
  expect(network.quantize({ type: 'int8', calibration: null }).rowWork).toBe(network.rowWork);
});

test('the available cores are those of the engine', () => {
  expect(availableCores()).toBe(engineInfo().threads);
  expect(availableCores()).toBeGreaterThanOrEqual(1);
});
