import { isUtf8 } from 'node:buffer';
import { type ColumnChunk, numberArrays } from '../../pipeline/index.js';
import type { Column, ColumnType } from '../column.js';
import { BooleanBuilder, BytesBuilder } from './column-builder.js';
import { invalidFile } from './import-file.js';
import type { NpyHeader, NpyItem } from './npy-header.js';

/** The column that an array becomes: a row of one item is a value, of more a list. */
export function npyColumn(name: string, { item, shape }: NpyHeader, file: string): Column {
  const width = shape.reduce((product, one) => product * one, 1);
  const type = itemType(item);
  if (width === 1) {
    return { name, type, shape: [] };
  }
  if (type.kind !== 'number') {
    throw invalidFile(file, `Expected one item a row of an array of ${type.kind}s but its shape has ${width}.`);
  }
  return { name, type: { kind: 'list', type: type.type, width }, shape };
}

function itemType(item: NpyItem): ColumnType {
  switch (item.kind) {
    case 'number':
      return { kind: 'number', type: item.type };
    case 'float16':
      return { kind: 'number', type: 'float32' };
    case 'boolean':
      return { kind: 'boolean' };
    case 'text':
      return { kind: 'text', large: false };
  }
}

/** Rows of an array. @param bytes of whole rows, which are changed. @param firstRow of the array, for messages */
export function npyChunk(
  { item, shape, rowBytes }: NpyHeader,
  bytes: Buffer<ArrayBuffer>,
  file: string,
  firstRow: number,
): ColumnChunk {
  const length = bytes.length / rowBytes;
  const width = shape.reduce((product, one) => product * one, 1);
  switch (item.kind) {
    case 'number': {
      const ArrayType = numberArrays[item.type];
      swap(bytes, item.bigEndian ? ArrayType.BYTES_PER_ELEMENT : 1);
      const values = new ArrayType(bytes.buffer, bytes.byteOffset, length * width);
      return { kind: 'number', length, width, values, validity: null };
    }
    case 'float16': {
      swap(bytes, item.bigEndian ? 2 : 1);
      const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, length * width);
      return { kind: 'number', length, width, values: Float32Array.from(halves, widen), validity: null };
    }
    case 'boolean': {
      const builder = new BooleanBuilder(length);
      for (const byte of bytes) {
        builder.push(byte !== 0);
      }
      return builder.finish();
    }
    case 'text': {
      const builder = new BytesBuilder('text', length);
      swap(bytes, item.encoding === 'utf32' && item.bigEndian ? 4 : 1);
      for (let row = 0; row < length; row++) {
        const text = bytes.subarray(row * rowBytes, (row + 1) * rowBytes);
        builder.push(item.encoding === 'utf8' ? fromUtf8(text) : fromUtf32(text));
        if (item.encoding === 'utf8' && !isUtf8(text)) {
          throw invalidFile(file, `Row ${firstRow + row + 1}: Expected UTF-8 but received other bytes.`);
        }
      }
      return builder.finish();
    }
  }

  function fromUtf32(text: Buffer): string {
    const points = new Uint32Array(text.buffer, text.byteOffset, text.length / 4);
    let end = points.length;
    while (end > 0 && points[end - 1] === 0) {
      end--;
    }
    const used = [...points.subarray(0, end)];
    const bad = used.find((point) => point > 0x10_ffff || (point >= 0xd800 && point < 0xe000));
    if (bad !== undefined) {
      const row = firstRow + (text.byteOffset - bytes.byteOffset) / rowBytes + 1;
      throw invalidFile(file, `Row ${row}: Expected Unicode characters but received number ${bad}.`);
    }
    return String.fromCodePoint(...used);
  }
}

/** Without the zeros that fill it up. */
function fromUtf8(text: Buffer): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === 0) {
    end--;
  }
  return text.toString('utf8', 0, end);
}

function swap(bytes: Buffer, size: number): void {
  switch (size) {
    case 2:
      bytes.swap16();
      break;
    case 4:
      bytes.swap32();
      break;
    case 8:
      bytes.swap64();
  }
}

/** IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
function widen(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) {
    return sign * fraction * 2 ** -24;
  }
  if (exponent === 0x1f) {
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
