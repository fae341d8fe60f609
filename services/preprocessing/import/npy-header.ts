import { type NumberType, numberArrays } from '../../pipeline/index.js';
import type { ByteReader } from './byte-reader.js';
import { invalidFile } from './import-file.js';

/** What an item of an array is. `float16` becomes `float32`; texts have `width` code points or bytes at most. */
export type NpyItem =
  | { kind: 'number'; type: NumberType; bigEndian: boolean }
  | { kind: 'float16'; bigEndian: boolean }
  | { kind: 'boolean' }
  | { kind: 'text'; encoding: 'utf8' | 'utf32'; width: number; bigEndian: boolean };

/** The header of an `.npy` file. */
export interface NpyHeader {
  item: NpyItem;
  rowCount: number;
  /** Of a row; empty: one item. */
  shape: number[];
  /** Of the header itself, with magic and length. */
  headerBytes: number;
  /** Of a row as it stands in the file. */
  rowBytes: number;
}

const magic = Buffer.from('\x93NUMPY', 'latin1');
const textMax = 64 * 1024;
const rowBytesMax = 16 * 1024 * 1024;

/** @param name of the file, or of the file and its member */
export async function readNpyHeader(reader: ByteReader, name: string): Promise<NpyHeader> {
  const start = await reader.read(8);
  if (start.length < 8 || !start.subarray(0, 6).equals(magic)) {
    throw invalidFile(
      name,
      `Expected a NumPy array (first bytes 147, NUMPY) but its first bytes are ${[...start].join(', ')}.`,
    );
  }
  const isFirstVersion = start[6] === 1;
  const length = await reader.read(isFirstVersion ? 2 : 4);
  const textBytes = length.length < 2 ? 0 : isFirstVersion ? length.readUInt16LE() : length.readUInt32LE();
  const text = textBytes <= textMax ? (await reader.read(textBytes)).toString('utf8') : '';
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const lengths = /'shape'\s*:\s*\(([0-9, ]*)\)/.exec(text)?.[1];
  if (/'descr'\s*:\s*\[/.test(text)) {
    throw invalidFile(name, 'Expected an array of one type but it is a structured one. Save its fields as arrays.');
  }
  if (descr === undefined || order === undefined || lengths === undefined) {
    throw invalidFile(
      name,
      'Expected a NumPy header with descr, fortran_order and shape but it has none. Is it truncated?',
    );
  }
  const dimensions = lengths
    .split(',')
    .filter((one) => one.trim() !== '')
    .map(Number);
  const [rowCount, ...shape] = dimensions;
  const item = parseItem(descr, name);
  const rowBytes = shape.reduce((product, one) => product * one, bytesOf(item));
  if (!rowCount || !(rowBytes > 0)) {
    throw invalidFile(name, `Expected an array with rows but its shape is (${dimensions.join(', ')}).`);
  }
  if (!Number.isSafeInteger(rowCount * rowBytes) || rowBytes > rowBytesMax) {
    throw invalidFile(
      name,
      `Expected rows of at most ${rowBytesMax} bytes but its shape is (${dimensions.join(', ')}).`,
    );
  }
  if (order === 'True' && shape.length > 0) {
    throw invalidFile(name, 'Expected rows in C order but they are in Fortran order. Save numpy.ascontiguousarray(a).');
  }
  return { item, rowCount, shape, headerBytes: 8 + length.length + textBytes, rowBytes };
}

function parseItem(descr: string, name: string): NpyItem {
  const [, order, kind, digits] = /^([<>|=])([a-zA-Z])(\d*)$/.exec(descr) ?? [];
  const size = Number(digits);
  const bigEndian = order === '>';
  switch (kind) {
    case 'b':
      return { kind: 'boolean' };
    case 'i':
    case 'u':
    case 'f': {
      if (kind === 'f' && size === 2) {
        return { kind: 'float16', bigEndian };
      }
      const type = `${{ i: 'int', u: 'uint', f: 'float' }[kind]}${8 * size}`;
      if (type in numberArrays) {
        return { kind: 'number', type: type as NumberType, bigEndian };
      }
      break;
    }
    case 'U':
    case 'S':
      return { kind: 'text', encoding: kind === 'U' ? 'utf32' : 'utf8', width: size, bigEndian };
    case 'O':
      throw invalidFile(
        name,
        'Expected numbers, booleans or text but it holds Python objects, which only Python can load, by running what they say. Save it with allow_pickle=False.',
      );
  }
  const expected = 'an array of bool, int8 to int64, uint8 to uint64, float16 to float64, or text';
  throw invalidFile(name, `Expected ${expected} but its type is ${JSON.stringify(descr)}.`);
}

/** Of an item as it stands in the file. */
function bytesOf(item: NpyItem): number {
  switch (item.kind) {
    case 'number':
      return numberArrays[item.type].BYTES_PER_ELEMENT;
    case 'float16':
      return 2;
    case 'boolean':
      return 1;
    case 'text':
      return item.encoding === 'utf32' ? 4 * item.width : item.width;
  }
}
