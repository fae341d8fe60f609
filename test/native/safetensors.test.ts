import { describe, expect, test } from 'vitest';
import { EngineError, readSafetensors, writeSafetensors } from '../../native/index.js';

function file(header: unknown, dataBytes: number, headerText = JSON.stringify(header)): Uint8Array {
  const text = new TextEncoder().encode(headerText);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (shape: number[], begin: number, end: number) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });

describe('readSafetensors refuses', () => {
  test.each<[string, Uint8Array, string | RegExp]>([
    ['an empty file', new Uint8Array(0), 'Expected at least 8 bytes of safetensors but received 0.'],
    ['a header longer than the file', file({}, 0).subarray(0, 9), /truncated: its header ends at byte 10/],
    ['a header of 2^63 bytes', Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 128]), /header of at most 100000000 bytes/],
    ['a header that is not UTF-8', Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]), /UTF-8/],
    ['a header that is not JSON', file(null, 0, '{"a":'), /to be JSON/],
    ['a header that is no object', file([1], 0), /JSON object/],
    ['a header with space before it', file(null, 0, ' {}'), /JSON object/],
    ['a tensor named twice', file(null, 4, `{"a":${JSON.stringify(entry([1], 0, 4))},"\\u0061":{}}`), /`a` twice/],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }, 0), /map strings to strings/],
    ['a tensor without a description', file({ a: 3 }, 0), /`a` to be described/],
    ['another type', file({ a: { ...entry([1], 0, 8), dtype: 'F64' } }, 8), /`a` to have dtype F32 but received "F64"/],
    ['a negative length', file({ a: entry([-1], 0, 4) }, 4), /`a` to have a shape/],
    ['offsets that are no pair', file({ a: { ...entry([1], 0, 4), data_offsets: [0] } }, 4), /two offsets/],
    ['offsets that do not fit the shape', file({ a: entry([3], 0, 8) }, 8), /\[3\] to take 12 bytes/],
    ['a shape beyond all memory', file({ a: entry([2 ** 40, 2 ** 40], 0, 4) }, 4), /`a` of shape/],
    ['tensors that overlap', file({ a: entry([2], 0, 8), b: entry([1], 4, 8) }, 8), /`b` to begin at byte \d+/],
    ['a hole', file({ a: entry([1], 4, 8) }, 8), /`a` to begin at byte/],
    ['data that ends early', file({ a: entry([2], 0, 8) }, 7), /truncated: tensor `a` ends at byte/],
    ['data that goes on', file({ a: entry([1], 0, 4) }, 5), /file to end at byte/],
  ])('%s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(message);
    expect(() => readSafetensors(bytes)).toThrow(EngineError);
  });

  test('every file cut short at any byte', () => {
    const bytes = writeSafetensors(new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]), { k: 'v' });
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => readSafetensors(bytes.subarray(0, length)), `${length} bytes`).toThrow(EngineError);
    }
  });

  test('no changed byte crashes it', () => {
    const bytes = writeSafetensors(new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]), { k: 'v' });
    for (let position = 0; position < bytes.length; position += 1) {
      for (const value of [0, 0x22, 0x7b, 0x7d, 0xff]) {
        const changed = bytes.slice();
        changed[position] = value;
        try {
          readSafetensors(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(EngineError);
        }
      }
    }
  });
});

test('writes what it reads, whatever the order of the metadata', () => {
  const tensors = new Map([
    ['b', { shape: [2, 1], data: Float32Array.of(1.5, -2) }],
    ['a', { shape: [], data: Float32Array.of(3) }],
  ]);
  const bytes = writeSafetensors(tensors, { y: '2', x: '1' });
  expect(bytes).toEqual(writeSafetensors(tensors, { x: '1', y: '2' }));
  expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  expect(readSafetensors(shifted.subarray(1))).toEqual({ tensors, metadata: { x: '1', y: '2' } });
});
