import { type ColumnChunk, isValid, listStart, type NumberArray } from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';
import { decimalText } from './decimal-text.js';
import { timeText } from './time-text.js';

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
      return JSON.stringify(timeText(BigInt(chunk.values[row]!), chunk.unit));
    case 'opaque': {
      const bytes = chunk.bytes.subarray(row * chunk.width, (row + 1) * chunk.width);
      return JSON.stringify(decimalText(bytes, type.kind === 'decimal' ? type.scale : 0));
    }
    case 'list': {
      const itemType = type.kind === 'nested' ? type.item : type;
      const items = [];
      for (let item = listStart(chunk, row); item < listStart(chunk, row + 1); item++) {
        items.push(valueJson(chunk.items, itemType, item));
      }
      return `[${items.join(',')}]`;
    }
    case 'struct': {
      const fields = type.kind === 'struct' ? type.fields : [];
      const parts = fields.map(
        ({ name, type: fieldType }, i) => `${JSON.stringify(name)}:${valueJson(chunk.fields[i]!, fieldType, row)}`,
      );
      return `{${parts.join(',')}}`;
    }
    case 'null':
      return 'null';
  }
}

function listOfNumbers(values: NumberArray, from: number, length: number): string {
  return `[${values.subarray(from, from + length).join(',')}]`;
}

function bytesAt({ offsets, bytes }: { offsets: Int32Array | BigInt64Array; bytes: Uint8Array }, row: number): Buffer {
  const from = Number(offsets[row]);
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, Number(offsets[row + 1]) - from);
}
