import type { ColumnChunk } from '../pipeline/index.js';
import type { ColumnType } from './column.js';

/** Types that a column of a CSV file may get. */
export type BuiltType = 'int64' | 'float64' | 'text';

export function columnTypeOf(type: BuiltType): ColumnType {
  return type === 'text' ? { kind: 'text', large: false } : { kind: 'number', type };
}

/** Gathers values, one by one, into a chunk of at most `capacity` rows. */
export class ColumnBuilder {
  readonly #numbers: BigInt64Array | Float64Array;
  readonly #offsets: Int32Array;
  #bytes = Buffer.alloc(0);
  readonly #validity: Uint8Array;
  #missing = 0;
  length = 0;

  constructor(
    private readonly type: BuiltType,
    capacity: number,
  ) {
    this.#numbers =
      type === 'int64' ? new BigInt64Array(capacity) : new Float64Array(type === 'float64' ? capacity : 0);
    this.#offsets = new Int32Array(type === 'text' ? capacity + 1 : 1);
    this.#validity = new Uint8Array(Math.ceil(capacity / 8));
  }

  /** Bytes of text so far. */
  get textBytes(): number {
    return this.type === 'text' ? this.#offsets[this.length]! : 0;
  }

  push(value: unknown): void {
    const row = this.length++;
    if (this.type === 'text') {
      this.#pushText(row, value as string | null);
    }
    if (value === null) {
      this.#missing++;
      return;
    }
    this.#validity[row >> 3]! |= 1 << (row & 7);
    if (this.type !== 'text') {
      this.#numbers[row] = value as never;
    }
  }

  #pushText(row: number, text: string | null): void {
    const at = this.#offsets[row]!;
    const needed = at + (text?.length ?? 0) * 3;
    if (needed > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#bytes.length * 2, 64 * 1024));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    this.#offsets[row + 1] = at + (text === null ? 0 : this.#bytes.write(text, at, 'utf8'));
  }

  /** What was gathered. The builder must not be used again. */
  finish(): ColumnChunk {
    const { length } = this;
    const validity = this.#missing > 0 ? this.#validity.subarray(0, Math.ceil(length / 8)) : null;
    if (this.type === 'text') {
      const offsets = this.#offsets.subarray(0, length + 1);
      return { kind: 'text', length, offsets, bytes: this.#bytes.subarray(0, offsets[length]), validity };
    }
    return { kind: 'number', length, width: 1, values: this.#numbers.subarray(0, length), validity };
  }
}
