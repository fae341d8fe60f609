import {
  type ColumnChunk,
  isValid,
  listStart,
  type NumberArray,
  type OpaqueChunk,
  type TimeChunk,
} from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';

/** One value as JSON. Not by way of JSON.stringify of a whole row: it knows no integers beyond 2^53. */
export function valueJson(chunk: ColumnChunk, type: ColumnType, row: number): string {
  if (!isValid(chunk.validity, row)) {
    return 'null';
  }
  switch (chunk.kind) {
    case 'number':
      return type.kind === 'list'
        ? listOfNumbers(chunk.values, row * chunk.width, chunk.width)
        : String(chunk.values[row]);
    case 'boolean':
      return String((chunk.bits[row >> 3]! & (1 << (row & 7))) !== 0);
    case 'text':
      return JSON.stringify(bytesAt(chunk, row).toString('utf8'));
    case 'dictionary':
      return JSON.stringify(chunk.dictionary[Number(chunk.indices[row])]);
    case 'binary':
      return JSON.stringify(bytesAt(chunk, row).toString('base64'));
    case 'time':
      return JSON.stringify(timeText(chunk, row));
    case 'opaque':
      return decimalText(chunk, type as ColumnType & { kind: 'decimal' }, row);
    case 'list': {
      const { item } = type as ColumnType & { kind: 'nested' };
      const [from, to] = [listStart(chunk, row), listStart(chunk, row + 1)];
      return `[${Array.from({ length: to - from }, (_, i) => valueJson(chunk.items, item, from + i)).join(',')}]`;
    }
    case 'struct': {
      const { fields } = type as ColumnType & { kind: 'struct' };
      const members = fields.map(
        ({ name, type: fieldType }, i) => `${JSON.stringify(name)}:${valueJson(chunk.fields[i]!, fieldType, row)}`,
      );
      return `{${members.join(',')}}`;
    }
    case 'null':
      return 'null';
  }
}

const digitsOf = { second: 0, millisecond: 3, microsecond: 6, nanosecond: 9 };
const msPerDay = 86_400_000;
/** ms either side of 1970 that a Date can hold. */
const dateMsMax = 8.64e15;

/** ISO 8601 with as many digits as the unit has; whole units since 1970 where no calendar reaches. */
function timeText({ values, unit }: TimeChunk, row: number): string {
  const value = values[row]!;
  if (unit === 'day') {
    return isoText(Number(value) * msPerDay)?.slice(0, -'T00:00:00.000Z'.length) ?? String(value);
  }
  const digits = digitsOf[unit];
  const perSecond = 10n ** BigInt(digits);
  const rest = BigInt.asUintN(64, ((BigInt(value) % perSecond) + perSecond) % perSecond);
  const text = isoText(Number((BigInt(value) - rest) / perSecond) * 1_000);
  const fraction = digits > 0 ? `.${String(rest).padStart(digits, '0')}` : '';
  return text ? `${text.slice(0, -'.000Z'.length)}${fraction}Z` : String(value);
}

function isoText(ms: number): string | null {
  return Math.abs(ms) <= dateMsMax ? new Date(ms).toISOString() : null;
}

function decimalText({ bytes }: OpaqueChunk, { scale }: ColumnType & { kind: 'decimal' }, row: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + 16 * row, 16);
  const unscaled = (view.getBigInt64(8, true) << 64n) | view.getBigUint64(0, true);
  if (scale <= 0) {
    return String(unscaled * 10n ** BigInt(-scale));
  }
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function listOfNumbers(values: NumberArray, from: number, length: number): string {
  return `[${values.subarray(from, from + length).join(',')}]`;
}

function bytesAt({ offsets, bytes }: { offsets: Int32Array | BigInt64Array; bytes: Uint8Array }, row: number): Buffer {
  const from = Number(offsets[row]);
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, Number(offsets[row + 1]) - from);
}
