import { createHash, type Hash } from 'node:crypto';
import {
  type ColumnChunk,
  canonicalJson,
  type DictionaryChunk,
  everyRow,
  gatherBooleans,
  isValid,
  type TextChunk,
} from '../pipeline/index.js';
import { type Column, typeName } from './column.js';

/**
 * SHA-256 of a column's values, the same however the rows are cut into batches and whatever lies where a value is missing:
 * the values one after the other (0 or empty where missing), and the numbers of the rows that are missing.
 */
export class ColumnDigest {
  readonly #values = createHash('sha256');
  /** Of texts: where one ends and the next begins. */
  readonly #lengths = createHash('sha256');
  readonly #missing = createHash('sha256');
  #rows = 0;
  nullCount = 0;

  constructor(private readonly column: Column) {}

  update(chunk: ColumnChunk): void {
    this.#updateMissing(chunk);
    switch (chunk.kind) {
      case 'number': {
        const { values, width } = chunk;
        const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
        this.#values.update(withoutMissing(chunk, bytes, width * values.BYTES_PER_ELEMENT));
        break;
      }
      case 'boolean': {
        const bytes = Uint8Array.from(gatherBooleans(chunk, everyRow(chunk.length)));
        this.#values.update(withoutMissing(chunk, bytes, 1));
        break;
      }
      case 'text':
        updateTexts(this.#values, this.#lengths, chunk);
        break;
      case 'dictionary':
        updateDictionary(this.#values, this.#lengths, chunk);
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

  finish(): string {
    const { name, type, shape } = this.column;
    const digests = [this.#values, this.#lengths, this.#missing].map((hash) => hash.digest('hex'));
    return canonicalJson([name, typeName(type), shape, ...digests]);
  }
}

function withoutMissing({ validity, length }: ColumnChunk, bytes: Uint8Array, rowBytes: number): Uint8Array {
  if (validity === null) {
    return bytes;
  }
  const clean = bytes.slice();
  for (let row = 0; row < length; row++) {
    if (!isValid(validity, row)) {
      clean.fill(0, row * rowBytes, (row + 1) * rowBytes);
    }
  }
  return clean;
}

function updateTexts(values: Hash, lengths: Hash, { length, offsets, bytes, validity }: TextChunk): void {
  const sizes = new Float64Array(length);
  if (validity === null) {
    values.update(bytes.subarray(Number(offsets[0]), Number(offsets[length])));
  }
  for (let row = 0; row < length; row++) {
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
