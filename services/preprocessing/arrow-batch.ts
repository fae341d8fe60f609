import { isAscii, isUtf8 } from 'node:buffer';
import {
  type ColumnChunk,
  type DictionaryChunk,
  everyRow,
  gatherTexts,
  isValid,
  type ListChunk,
  type NumberArray,
  type NumberChunk,
  type NumberType,
  numberArrays,
  type TextChunk,
  type Validity,
} from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';
import type { BatchHeader, Region } from './arrow-message.js';
import type { Column, ColumnType } from './column.js';
import { malformedArrow } from './malformed-arrow.js';

/** Values of dictionaries by id. */
export type Dictionaries = ReadonlyMap<number, readonly (string | null)[]>;

/** Where a column's nodes and buffers stand in a batch. */
export interface ColumnPlace {
  node: number;
  nodeCount: number;
  buffer: number;
  bufferCount: number;
}

/** Places of all columns, in order: each has its own, then those of its items or fields, depth first. */
export function layOut(columns: readonly { type: ColumnType }[]): ColumnPlace[] {
  let node = 0;
  let buffer = 0;
  return columns.map(({ type }) => {
    const { nodes, buffers } = sizeOf(type);
    const place = { node, nodeCount: nodes, buffer, bufferCount: buffers };
    node += nodes;
    buffer += buffers;
    return place;
  });
}

function sizeOf(type: ColumnType): { nodes: number; buffers: number } {
  switch (type.kind) {
    case 'null':
      return { nodes: 1, buffers: 0 };
    case 'text':
      return { nodes: 1, buffers: 3 };
    case 'binary':
      return { nodes: 1, buffers: type.width === null ? 3 : 2 };
    case 'list':
      return { nodes: 2, buffers: 3 };
    case 'nested': {
      const item = sizeOf(type.item);
      return { nodes: item.nodes + 1, buffers: item.buffers + (type.width === null ? 2 : 1) };
    }
    case 'struct': {
      const fields = type.fields.map((field) => sizeOf(field.type));
      return fields.reduce(
        (sum, { nodes, buffers }) => ({ nodes: sum.nodes + nodes, buffers: sum.buffers + buffers }),
        { nodes: 1, buffers: 1 },
      );
    }
    default:
      return { nodes: 1, buffers: 2 };
  }
}

/** Refuses a batch whose header does not fit the schema or its body. */
export function checkBatch(columns: readonly Column[], batch: BatchHeader, bodyBytes: number): void {
  if (batch.compression) {
    throw malformedArrow('its buffers are compressed');
  }
  const layout = layOut(columns);
  const nodes = layout.reduce((sum, { nodeCount }) => sum + nodeCount, 0);
  const buffers = layout.reduce((sum, { bufferCount }) => sum + bufferCount, 0);
  if (batch.nodes.length !== nodes || batch.buffers.length !== buffers) {
    const received = `${batch.nodes.length} nodes and ${batch.buffers.length} buffers`;
    throw malformedArrow(`a batch has ${received} where its schema needs ${nodes} and ${buffers}`);
  }
  for (const { offset, length } of batch.buffers) {
    if (offset < 0 || length < 0 || offset + length > bodyBytes) {
      throw malformedArrow(`a buffer reaches from byte ${offset} to ${offset + length} of a body of ${bodyBytes}`);
    }
  }
  const values = batch.nodes.reduce((sum, { length }) => sum + length, 0);
  if (values > 8 * bodyBytes + freeValuesMax) {
    throw malformedArrow(`a batch claims ${values} values in ${bodyBytes} bytes. Send smaller batches`);
  }
}

/** Nulls and structs take no bytes: a forged header alone could name any number of them. */
const freeValuesMax = 2 ** 24;
let zeros = new Uint8Array(0);

/** One bit for each value; all share the same bytes. */
function allMissing(length: number): Uint8Array {
  const bytes = Math.ceil(length / 8);
  if (zeros.length < bytes) {
    zeros = new Uint8Array(bytes);
  }
  return zeros.subarray(0, bytes);
}

/** Bytes of a region of the body. */
export type ReadRegion = (region: Region) => Uint8Array;

/** One column of a batch that `checkBatch` let pass. Its arrays are views where the bytes lie as they should. */
export function decodeColumn(
  { name, type }: Column,
  place: ColumnPlace,
  batch: BatchHeader,
  read: ReadRegion,
  dictionaries: Dictionaries,
): ColumnChunk {
  const nodes = batch.nodes.slice(place.node, place.node + place.nodeCount);
  const buffers = batch.buffers.slice(place.buffer, place.buffer + place.bufferCount);
  return new ColumnDecoder(name, nodes, buffers, read, dictionaries).decode(type, batch.length);
}

/** Takes nodes and buffers of one column in their order. */
class ColumnDecoder {
  #node = 0;
  #buffer = 0;

  constructor(
    private readonly name: string,
    private readonly nodes: BatchHeader['nodes'],
    private readonly buffers: readonly Region[],
    private readonly read: ReadRegion,
    private readonly dictionaries: Dictionaries,
  ) {}

  decode(type: ColumnType, length: number): ColumnChunk {
    const { name } = this;
    const node = this.#takeNode(length);
    if (type.kind === 'null') {
      return { kind: 'null', length, validity: allMissing(length) };
    }
    const validity = decodeValidity(name, this.#takeBuffer(), node);
    switch (type.kind) {
      case 'number':
        return { kind: 'number', length, width: 1, values: this.#numbers(type.type, length), validity };
      case 'boolean':
        return {
          kind: 'boolean',
          length,
          bits: expectBytes(name, this.#takeBuffer(), Math.ceil(length / 8)),
          validity,
        };
      case 'text':
        return this.#text(type, length, validity);
      case 'dictionary':
        return decodeIndices(name, type, this.#numbers(type.index, length), validity, this.dictionaries);
      case 'list':
        return this.#fixedList(type, length, validity);
      case 'binary':
        return { kind: 'binary', length, ...this.#bytes(type, length), validity };
      case 'date':
      case 'timestamp': {
        const { unit } = type;
        const values = this.#numbers(unit === 'day' ? 'int32' : 'int64', length) as Int32Array | BigInt64Array;
        return { kind: 'time', length, unit, values, validity };
      }
      case 'decimal':
        return {
          kind: 'opaque',
          length,
          width: 16,
          bytes: expectBytes(name, this.#takeBuffer(), length * 16),
          validity,
        };
      case 'nested':
        return this.#nested(type, length, validity);
      case 'struct': {
        const fields = type.fields.map((field) => this.decode(field.type, length));
        return { kind: 'struct', length, fields, validity };
      }
    }
  }

  /** @param length that it must have */
  #takeNode(length: number): BatchHeader['nodes'][number] {
    const node = this.nodes[this.#node++]!;
    if (node.length !== length) {
      throw malformedArrow(`column ${JSON.stringify(this.name)} has ${node.length} values where it needs ${length}`);
    }
    return node;
  }

  #takeBuffer(): Uint8Array {
    return this.read(this.buffers[this.#buffer++]!);
  }

  #numbers(type: NumberType, count: number): NumberArray {
    return numbers(this.name, this.#takeBuffer(), type, count);
  }

  #offsets(large: boolean, length: number): Int32Array | BigInt64Array {
    const bytes = this.#takeBuffer();
    // An empty column may come without its single offset.
    const isEmpty = length === 0 && bytes.length === 0;
    const offsets = isEmpty ? new Int32Array(1) : numbers(this.name, bytes, large ? 'int64' : 'int32', length + 1);
    return offsets as Int32Array | BigInt64Array;
  }

  #text({ large }: ColumnType & { kind: 'text' }, length: number, validity: Validity): TextChunk {
    const chunk: TextChunk = { kind: 'text', length, ...this.#bytes({ large, width: null }, length), validity };
    refuseBrokenText(this.name, chunk);
    return chunk;
  }

  #bytes({ large, width }: { large: boolean; width: number | null }, length: number) {
    if (width !== null) {
      const offsets = Int32Array.from({ length: length + 1 }, (_, i) => i * width);
      return { offsets, bytes: expectBytes(this.name, this.#takeBuffer(), length * width) };
    }
    const offsets = this.#offsets(large, length);
    const bytes = this.#takeBuffer();
    checkOffsets(this.name, offsets, bytes.length, 'bytes');
    return { offsets, bytes };
  }

  #fixedList({ type, width }: ColumnType & { kind: 'list' }, length: number, validity: Validity): NumberChunk {
    const count = length * width;
    const item = this.#takeNode(count);
    refuseMissingItems(this.name, decodeValidity(this.name, this.#takeBuffer(), item), count, width, validity);
    return { kind: 'number', length, width, values: this.#numbers(type, count), validity };
  }

  #nested({ form, width, item }: ColumnType & { kind: 'nested' }, length: number, validity: Validity): ListChunk {
    if (width !== null) {
      const items = this.decode(item, length * width);
      return { kind: 'list', length, offsets: null, width, items, validity };
    }
    const offsets = this.#offsets(form === 'LargeList', length);
    const count = this.nodes[this.#node]!.length;
    checkOffsets(this.name, offsets, count, 'items');
    return { kind: 'list', length, offsets, width: 0, items: this.decode(item, count), validity };
  }
}

function checkOffsets(name: string, offsets: Int32Array | BigInt64Array, limit: number, of: 'bytes' | 'items'): void {
  let previous = Number(offsets[0]);
  if (previous < 0) {
    throw malformedArrow(`column ${JSON.stringify(name)} has a negative offset`);
  }
  for (let i = 0; i < offsets.length; i++) {
    const offset = Number(offsets[i]);
    if (offset < previous || offset > limit) {
      throw malformedArrow(`column ${JSON.stringify(name)} has offsets that do not rise within its ${limit} ${of}`);
    }
    previous = offset;
  }
}

/** A list is whole or missing as a whole; where it is missing, so may its items be. */
function refuseMissingItems(name: string, items: Validity, count: number, width: number, lists: Validity): void {
  for (let i = 0; items !== null && i < count; i++) {
    const row = Math.floor(i / width);
    if (!isValid(items, i) && isValid(lists, row)) {
      const message = `Expected the lists of column ${JSON.stringify(name)} to be complete but one in this batch's row ${row + 1} lacks item ${i % width}.`;
      throw new ServiceError('INVALID_ARGUMENT', 'MISSING_ITEM', message);
    }
  }
}

/** All texts of a dictionary batch. */
export function decodeDictionary(
  id: number,
  large: boolean,
  batch: BatchHeader,
  body: Uint8Array,
): readonly (string | null)[] {
  const column: Column = { name: `dictionary ${id}`, type: { kind: 'text', large }, shape: [] };
  checkBatch([column], batch, body.length);
  const read: ReadRegion = ({ offset, length }) => body.subarray(offset, offset + length);
  const chunk = decodeColumn(column, layOut([column])[0]!, batch, read, new Map()) as TextChunk;
  if (chunk.validity) {
    const message = `Expected every entry of ${column.name} to be a text but one is missing. Leave the rows without a value instead.`;
    throw new ServiceError('INVALID_ARGUMENT', 'MISSING_ENTRY', message);
  }
  return gatherTexts(chunk, everyRow(chunk.length));
}

function expectBytes(name: string, bytes: Uint8Array, needed: number): Uint8Array {
  if (bytes.length < needed) {
    throw malformedArrow(
      `column ${JSON.stringify(name)} has a buffer of ${bytes.length} bytes where it needs ${needed}`,
    );
  }
  return bytes.subarray(0, needed);
}

/** Null when nothing is missing, whatever form that took. */
function decodeValidity(name: string, bytes: Uint8Array, node: BatchHeader['nodes'][number]): Validity {
  const { length, nullCount } = node;
  const bits = bytes.length === 0 ? null : expectBytes(name, bytes, Math.ceil(length / 8));
  const missing = countMissing(bits, length);
  if (missing !== nullCount) {
    throw malformedArrow(
      `column ${JSON.stringify(name)} says ${nullCount} values are missing where its bits say ${missing}`,
    );
  }
  return missing === 0 ? null : bits;
}

function countMissing(validity: Validity, length: number): number {
  if (validity === null) {
    return 0;
  }
  let missing = 0;
  for (let row = 0; row < length; row++) {
    missing += 1 - ((validity[row >> 3]! >> (row & 7)) & 1);
  }
  return missing;
}

function numbers(name: string, bytes: Uint8Array, type: NumberType, count: number): NumberArray {
  const ArrayType = numberArrays[type];
  const exact = expectBytes(name, bytes, count * ArrayType.BYTES_PER_ELEMENT);
  const aligned = exact.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? exact : exact.slice();
  return new ArrayType(aligned.buffer as ArrayBuffer, aligned.byteOffset, count);
}

/** The bytes must be UTF-8, and no text may begin within a character. */
function refuseBrokenText(name: string, chunk: TextChunk): void {
  const { length, offsets, bytes } = chunk;
  const used = bytes.subarray(Number(offsets[0]), Number(offsets[length]));
  if (isAscii(used)) {
    return;
  }
  let isWhole = isUtf8(used);
  for (let i = 0; isWhole && i < length; i++) {
    const first = Number(offsets[i]);
    isWhole = first >= bytes.length || (bytes[first]! & 0xc0) !== 0x80 || first === Number(offsets[length]);
  }
  if (!isWhole) {
    const row = firstBrokenText(chunk);
    throw malformedArrow(`column ${JSON.stringify(name)} in this batch's row ${row + 1} holds text that is not UTF-8`);
  }
}

/** The text itself, or the one before it, which ends within a character. */
function firstBrokenText({ length, offsets, bytes }: TextChunk): number {
  let row = 0;
  while (row < length && isUtf8(bytes.subarray(Number(offsets[row]), Number(offsets[row + 1])))) {
    row++;
  }
  return row;
}

function decodeIndices(
  name: string,
  type: ColumnType & { kind: 'dictionary' },
  indices: NumberArray,
  validity: Validity,
  dictionaries: Dictionaries,
): DictionaryChunk {
  const { length } = indices;
  const dictionary = dictionaries.get(type.id) ?? [];
  for (let row = 0; row < length; row++) {
    if (isValid(validity, row) && !(indices[row]! >= 0 && indices[row]! < dictionary.length)) {
      const message = `column ${JSON.stringify(name)} refers to entry ${indices[row]} of a dictionary of ${dictionary.length}`;
      throw malformedArrow(message);
    }
  }
  return { kind: 'dictionary', length, indices, dictionary, validity };
}
