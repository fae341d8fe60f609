import {
  type ColumnChunk,
  isValid,
  type NumberArray,
  type NumberType,
  type TimeChunk,
  type Validity,
} from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';
import { GrowingArray } from './growing-array.js';

/** Gathers the values of a column, one by one, into a chunk. */
export interface ColumnBuilder {
  readonly length: number;
  /** Bytes so far of values that have no fixed size. */
  readonly textBytes: number;
  /** @param value as JavaScript has it; null: missing */
  push(value: unknown): void;
  /** What was gathered. The builder must not be used again. */
  finish(): ColumnChunk;
}

/** @param capacity rows that are expected; more may come */
export function createBuilder(type: ColumnType, capacity: number): ColumnBuilder {
  switch (type.kind) {
    case 'number':
      return new NumberBuilder(type.type, capacity);
    case 'list':
      return new NumberBuilder(type.type, capacity, type.width);
    case 'boolean':
      return new BooleanBuilder(capacity);
    case 'date':
    case 'timestamp':
      return new TimeBuilder(type.unit, capacity);
    case 'text':
    case 'binary':
      return new BytesBuilder(type.kind, capacity);
    default:
      throw new Error(`a column of kind ${type.kind} is not built value by value`);
  }
}

/** Which rows have a value, one bit each. */
export class ValidityBuilder {
  readonly #bits: GrowingArray;
  #missing = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#bits = new GrowingArray('uint8', Math.ceil(capacity / 8));
  }

  push(valid: boolean): void {
    const row = this.#length++;
    const bits = this.#bits.reserve((row >> 3) + 1) as Uint8Array;
    if (valid) {
      bits[row >> 3]! |= 1 << (row & 7);
    } else {
      this.#missing++;
    }
  }

  /** Takes the rows from .. to. */
  pushAll(validity: Validity, from: number, to: number): void {
    if (validity === null) {
      this.#pushValid(to - from);
      return;
    }
    for (let row = from; row < to; row++) {
      this.push(isValid(validity, row));
    }
  }

  /** By the byte, where whole ones are to be set. */
  #pushValid(count: number): void {
    const end = this.#length + count;
    while (this.#length < end && (this.#length & 7) !== 0) {
      this.push(true);
    }
    const bytes = (end - this.#length) >> 3;
    const first = this.#length >> 3;
    this.#bits.reserve(first + bytes).fill(0xff as never, first, first + bytes);
    this.#length += 8 * bytes;
    while (this.#length < end) {
      this.push(true);
    }
  }

  finish(): Validity {
    return this.#missing > 0 ? (this.#bits.array as Uint8Array).subarray(0, Math.ceil(this.#length / 8)) : null;
  }
}

/** Numbers, or lists of `width` numbers each. */
export class NumberBuilder implements ColumnBuilder {
  readonly #values: GrowingArray;
  readonly #validity: ValidityBuilder;
  readonly textBytes = 0;
  length = 0;

  constructor(
    type: NumberType,
    capacity: number,
    private readonly width = 1,
  ) {
    this.#values = new GrowingArray(type, capacity * width);
    this.#validity = new ValidityBuilder(capacity);
  }

  /** @param value a list where the column has lists */
  push(value: unknown): void {
    const row = this.length++;
    const values = this.#values.reserve(this.length * this.width);
    if (Array.isArray(value)) {
      values.set(value as never, row * this.width);
    } else if (value !== null) {
      values[row] = value as never;
    }
    this.#validity.push(value !== null);
  }

  /** Takes the rows from .. to. @param values of the very type of the column */
  pushAll(values: NumberArray, validity: Validity, from: number, to: number): void {
    const { width, length } = this;
    this.length += to - from;
    const target = this.#values.reserve(this.length * width);
    target.set(values.subarray(from * width, to * width) as never, length * width);
    this.#validity.pushAll(validity, from, to);
  }

  finish() {
    const { length, width } = this;
    const values = this.#values.array.subarray(0, length * width);
    return { kind: 'number' as const, length, width, values, validity: this.#validity.finish() };
  }
}

/** Points in time, counted as the column does. */
export class TimeBuilder implements ColumnBuilder {
  readonly #counts: NumberBuilder;
  readonly type: 'int32' | 'int64';
  readonly textBytes = 0;

  constructor(
    private readonly unit: TimeChunk['unit'],
    capacity: number,
  ) {
    this.type = unit === 'day' ? 'int32' : 'int64';
    this.#counts = new NumberBuilder(this.type, capacity);
  }

  get length(): number {
    return this.#counts.length;
  }

  push(value: unknown): void {
    this.#counts.push(value);
  }

  /** Takes the rows from .. to. @param values of `type` */
  pushAll(values: NumberArray, validity: Validity, from: number, to: number): void {
    this.#counts.pushAll(values, validity, from, to);
  }

  finish(): TimeChunk {
    const { length, values, validity } = this.#counts.finish();
    return { kind: 'time', length, unit: this.unit, values: values as Int32Array | BigInt64Array, validity };
  }
}

export class BooleanBuilder implements ColumnBuilder {
  readonly #bits: GrowingArray;
  readonly #validity: ValidityBuilder;
  readonly textBytes = 0;
  length = 0;

  constructor(capacity: number) {
    this.#bits = new GrowingArray('uint8', Math.ceil(capacity / 8));
    this.#validity = new ValidityBuilder(capacity);
  }

  push(value: unknown): void {
    const row = this.length++;
    const bits = this.#bits.reserve((row >> 3) + 1) as Uint8Array;
    bits[row >> 3]! |= (value ? 1 : 0) << (row & 7);
    this.#validity.push(value !== null);
  }

  finish(): ColumnChunk {
    const { length } = this;
    const bits = (this.#bits.array as Uint8Array).subarray(0, Math.ceil(length / 8));
    return { kind: 'boolean', length, bits, validity: this.#validity.finish() };
  }
}

/** Texts, or values of any bytes. */
export class BytesBuilder implements ColumnBuilder {
  readonly #offsets: GrowingArray;
  readonly #validity: ValidityBuilder;
  #bytes = Buffer.alloc(0);
  textBytes = 0;
  length = 0;

  constructor(
    private readonly kind: 'text' | 'binary',
    capacity: number,
  ) {
    this.#offsets = new GrowingArray('int32', capacity + 1);
    this.#validity = new ValidityBuilder(capacity);
  }

  push(value: unknown): void {
    if (value === null) {
      this.#end(0, false);
    } else if (typeof value === 'string') {
      this.#reserve(value.length * 3);
      this.#end(this.#bytes.write(value, this.textBytes, 'utf8'), true);
    } else {
      const bytes = value as Uint8Array;
      this.pushBytes(bytes, 0, bytes.length);
    }
  }

  /** Takes source[from .. to] as a value. */
  pushBytes(source: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    const target = this.#bytes;
    const at = this.textBytes;
    // Copying by hand is faster than a call for texts of a word or two.
    if (to - from <= 16) {
      for (let i = from; i < to; i++) {
        target[at + i - from] = source[i]!;
      }
    } else {
      target.set(source.subarray(from, to), at);
    }
    this.#end(to - from, true);
  }

  #end(size: number, valid: boolean): void {
    this.length++;
    this.textBytes += size;
    this.#offsets.reserve(this.length + 1)[this.length] = this.textBytes;
    this.#validity.push(valid);
  }

  #reserve(size: number): void {
    if (this.textBytes + size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.textBytes + size, this.#bytes.length * 2, 64 * 1024));
      larger.set(this.#bytes.subarray(0, this.textBytes));
      this.#bytes = larger;
    }
  }

  finish(): ColumnChunk {
    const { length, kind } = this;
    const offsets = (this.#offsets.array as Int32Array).subarray(0, length + 1);
    return { kind, length, offsets, bytes: this.#bytes.subarray(0, this.textBytes), validity: this.#validity.finish() };
  }
}
