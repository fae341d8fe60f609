import {
  type ColumnChunk,
  type DictionaryChunk,
  isValid,
  type ListChunk,
  listStart,
  type NumberChunk,
} from '../pipeline/index.js';

/** 64 bits a row, in two halves. Rows that hold the same have the same; others almost surely not (not against an attacker). */
export class RowHashes {
  readonly low: Uint32Array;
  readonly high: Uint32Array;

  constructor(readonly length: number) {
    this.low = new Uint32Array(length);
    this.high = new Uint32Array(length);
  }

  /** Adds 32 bits to a row: a round of MurmurHash3 x86-128 (Appleby 2011) in each half, with that half's constants. */
  add(row: number, word: number): void {
    let k = Math.imul(word, 0x239b961b);
    k = Math.imul((k << 15) | (k >>> 17), 0xab0e9789);
    let h = this.low[row]! ^ k;
    h = (h << 19) | (h >>> 13);
    this.low[row] = Math.imul(h, 5) + 0x561ccd1b;
    k = Math.imul(word, 0x38b34ae5);
    k = Math.imul((k << 17) | (k >>> 15), 0xa1e38b93);
    h = this.high[row]! ^ k;
    h = (h << 15) | (h >>> 17);
    this.high[row] = Math.imul(h, 5) + 0x96cd1c35;
  }

  /** Adds the hash of something else. */
  addHash(row: number, { low, high }: RowHashes, at: number): void {
    this.add(row, low[at]!);
    this.add(row, high[at]!);
  }

  /** Spreads what was added over all bits. Ends the work: nothing can be added any more. */
  finish(): this {
    for (let row = 0; row < this.length; row++) {
      const low = mix(this.low[row]! + this.high[row]!);
      this.high[row] = mix(this.high[row]! + low);
      this.low[row] = low;
    }
    return this;
  }
}

/** MurmurHash3's 32-bit finalizer. */
export function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Hashes of the values of one column. */
export function hashColumn(chunk: ColumnChunk): RowHashes {
  const hashes = new RowHashes(chunk.length);
  addColumn(hashes, chunk);
  return hashes.finish();
}

/** Adds a column's values to the hashes of rows: a missing value is like no other, and 0 is like minus zero. */
export function addColumn(hashes: RowHashes, chunk: ColumnChunk): void {
  const add = valueAdder(hashes, chunk);
  for (let row = 0; row < chunk.length; row++) {
    const isPresent = isValid(chunk.validity, row);
    hashes.add(row, isPresent ? 1 : 0);
    if (isPresent) {
      add(row);
    }
  }
}

function valueAdder(hashes: RowHashes, chunk: ColumnChunk): (row: number) => void {
  switch (chunk.kind) {
    case 'number':
      return numberAdder(hashes, chunk);
    case 'boolean':
      return (row) => hashes.add(row, (chunk.bits[row >> 3]! >> (row & 7)) & 1);
    case 'text':
    case 'binary': {
      const { offsets, bytes } = chunk;
      return (row) => addBytes(hashes, row, bytes, Number(offsets[row]), Number(offsets[row + 1]));
    }
    case 'dictionary':
      return entryAdder(hashes, chunk);
    case 'time':
      return numberAdder(hashes, { ...chunk, kind: 'number', width: 1 });
    case 'opaque':
      return (row) => addBytes(hashes, row, chunk.bytes, row * chunk.width, (row + 1) * chunk.width);
    case 'list':
      return listAdder(hashes, chunk);
    case 'struct': {
      const fields = chunk.fields.map(hashColumn);
      return (row) => {
        for (const field of fields) {
          hashes.addHash(row, field, row);
        }
      };
    }
    case 'null':
      return () => undefined;
  }
}

function listAdder(hashes: RowHashes, chunk: ListChunk): (row: number) => void {
  const items = hashColumn(chunk.items);
  return (row) => {
    const [from, to] = [listStart(chunk, row), listStart(chunk, row + 1)];
    hashes.add(row, to - from);
    for (let item = from; item < to; item++) {
      hashes.addHash(row, items, item);
    }
  };
}

function numberAdder(hashes: RowHashes, { values, width }: NumberChunk): (row: number) => void {
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    return (row) => {
      for (let i = 2 * row * width; i < 2 * (row + 1) * width; i++) {
        hashes.add(row, words[i]!);
      }
    };
  }
  if (values.BYTES_PER_ELEMENT === 1 && width > 1) {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.length);
    return (row) => addBytes(hashes, row, bytes, row * width, (row + 1) * width);
  }
  const number = new Float64Array(1);
  const words = new Uint32Array(number.buffer);
  return (row) => {
    for (let i = row * width; i < (row + 1) * width; i++) {
      // Minus zero and zero make zero.
      number[0] = values[i]! + 0;
      hashes.add(row, words[0]!);
      hashes.add(row, words[1]!);
    }
  };
}

/** The length first: a text that ends in zeros is another than one without them. */
function addBytes(hashes: RowHashes, row: number, bytes: Uint8Array, from: number, to: number): void {
  hashes.add(row, to - from);
  let i = from;
  for (; i + 4 <= to; i += 4) {
    hashes.add(row, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
  }
  let rest = 0;
  for (let shift = 0; i < to; i++, shift += 8) {
    rest |= bytes[i]! << shift;
  }
  hashes.add(row, rest);
}

/** The batches of a table share their dictionaries. */
const hashedDictionaries = new WeakMap<DictionaryChunk['dictionary'], RowHashes>();

/** What an entry says counts, not where it stands. */
function entryAdder(hashes: RowHashes, { dictionary, indices }: DictionaryChunk): (row: number) => void {
  let entries = hashedDictionaries.get(dictionary);
  if (!entries) {
    entries = new RowHashes(dictionary.length);
    for (const [i, text] of dictionary.entries()) {
      const bytes = Buffer.from(text ?? '');
      addBytes(entries, i, bytes, 0, bytes.length);
    }
    hashedDictionaries.set(dictionary, entries);
  }
  const known = entries;
  return (row) => hashes.addHash(row, known, Number(indices[row]));
}
