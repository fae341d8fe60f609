import {
  type BinaryChunk,
  type ColumnChunk,
  type DictionaryChunk,
  everyRow,
  isValid,
  type TextChunk,
} from '../../pipeline/index.js';
import { clip } from '../../platform/errors.js';
import { hashColumn, type RowHashes } from '../row-hash.js';
import type { ColumnStatistics, ColumnTally } from './column-statistics.js';
import { mostFrequent, Recount } from './top-values.js';
import { type CountedValue, ValueCounts } from './value-counts.js';

/** Letters of a value that are shown. */
const shownMax = 100;
/** Bytes that surely hold so many letters. */
const shownBytes = 4 * shownMax + 4;

type TextualChunk = TextChunk | DictionaryChunk | BinaryChunk;

/** Gathers texts and bytes. */
export class TextTally implements ColumnTally {
  readonly counts = new ValueCounts();
  readonly #lengths = new Lengths();

  add(chunk: ColumnChunk): void {
    const texts = chunk as TextualChunk;
    const hashes = hashColumn(chunk);
    const shown = shownText(texts);
    const lengthOf = lengthReader(texts);
    for (let row = 0; row < texts.length; row++) {
      if (isValid(texts.validity, row)) {
        this.counts.add(hashes.low[row]!, hashes.high[row]!, 1, shown, row);
        this.#lengths.add(lengthOf(row));
      }
    }
  }

  async finish(again: () => AsyncIterable<ColumnChunk>): Promise<Partial<ColumnStatistics>> {
    const values = this.counts.isExact ? [...this.counts.values()] : await this.#recount(again);
    const topValues = mostFrequent(values).map(({ text, count }) => ({ value: text!, count }));
    return { lengths: this.#lengths.statistics(), topValues };
  }

  async #recount(again: () => AsyncIterable<ColumnChunk>): Promise<CountedValue[]> {
    const recount = new Recount(this.counts);
    for await (const chunk of again()) {
      const rows = presentRows(chunk);
      const shown = shownText(chunk as TextualChunk);
      recount.add(presentHashes(chunk), (i) => shown(rows ? rows[i]! : i));
    }
    return recount.values();
  }
}

/** Gathers values that are only told apart: decimals, lists and records. */
export class HashTally implements ColumnTally {
  readonly counts = new ValueCounts();

  add(chunk: ColumnChunk): void {
    const { low, high } = presentHashes(chunk);
    for (let i = 0; i < low.length; i++) {
      this.counts.add(low[i]!, high[i]!, 1);
    }
  }

  async finish(): Promise<Partial<ColumnStatistics>> {
    return {};
  }
}

/** Rows with a value; null: all. */
function presentRows({ length, validity }: ColumnChunk): Int32Array | null {
  return validity && everyRow(length).filter((row) => isValid(validity, row));
}

function presentHashes(chunk: ColumnChunk): Pick<RowHashes, 'low' | 'high'> {
  const { low, high } = hashColumn(chunk);
  const rows = presentRows(chunk);
  return rows
    ? { low: Uint32Array.from(rows, (row) => low[row]!), high: Uint32Array.from(rows, (row) => high[row]!) }
    : { low, high };
}

/** What is shown of a value: a text's first letters, the first bytes of others in hexadecimal. */
function shownText(chunk: TextualChunk): (row: number) => string {
  if (chunk.kind === 'dictionary') {
    return (row) => clip(chunk.dictionary[Number(chunk.indices[row])]!, shownMax);
  }
  const bytes = Buffer.from(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
  const encoding = chunk.kind === 'text' ? 'utf8' : 'hex';
  return (row) => {
    const from = Number(chunk.offsets[row]);
    const to = Math.min(Number(chunk.offsets[row + 1]), from + shownBytes);
    const text = bytes.toString(encoding, from, to);
    return text.length > shownMax ? clip(text, shownMax) : text;
  };
}

/** Characters of a text: its bytes but for those that continue one. Of other values the bytes. */
function lengthReader(chunk: TextualChunk): (row: number) => number {
  if (chunk.kind === 'dictionary') {
    const lengths = chunk.dictionary.map((text) => charactersOf(Buffer.from(text ?? ''), 0));
    return (row) => lengths[Number(chunk.indices[row])]!;
  }
  const { offsets, bytes, kind } = chunk;
  return (row) => {
    const [from, to] = [Number(offsets[row]), Number(offsets[row + 1])];
    return kind === 'text' ? charactersOf(bytes, from, to) : to - from;
  };
}

function charactersOf(bytes: Uint8Array, from: number, to = bytes.length): number {
  let count = 0;
  for (let i = from; i < to; i++) {
    count += (bytes[i]! & 0xc0) !== 0x80 ? 1 : 0;
  }
  return count;
}

class Lengths {
  #minimum = Number.POSITIVE_INFINITY;
  #maximum = 0;
  #sum = 0;
  #count = 0;

  add(length: number): void {
    this.#minimum = Math.min(this.#minimum, length);
    this.#maximum = Math.max(this.#maximum, length);
    this.#sum += length;
    this.#count++;
  }

  statistics() {
    return this.#count === 0 ? null : { minimum: this.#minimum, maximum: this.#maximum, mean: this.#sum / this.#count };
  }
}
