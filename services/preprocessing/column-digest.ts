import { createHash, type Hash } from 'node:crypto';
import {
  type BinaryChunk,
  type ColumnChunk,
  canonicalJson,
  type DictionaryChunk,
  everyRow,
  gatherBooleans,
  isValid,
  type ListChunk,
  listStart,
  type TextChunk,
  type Validity,
} from '../pipeline/index.js';
import { sliceChunk } from './chunk-slice.js';
import { type Column, type ColumnType, typeName } from './column.js';

/**
 * SHA-256 of a column's values, the same however the rows are cut into batches and whatever lies where a value is missing:
 * the values one after the other (0 or empty where missing), and the numbers of the rows that are missing.
 */
export class ColumnDigest {
  readonly #values: ValueDigest;

  constructor(private readonly column: Column) {
    this.#values = new ValueDigest(column.type);
  }

  get nullCount(): number {
    return this.#values.nullCount;
  }

  update(chunk: ColumnChunk): void {
    this.#values.update(chunk);
  }

  finish(): string {
    const { name, type, shape } = this.column;
    return canonicalJson([name, typeName(type), shape, ...this.#values.finish()]);
  }
}

class ValueDigest {
  readonly #values = createHash('sha256');
  /** Of texts, bytes and lists: how long each is. */
  readonly #lengths = createHash('sha256');
  readonly #missing = createHash('sha256');
  /** Of a list's items, or a struct's fields. */
  readonly #children: ValueDigest[];
  #rows = 0;
  nullCount = 0;

  constructor(type: ColumnType) {
    const children = type.kind === 'nested' ? [type.item] : type.kind === 'struct' ? fieldTypes(type) : [];
    this.#children = children.map((child) => new ValueDigest(child));
  }

  update(chunk: ColumnChunk): void {
    this.#updateMissing(chunk);
    switch (chunk.kind) {
      case 'number':
      case 'time':
        this.#values.update(withoutMissing(chunk, bytesOf(chunk.values)));
        break;
      case 'boolean': {
        const bytes = Uint8Array.from(gatherBooleans(chunk, everyRow(chunk.length)));
        this.#values.update(withoutMissing(chunk, bytes));
        break;
      }
      case 'opaque':
        this.#values.update(withoutMissing(chunk, chunk.bytes));
        break;
      case 'text':
      case 'binary':
        updateBytes(this.#values, this.#lengths, chunk);
        break;
      case 'dictionary':
        updateDictionary(this.#values, this.#lengths, chunk);
        break;
      case 'list':
        this.#updateLists(chunk);
        break;
      case 'struct':
        for (const [i, field] of chunk.fields.entries()) {
          this.#children[i]!.update(missingWith(field, chunk.validity));
        }
    }
    this.#rows += chunk.length;
  }

  #updateMissing({ validity, length }: ColumnChunk): void {
    if (validity === null) {
      return;
    }
    const rows: number[] = [];
    for (let row = 0; row < length; row++) {
      if (!isValid(validity, row)) {
        rows.push(this.#rows + row);
      }
    }
    this.nullCount += rows.length;
    this.#missing.update(Float64Array.from(rows));
  }

  /** Items count where their list is there; neighbouring lists are taken in one go. */
  #updateLists(chunk: ListChunk): void {
    const sizes = new Float64Array(chunk.length);
    let [from, to] = [0, 0];
    for (let row = 0; row < chunk.length; row++) {
      if (isValid(chunk.validity, row)) {
        const [start, end] = [listStart(chunk, row), listStart(chunk, row + 1)];
        sizes[row] = end - start;
        if (start !== to) {
          this.#updateItems(chunk, from, to);
          from = start;
        }
        to = end;
      }
    }
    this.#updateItems(chunk, from, to);
    this.#lengths.update(sizes);
  }

  #updateItems({ items }: ListChunk, from: number, to: number): void {
    if (to > from) {
      this.#children[0]!.update(sliceChunk(items, from, to));
    }
  }

  finish(): string[] {
    const own = [this.#values, this.#lengths, this.#missing].map((hash) => hash.digest('hex'));
    return [...own, ...this.#children.flatMap((child) => child.finish())];
  }
}

const fieldTypes = ({ fields }: ColumnType & { kind: 'struct' }) => fields.map(({ type }) => type);

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A field is missing where its struct is. */
function missingWith(field: ColumnChunk, validity: Validity): ColumnChunk {
  if (validity === null) {
    return field;
  }
  const own = field.validity;
  return { ...field, validity: own ? validity.map((bits, i) => bits & own[i]!) : validity };
}

/** The same number of bytes a row, with zeros where a value is missing. */
function withoutMissing({ validity, length }: ColumnChunk, bytes: Uint8Array): Uint8Array {
  if (validity === null) {
    return bytes;
  }
  const rowBytes = bytes.length / length;
  const clean = bytes.slice();
  for (let row = 0; row < length; row++) {
    if (!isValid(validity, row)) {
      clean.fill(0, row * rowBytes, (row + 1) * rowBytes);
    }
  }
  return clean;
}

/** Lengths of texts, until they are hashed: fresh memory for each batch would have the garbage collector run. */
let scratch = new Float64Array(0);

function updateBytes(values: Hash, lengths: Hash, { length, offsets, bytes, validity }: TextChunk | BinaryChunk): void {
  if (scratch.length < length) {
    scratch = new Float64Array(length);
  }
  const sizes = scratch.subarray(0, length);
  if (validity === null) {
    values.update(bytes.subarray(Number(offsets[0]), Number(offsets[length])));
    if (offsets instanceof Int32Array) {
      for (let row = 0; row < length; row++) {
        sizes[row] = offsets[row + 1]! - offsets[row]!;
      }
      lengths.update(sizes);
      return;
    }
  }
  for (let row = 0; row < length; row++) {
    sizes[row] = 0;
    if (isValid(validity, row)) {
      const [from, to] = [Number(offsets[row]), Number(offsets[row + 1])];
      sizes[row] = to - from;
      if (validity !== null) {
        values.update(bytes.subarray(from, to));
      }
    }
  }
  lengths.update(sizes);
}

/** What the entries say counts, not how the dictionary is ordered. */
function updateDictionary(values: Hash, lengths: Hash, chunk: DictionaryChunk): void {
  const entries = chunk.dictionary.map((text) => Buffer.from(text ?? ''));
  const sizes = new Float64Array(chunk.length);
  const texts: Buffer[] = [];
  for (let row = 0; row < chunk.length; row++) {
    if (isValid(chunk.validity, row)) {
      const entry = entries[Number(chunk.indices[row])]!;
      sizes[row] = entry.length;
      texts.push(entry);
    }
  }
  values.update(Buffer.concat(texts));
  lengths.update(sizes);
}
