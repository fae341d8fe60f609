import { textReader } from './text-reader.js';

/** Types of numbers that a column, or an item of its lists, may have; named as in Arrow, in lower case. */
export const numberTypes = [
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float32',
  'float64',
] as const;
export type NumberType = (typeof numberTypes)[number];

export const numberArrays = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};
export type NumberArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** One bit a row, least significant first; 0: the value is missing. Null: none is. */
export type Validity = Uint8Array | null;

/** Numbers, or lists of `width` numbers each: `values` holds length * width of them. A scalar has width 1. */
export interface NumberChunk {
  kind: 'number';
  length: number;
  width: number;
  values: NumberArray;
  validity: Validity;
}

/** One bit a row, least significant first. */
export interface BooleanChunk {
  kind: 'boolean';
  length: number;
  bits: Uint8Array;
  validity: Validity;
}

/** UTF-8; text i is bytes[offsets[i] .. offsets[i + 1]]. */
export interface TextChunk {
  kind: 'text';
  length: number;
  offsets: Int32Array | BigInt64Array;
  bytes: Uint8Array;
  validity: Validity;
}

/** Text by index into a dictionary. An entry of the dictionary may be missing too. */
export interface DictionaryChunk {
  kind: 'dictionary';
  length: number;
  indices: NumberArray;
  dictionary: readonly (string | null)[];
  validity: Validity;
}

/** Bytes; value i is bytes[offsets[i] .. offsets[i + 1]]. */
export interface BinaryChunk {
  kind: 'binary';
  length: number;
  offsets: Int32Array | BigInt64Array;
  bytes: Uint8Array;
  validity: Validity;
}

/** Points in time: whole units since 1970-01-01 00:00, days in 32 bits and all others in 64. */
export interface TimeChunk {
  kind: 'time';
  length: number;
  unit: 'day' | 'second' | 'millisecond' | 'microsecond' | 'nanosecond';
  values: Int32Array | BigInt64Array;
  validity: Validity;
}

/** Values of `width` bytes each that are kept and not read: decimals. */
export interface OpaqueChunk {
  kind: 'opaque';
  length: number;
  width: number;
  bytes: Uint8Array;
  validity: Validity;
}

/** Rows without a value; `validity` says so of each. */
export interface NullChunk {
  kind: 'null';
  length: number;
  validity: Uint8Array;
}

/** Lists; list i is items offsets[i] to offsets[i + 1], or i * width to (i + 1) * width where there are no offsets. */
export interface ListChunk {
  kind: 'list';
  length: number;
  offsets: Int32Array | BigInt64Array | null;
  width: number;
  items: ColumnChunk;
  validity: Validity;
}

/** Where list `row` begins among the items; `row` may be the length. */
export function listStart({ offsets, width }: ListChunk, row: number): number {
  return offsets ? Number(offsets[row]) : row * width;
}

/** Records: one chunk a field, all of this length. */
export interface StructChunk {
  kind: 'struct';
  length: number;
  fields: ColumnChunk[];
  validity: Validity;
}

/** Consecutive rows of one column, as Arrow lays them out. */
export type ColumnChunk =
  | NumberChunk
  | BooleanChunk
  | TextChunk
  | DictionaryChunk
  | BinaryChunk
  | TimeChunk
  | OpaqueChunk
  | NullChunk
  | ListChunk
  | StructChunk;

export function isValid(validity: Validity, row: number): boolean {
  return validity === null || (validity[row >> 3]! & (1 << (row & 7))) !== 0;
}

let ascendingRows = new Int32Array(0);

/** The indices of all rows of a chunk: a view of an array that all callers share, and must not change. */
export function everyRow(length: number): Int32Array {
  if (ascendingRows.length < length) {
    ascendingRows = new Int32Array(Math.max(length, 2 * ascendingRows.length));
    for (let i = 0; i < ascendingRows.length; i++) {
      ascendingRows[i] = i;
    }
  }
  return ascendingRows.subarray(0, length);
}

/** Whether each row follows the one before it. */
export function areConsecutive(rows: Int32Array): boolean {
  if (rows.buffer === ascendingRows.buffer) {
    return true;
  }
  for (let i = 1; i < rows.length; i++) {
    if (rows[i] !== rows[i - 1]! + 1) {
      return false;
    }
  }
  return true;
}

/** A value that no float64 holds exactly. */
export class UnsafeIntegerError extends Error {
  constructor(
    readonly row: number,
    readonly value: bigint,
  ) {
    super(`${value} in row ${row}`);
  }
}

/**
 * The numbers of the given rows as float64; missing ones are left as they lie. `rows`: indices into the chunk.
 * @param scratch to be filled with them, where it is large enough
 */
export function gatherNumbers(chunk: NumberChunk, rows: Int32Array, scratch: Float64Array | null = null): Float64Array {
  const { values, width } = chunk;
  const count = rows.length * width;
  const gathered = scratch && scratch.length >= count ? scratch.subarray(0, count) : new Float64Array(count);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    gatherIntegers64(chunk, values, rows, gathered);
  } else if (rows.length > 0 && areConsecutive(rows)) {
    gathered.set(values.subarray(rows[0]! * width, (rows[0]! + rows.length) * width));
  } else if (width === 1) {
    for (let i = 0; i < rows.length; i++) {
      gathered[i] = values[rows[i]!]!;
    }
  } else {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      gathered.set(values.subarray(row * width, (row + 1) * width), i * width);
    }
  }
  return gathered;
}

/** Two 32-bit halves make a float64 without a BigInt a value. */
function gatherIntegers64(
  { width, validity }: NumberChunk,
  values: BigInt64Array | BigUint64Array,
  rows: Int32Array,
  gathered: Float64Array,
): void {
  const low = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const high = values instanceof BigInt64Array ? new Int32Array(low.buffer, low.byteOffset, low.length) : low;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    for (let k = 0; k < width; k++) {
      const at = row * width + k;
      const value = high[2 * at + 1]! * 0x1_0000_0000 + low[2 * at]!;
      if (!Number.isSafeInteger(value) && isValid(validity, row)) {
        throw new UnsafeIntegerError(row, values[at]!);
      }
      gathered[i * width + k] = value;
    }
  }
}

/** The booleans of the given rows as 0 and 1; missing ones as they lie. */
export function gatherBooleans({ bits }: BooleanChunk, rows: Int32Array): Float64Array {
  const gathered = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    gathered[i] = (bits[row >> 3]! >> (row & 7)) & 1;
  }
  return gathered;
}

/** The texts of the given rows; null: missing. */
export function gatherTexts(chunk: TextChunk | DictionaryChunk, rows: Int32Array): (string | null)[] {
  const texts = new Array<string | null>(rows.length);
  if (chunk.kind === 'dictionary') {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      texts[i] = isValid(chunk.validity, row) ? chunk.dictionary[Number(chunk.indices[row])]! : null;
    }
    return texts;
  }
  const { offsets, validity } = chunk;
  const bytes = Buffer.from(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    texts[i] = isValid(validity, row) ? textReader.read(bytes, Number(offsets[row]), Number(offsets[row + 1])) : null;
  }
  return texts;
}

/** The bytes of the given rows, as they lie in the chunk; null: missing. */
export function gatherBytes({ offsets, bytes, validity }: BinaryChunk, rows: Int32Array): (Uint8Array | null)[] {
  return Array.from(rows, (row) =>
    isValid(validity, row) ? bytes.subarray(Number(offsets[row]), Number(offsets[row + 1])) : null,
  );
}

/** 1 for each of the given rows whose value is missing; null: none is. */
export function gatherMissing(validity: Validity, rows: Int32Array): Uint8Array | null {
  if (validity === null) {
    return null;
  }
  let missing: Uint8Array | null = null;
  for (let i = 0; i < rows.length; i++) {
    if (!isValid(validity, rows[i]!)) {
      missing ??= new Uint8Array(rows.length);
      missing[i] = 1;
    }
  }
  return missing;
}
