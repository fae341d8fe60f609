import {
  type ColumnChunk,
  isValid,
  type NumberArray,
  type NumberType,
  numberArrays,
  type Validity,
} from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';

/** Gathers the values of a column into a chunk, one by one or by the array. */
export interface ColumnBuilder {
  readonly length: number;
  /** Bytes of text so far; 0 of a column whose values all have the same size. */
  readonly textBytes: number;
  /** @param value as JavaScript has it; null: missing */
  push(value: unknown): void;
  /** What was gathered. The builder must not be used again. */
  finish(): ColumnChunk;
}

/** Builds at most `capacity` rows. */
export function createBuilder(type: ColumnType, capacity: number): NumberBuilder | BooleanBuilder | TextBuilder {
  switch (type.kind) {
    case 'number':
      return new NumberBuilder(type.type, capacity);
    case 'list':
      return new NumberBuilder(type.type, capacity, type.width);
    case 'boolean':
      return new BooleanBuilder(capacity);
    case 'text':
      return new TextBuilder(capacity);
    default:
      throw new Error(`a column of kind ${type.kind} is not built row by row`);
  }
}

/** Which rows have a value, one bit each. */
class ValidityBuilder {
  readonly #bits: Uint8Array;
  #missing = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#bits = new Uint8Array(Math.ceil(capacity / 8)).fill(0xff);
  }

  push(valid: boolean): void {
    const row = this.#length++;
    if (!valid) {
      this.#bits[row >> 3]! &= ~(1 << (row & 7));
      this.#missing++;
    }
  }

  pushAll(validity: Validity, from: number, to: number): void {
    if (validity === null) {
      this.#length += to - from;
      return;
    }
    for (let row = from; row < to; row++) {
      this.push(isValid(validity, row));
    }
  }

  finish(): Validity {
    return this.#missing > 0 ? this.#bits.subarray(0, Math.ceil(this.#length / 8)) : null;
  }
}

/** Numbers, or lists of `width` numbers each. */
export class NumberBuilder implements ColumnBuilder {
  readonly #values: NumberArray;
  readonly #validity: ValidityBuilder;
  readonly textBytes = 0;
  length = 0;

  constructor(
    type: NumberType,
    capacity: number,
    private readonly width = 1,
  ) {
    this.#values = new numberArrays[type](capacity * width);
    this.#validity = new ValidityBuilder(capacity);
  }

  /** @param value a list where the column has lists */
  push(value: unknown): void {
    if (Array.isArray(value)) {
      this.#values.set(value as never, this.length * this.width);
    } else if (value !== null) {
      this.#values[this.length] = value as never;
    }
    this.#validity.push(value !== null);
    this.length++;
  }

  /** Takes the rows from .. to. @param values of the very type of the column */
  pushAll(values: NumberArray, validity: Validity, from: number, to: number): void {
    const { width } = this;
    this.#values.set(values.subarray(from * width, to * width) as never, this.length * width);
    this.#validity.pushAll(validity, from, to);
    this.length += to - from;
  }

  finish(): ColumnChunk {
    const { length, width } = this;
    const values = this.#values.subarray(0, length * width);
    return { kind: 'number', length, width, values, validity: this.#validity.finish() };
  }
}

export class BooleanBuilder implements ColumnBuilder {
  readonly #bits: Uint8Array;
  readonly #validity: ValidityBuilder;
  readonly textBytes = 0;
  length = 0;

  constructor(capacity: number) {
    this.#bits = new Uint8Array(Math.ceil(capacity / 8));
    this.#validity = new ValidityBuilder(capacity);
  }

  push(value: unknown): void {
    const row = this.length++;
    this.#bits[row >> 3]! |= (value ? 1 : 0) << (row & 7);
    this.#validity.push(value !== null);
  }

  finish(): ColumnChunk {
    const { length } = this;
    const bits = this.#bits.subarray(0, Math.ceil(length / 8));
    return { kind: 'boolean', length, bits, validity: this.#validity.finish() };
  }
}

export class TextBuilder implements ColumnBuilder {
  readonly #offsets: Int32Array;
  readonly #validity: ValidityBuilder;
  #bytes = Buffer.alloc(0);
  length = 0;

  constructor(capacity: number) {
    this.#offsets = new Int32Array(capacity + 1);
    this.#validity = new ValidityBuilder(capacity);
  }

  get textBytes(): number {
    return this.#offsets[this.length]!;
  }

  push(value: unknown): void {
    const text = value as string | null;
    const at = this.#reserve((text?.length ?? 0) * 3);
    this.#end(at + (text === null ? 0 : this.#bytes.write(text, at, 'utf8')), text !== null);
  }

  /** Takes source[from .. to] as a text. */
  pushBytes(source: Uint8Array, from: number, to: number): void {
    const at = this.#reserve(to - from);
    const target = this.#bytes;
    // Copying by hand is faster than a call for texts of a word or two.
    if (to - from <= 16) {
      for (let i = from; i < to; i++) {
        target[at + i - from] = source[i]!;
      }
    } else {
      target.set(source.subarray(from, to), at);
    }
    this.#end(at + to - from, true);
  }

  #end(offset: number, valid: boolean): void {
    this.#offsets[++this.length] = offset;
    this.#validity.push(valid);
  }

  /** Makes room; answers where the bytes go. */
  #reserve(size: number): number {
    const at = this.#offsets[this.length]!;
    if (at + size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(at + size, this.#bytes.length * 2, 64 * 1024));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }

  finish(): ColumnChunk {
    const { length } = this;
    const offsets = this.#offsets.subarray(0, length + 1);
    const bytes = this.#bytes.subarray(0, offsets[length]);
    return { kind: 'text', length, offsets, bytes, validity: this.#validity.finish() };
  }
}
