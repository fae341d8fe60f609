import { type ColumnChunk, isValid, type NumberArray, type TimeChunk } from '../../pipeline/index.js';
import type { Column } from '../column.js';
import { integerOfKey, numberOfKey } from '../ordered-keys.js';
import { timeText } from './time-text.js';

/** How the keys of a column become numbers and words again. */
export interface KeyMeaning {
  toNumber(low: number, high: number): number;
  toText(low: number, high: number): string;
}

/** Values of a chunk that are there, of a column whose values can be ordered; null: it is none. */
export function presentNumbers(chunk: ColumnChunk): NumberArray | null {
  switch (chunk.kind) {
    case 'number':
      return withoutMissing(chunk.values, chunk.width, chunk);
    case 'time':
      return withoutMissing(chunk.values, 1, chunk);
    case 'boolean': {
      const values = new Uint8Array(chunk.length);
      for (let row = 0; row < chunk.length; row++) {
        values[row] = (chunk.bits[row >> 3]! >> (row & 7)) & 1;
      }
      return withoutMissing(values, 1, chunk);
    }
    default:
      return null;
  }
}

function withoutMissing<T extends NumberArray>(values: T, width: number, { length, validity }: ColumnChunk): T {
  if (validity === null) {
    return values;
  }
  const present = values.slice() as T;
  let count = 0;
  for (let row = 0; row < length; row++) {
    if (isValid(validity, row)) {
      for (let i = row * width; i < (row + 1) * width; i++) {
        present[count++] = values[i]!;
      }
    }
  }
  return present.subarray(0, count) as T;
}

/** As float64; integers beyond 2^53 are rounded. */
export function toFloat64(values: NumberArray): Float64Array {
  if (values instanceof Float64Array) {
    return values;
  }
  if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) {
    return new Float64Array(values);
  }
  const low = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const high = values instanceof BigInt64Array ? new Int32Array(low.buffer, low.byteOffset, low.length) : low;
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    numbers[i] = high[2 * i + 1]! * 0x1_0000_0000 + low[2 * i]!;
  }
  return numbers;
}

/** The meaning of the keys that `orderedKeys` makes of a column's numbers. */
export function keyMeaning({ type }: Column): KeyMeaning {
  const itemType = type.kind === 'number' || type.kind === 'list' ? type.type : null;
  if (itemType === 'int64' || itemType === 'uint64') {
    const integer = (low: number, high: number) => integerOfKey(low, high, itemType === 'int64');
    return {
      toNumber: (low, high) => Number(integer(low, high)),
      toText: (low, high) => String(integer(low, high)),
    };
  }
  if (type.kind === 'boolean') {
    return { toNumber: numberOfKey, toText: (low, high) => String(numberOfKey(low, high) === 1) };
  }
  if (type.kind === 'date' || type.kind === 'timestamp') {
    const is32 = type.kind === 'date' && type.unit === 'day';
    const toInteger = (low: number, high: number) =>
      is32 ? BigInt(numberOfKey(low, high)) : integerOfKey(low, high, true);
    const unit: TimeChunk['unit'] = type.unit;
    return {
      toNumber: (low, high) => Number(toInteger(low, high)),
      toText: (low, high) => timeText(toInteger(low, high), unit),
    };
  }
  return { toNumber: numberOfKey, toText: (low, high) => String(numberOfKey(low, high)) };
}
