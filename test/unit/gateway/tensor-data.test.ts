import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../services/gateway/json.js';
import { elementBytes, toJsonText, toRaw } from '../../../services/gateway/tensor-data.js';

const bytesMax = 1_000_000;
const raw = (datatype: string, shape: number[], data: unknown) => toRaw(datatype, shape, data, 'data', bytesMax);

const integers = { UINT8: 8, UINT16: 16, UINT32: 32, INT8: 8, INT16: 16, INT32: 32 };
const sized = ['BOOL', ...Object.keys(integers), 'INT64', 'UINT64', 'FP16', 'FP32', 'FP64'];

/** Whether the bytes of a float are a number. */
function isNumber(datatype: string, element: Buffer): boolean {
  switch (datatype) {
    case 'FP16':
      return (element.readUInt16LE() & 0x7c00) !== 0x7c00;
    case 'FP32':
      return Number.isFinite(element.readFloatLE());
    case 'FP64':
      return Number.isFinite(element.readDoubleLE());
    default:
      return datatype !== 'BOOL' || element[0]! < 2;
  }
}

describe('toRaw refuses', () => {
  it.each<[string, string, number[], unknown, RegExp]>([
    ['a datatype that is none', 'FP31', [1], [1], /datatype.*"FP31"/],
    ['BF16, which JSON has not', 'BF16', [1], [1], /BF16.*binary data/],
    ['data that is no array', 'FP32', [1], 1, /`data` to be an array but received 1/],
    ['fewer elements than the shape has', 'FP32', [2, 2], [1, 2, 3], /4 elements.*received 3/],
    ['nesting that the shape has not', 'FP32', [1, 2], [[1], [2]], /`data` to be an array of 1 elements/],
    ['a number for a truth value', 'BOOL', [1], [1], /element 0.*true or false.*received 1/],
    ['a fraction for an integer', 'INT32', [2], [1, 1.5], /element 1.*integer.*received 1.5/],
    ['an integer below the least', 'INT8', [1], [-129], /from -128 to 127.*-129/],
    ['an integer above the greatest', 'UINT16', [1], [65_536], /from 0 to 65535.*65536/],
    ['a negative integer without sign', 'UINT64', [1], [-1], /2\^64 - 1.*received -1/],
    ['a long integer that a double may have rounded', 'INT64', [1], [2 ** 60], /in digits/],
    ['a long integer beyond 64 bits', 'INT64', [1], [2n ** 63n], /received 9223372036854775808/],
    ['text that is no integer', 'INT64', [1], ['1.0'], /received "1.0"/],
    ['a number beyond FP16', 'FP16', [1], [65_520], /FP16.*65520/],
    ['a number beyond FP32', 'FP32', [1], [1e39], /FP32.*1e\+39/],
    ['text for a number', 'FP64', [1], ['1'], /FP64.*"1"/],
    ['a number for text', 'BYTES', [1], [1], /text.*received 1/],
    ['half of a character', 'BYTES', [1], ['\ud800'], /text/],
  ])('%s', (_, datatype, shape, data, words) => {
    expect(() => raw(datatype, shape, data)).toThrow(words);
  });

  it('more bytes than a request may have, before it makes them', () => {
    expect(() => toRaw('FP64', [2], [1, 2], 'data', 15)).toThrow(/16 bytes.*may have 15/);
    expect(() => toRaw('BYTES', [1], ['abcdefgh'], 'data', 11)).toThrow(/12 bytes/);
  });
});

describe('toJsonText refuses', () => {
  it.each<[string, string, Buffer, RegExp]>([
    ['NaN', 'FP16', Buffer.from([0, 0, 1, 0x7c]), /element 1.*binary data/],
    ['an infinity', 'FP32', Buffer.from([0, 0, 0x80, 0x7f]), /element 0/],
    ['BF16', 'BF16', Buffer.from([0, 0]), /BF16.*binary data/],
    ['bytes that are no text', 'BYTES', Buffer.from([1, 0, 0, 0, 0xff]), /UTF-8.*binary data/],
  ])('%s', (_, datatype, bytes, words) => {
    expect(() => toJsonText(datatype, bytes, 'output')).toThrow(words);
  });
});

describe('JSON and raw bytes', () => {
  it.each(sized)('%s is the same bits after a round trip, wherever its bytes begin', (datatype) => {
    const size = elementBytes(datatype)!;
    const element = fc
      .uint8Array({ minLength: size, maxLength: size })
      .map((bytes) => (datatype === 'BOOL' ? Uint8Array.of(bytes[0]! % 2) : bytes))
      .filter((bytes) => isNumber(datatype, Buffer.from(bytes)));
    fc.assert(
      fc.property(fc.array(element), fc.nat(7), (elements, padding) => {
        const bytes = Buffer.concat([Buffer.alloc(padding), ...elements]).subarray(padding);
        const data = parseJson(Buffer.from(toJsonText(datatype, bytes, 'output')));
        expect(raw(datatype, [elements.length], data)).toEqual(bytes);
      }),
    );
  });

  it('BYTES is the same text after a round trip', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (elements) => {
        const bytes = raw('BYTES', [elements.length], elements);
        expect(JSON.parse(toJsonText('BYTES', bytes, 'output'))).toEqual(elements);
      }),
    );
  });

  it('takes nested data in row-major order', () => {
    const nested = [[[1, 2, 3]], [[4, 5, 6]]];
    expect([...raw('UINT8', [2, 1, 3], nested)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(raw('UINT8', [2, 0], [[], []])).toHaveLength(0);
  });

  it('takes long integers as numbers, as text, and as digits that no double holds', () => {
    const data = parseJson(Buffer.from('[9007199254740993, "-9223372036854775808", 3, 0.5e1]'));
    const bytes = raw('INT64', [4], data);
    expect(toJsonText('INT64', bytes, 'output')).toBe('[9007199254740993,-9223372036854775808,3,5]');
  });

  it('rounds to the nearest half, ties to even', () => {
    const cases: [number, number][] = [
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [2 ** -25, 0],
      [2 ** -25 * 1.0001, 1],
      [65_519.99, 0x7bff],
      [2 - 2 ** -12, 0x4000],
      [-(2 ** -14 - 2 ** -26), 0x8400],
    ];
    const bytes = raw(
      'FP16',
      [cases.length],
      cases.map(([value]) => value),
    );
    expect(cases.map((_, i) => bytes.readUInt16LE(2 * i))).toEqual(cases.map(([, bits]) => bits));
  });
});
