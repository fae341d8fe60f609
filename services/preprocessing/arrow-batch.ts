import { isUtf8 } from 'node:buffer';
import {
  type ColumnChunk,
  type DictionaryChunk,
  everyRow,
  gatherTexts,
  isValid,
  type NumberArray,
  type NumberChunk,
  type NumberType,
  numberArrays,
  type TextChunk,
  type Validity,
} from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';
import { type BatchHeader, malformedArrow, type Region } from './arrow-message.js';
import type { Column, ColumnType } from './column.js';

/** Values of dictionaries by id. */
export type Dictionaries = ReadonlyMap<number, readonly (string | null)[]>;

/** Where a column's nodes and buffers stand in a batch. */
export interface ColumnPlace {
  node: number;
  buffer: number;
  bufferCount: number;
}

/** Places of all columns, in order. */
export function layOut(columns: readonly Column[]): ColumnPlace[] {
  let node = 0;
  let buffer = 0;
  return columns.map(({ type }) => {
    const bufferCount = type.kind === 'text' || type.kind === 'list' ? 3 : 2;
    const place = { node, buffer, bufferCount };
    node += type.kind === 'list' ? 2 : 1;
    buffer += bufferCount;
    return place;
  });
}

/** Refuses a batch whose header does not fit the schema or its body. */
export function checkBatch(columns: readonly Column[], batch: BatchHeader, bodyBytes: number): void {
  const nodes = columns.reduce((sum, { type }) => sum + (type.kind === 'list' ? 2 : 1), 0);
  const buffers = layOut(columns).reduce((sum, { bufferCount }) => sum + bufferCount, 0);
  if (batch.nodes.length !== nodes || batch.buffers.length !== buffers) {
    const received = `${batch.nodes.length} nodes and ${batch.buffers.length} buffers`;
    throw malformedArrow(`a batch has ${received} where its schema needs ${nodes} and ${buffers}`);
  }
  for (const { offset, length } of batch.buffers) {
    if (offset < 0 || length < 0 || offset + length > bodyBytes) {
      throw malformedArrow(`a buffer reaches from byte ${offset} to ${offset + length} of a body of ${bodyBytes}`);
    }
  }
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
  const { length } = batch;
  const buffers = batch.buffers.slice(place.buffer, place.buffer + place.bufferCount);
  const node = batch.nodes[place.node]!;
  if (node.length !== length) {
    throw malformedArrow(`column ${JSON.stringify(name)} has ${node.length} rows of ${length}`);
  }
  const validity = decodeValidity(name, read(buffers[0]!), node);
  const last = read(buffers.at(-1)!);
  switch (type.kind) {
    case 'number':
      return { kind: 'number', length, width: 1, values: numbers(name, last, type.type, length), validity };
    case 'boolean':
      return { kind: 'boolean', length, bits: expectBytes(name, last, Math.ceil(length / 8)), validity };
    case 'text':
      return decodeText(name, type, length, read(buffers[1]!), last, validity);
    case 'dictionary':
      return decodeIndices(name, type, length, last, validity, dictionaries);
    case 'list': {
      const child = batch.nodes[place.node + 1]!;
      if (child.length !== length * type.width) {
        throw malformedArrow(
          `column ${JSON.stringify(name)} has ${child.length} items in ${length} lists of ${type.width}`,
        );
      }
      refuseMissingItems(name, decodeValidity(name, read(buffers[1]!), child), child.length, type.width, validity);
      return {
        kind: 'number',
        length,
        width: type.width,
        values: numbers(name, last, type.type, child.length),
        validity,
      };
    }
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

function decodeText(
  name: string,
  { large }: ColumnType & { kind: 'text' },
  length: number,
  offsetBytes: Uint8Array,
  bytes: Uint8Array,
  validity: Validity,
): TextChunk {
  const type = large ? 'int64' : 'int32';
  // An empty column may come without its single offset.
  const isEmpty = length === 0 && offsetBytes.length === 0;
  const offsets = isEmpty ? new Int32Array(1) : numbers(name, offsetBytes, type, length + 1);
  let previous = Number(offsets[0]);
  if (previous < 0) {
    throw malformedArrow(`column ${JSON.stringify(name)} has a negative offset`);
  }
  for (let i = 1; i <= length; i++) {
    const offset = Number(offsets[i]);
    if (offset < previous || offset > bytes.length) {
      throw malformedArrow(
        `column ${JSON.stringify(name)} has offsets that do not rise within its ${bytes.length} bytes`,
      );
    }
    previous = offset;
  }
  const chunk: TextChunk = { kind: 'text', length, offsets: offsets as Int32Array | BigInt64Array, bytes, validity };
  refuseBrokenText(name, chunk);
  return chunk;
}

/** The bytes must be UTF-8, and no text may begin within a character. */
function refuseBrokenText(name: string, { length, offsets, bytes }: TextChunk): void {
  const used = bytes.subarray(Number(offsets[0]), Number(offsets[length]));
  let isWhole = isUtf8(used);
  for (let i = 0; isWhole && i < length; i++) {
    const first = Number(offsets[i]);
    isWhole = first >= bytes.length || (bytes[first]! & 0xc0) !== 0x80 || first === Number(offsets[length]);
  }
  if (!isWhole) {
    throw malformedArrow(`column ${JSON.stringify(name)} holds text that is not UTF-8`);
  }
}

function decodeIndices(
  name: string,
  type: ColumnType & { kind: 'dictionary' },
  length: number,
  bytes: Uint8Array,
  validity: Validity,
  dictionaries: Dictionaries,
): DictionaryChunk {
  const indices = numbers(name, bytes, type.index, length);
  const dictionary = dictionaries.get(type.id) ?? [];
  for (let row = 0; row < length; row++) {
    if (isValid(validity, row) && !(indices[row]! >= 0 && indices[row]! < dictionary.length)) {
      const message = `column ${JSON.stringify(name)} refers to entry ${indices[row]} of a dictionary of ${dictionary.length}`;
      throw malformedArrow(message);
    }
  }
  return { kind: 'dictionary', length, indices, dictionary, validity };
}

/** Refuses NaN and infinities, naming the row. @param firstRow rows of the table before this chunk */
export function refuseNonFinite(name: string, chunk: ColumnChunk, firstRow: number): void {
  if (chunk.kind !== 'number' || !(chunk.values instanceof Float32Array || chunk.values instanceof Float64Array)) {
    return;
  }
  const { values, width, validity } = chunk as NumberChunk & { values: Float64Array };
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / width);
    if (!Number.isFinite(values[i]) && isValid(validity, row)) {
      const message = `Expected column ${JSON.stringify(name)} to hold finite numbers but received ${values[i]} in row ${firstRow + row + 1}.`;
      throw new ServiceError('INVALID_ARGUMENT', 'NOT_FINITE', message);
    }
  }
}
