import duckdb from '@duckdb/node-bindings';
import { type ColumnChunk, isValid, type NumberArray, type NumberType, numberArrays } from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';
import { BooleanBuilder, BytesBuilder, NumberBuilder, TimeBuilder, ValidityBuilder } from './column-builder.js';
import { type DuckDbVector, inlineBytesMax, listEntries, textBytes, textLengths } from './duckdb-vector.js';
import { GrowingArray } from './growing-array.js';

/** Gathers rows of DuckDB's vectors into a chunk. */
export interface VectorBuilder {
  append(vector: DuckDbVector, from: number, to: number): void;
  /** What was gathered. The builder must not be used again. */
  finish(): ColumnChunk;
}

/** @param capacity rows that are expected; more may come */
export function createVectorBuilder(type: ColumnType, capacity: number): VectorBuilder {
  switch (type.kind) {
    case 'number':
      return new NumberVectors(type.type, new NumberBuilder(type.type, capacity));
    case 'list':
      return new NumberVectors(type.type, new NumberBuilder(type.type, capacity, type.width));
    case 'date':
      return new TimeVectors(new TimeBuilder('day', capacity));
    case 'timestamp':
      return new TimeVectors(new TimeBuilder(type.unit, capacity));
    case 'decimal':
      return new DecimalVectors(capacity);
    case 'boolean':
      return new BooleanVectors(capacity);
    case 'text':
    case 'binary':
      return new BytesVectors(new BytesBuilder(type.kind, capacity));
    case 'nested':
      return new ListVectors(type.width, createVectorBuilder(type.item, capacity), capacity);
    case 'struct':
      return new StructVectors(
        type.fields.map((field) => createVectorBuilder(field.type, capacity)),
        capacity,
      );
    default:
      throw new Error(`a column of kind ${type.kind} is not read by DuckDB`);
  }
}

/** The numbers of a vector; of lists of numbers, those in them. */
function numbersOf({ data, children }: DuckDbVector, type: NumberType): NumberArray {
  const { buffer, byteOffset, byteLength } = children[0]?.data ?? data;
  const ArrayType = numberArrays[type];
  return new ArrayType(buffer as ArrayBuffer, byteOffset, byteLength / ArrayType.BYTES_PER_ELEMENT);
}

class NumberVectors implements VectorBuilder {
  constructor(
    private readonly type: NumberType,
    private readonly builder: NumberBuilder,
  ) {}

  append(vector: DuckDbVector, from: number, to: number): void {
    this.builder.pushAll(numbersOf(vector, this.type), vector.validity, from, to);
  }

  finish(): ColumnChunk {
    return this.builder.finish();
  }
}

class TimeVectors implements VectorBuilder {
  constructor(private readonly builder: TimeBuilder) {}

  append(vector: DuckDbVector, from: number, to: number): void {
    this.builder.pushAll(numbersOf(vector, this.builder.type), vector.validity, from, to);
  }

  finish(): ColumnChunk {
    return this.builder.finish();
  }
}

/** DuckDB has a decimal in as few bytes as its precision needs, Arrow always in 16. */
class DecimalVectors implements VectorBuilder {
  readonly #words: NumberBuilder;
  readonly #validity: ValidityBuilder;

  constructor(capacity: number) {
    this.#words = new NumberBuilder('int64', capacity, 2);
    this.#validity = new ValidityBuilder(capacity);
  }

  append(vector: DuckDbVector, from: number, to: number): void {
    const bytes = vector.data.byteLength / vector.rowCount;
    const view = new DataView(vector.data.buffer, vector.data.byteOffset, vector.data.byteLength);
    for (let row = from; row < to; row++) {
      this.#words.push(wordsOf(view, row * bytes, bytes));
    }
    this.#validity.pushAll(vector.validity, from, to);
  }

  finish(): ColumnChunk {
    const { length, values } = this.#words.finish();
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return { kind: 'opaque', length, width: 16, bytes, validity: this.#validity.finish() };
  }
}

/** Low and high half of 128 bits. */
function wordsOf(view: DataView, at: number, bytes: number): [bigint, bigint] {
  if (bytes === 16) {
    return [view.getBigInt64(at, true), view.getBigInt64(at + 8, true)];
  }
  const value =
    bytes === 8 ? view.getBigInt64(at, true) : BigInt(bytes === 4 ? view.getInt32(at, true) : view.getInt16(at, true));
  return [value, value < 0n ? -1n : 0n];
}

class BooleanVectors implements VectorBuilder {
  readonly #builder: BooleanBuilder;

  constructor(capacity: number) {
    this.#builder = new BooleanBuilder(capacity);
  }

  append({ data, validity }: DuckDbVector, from: number, to: number): void {
    for (let row = from; row < to; row++) {
      this.#builder.push(isValid(validity, row) ? data[row] !== 0 : null);
    }
  }

  finish(): ColumnChunk {
    return this.#builder.finish();
  }
}

class BytesVectors implements VectorBuilder {
  constructor(private readonly builder: BytesBuilder) {}

  append(vector: DuckDbVector, from: number, to: number): void {
    const { data, validity } = vector;
    const lengths = textLengths(vector);
    for (let row = from; row < to; row++) {
      const length = lengths[4 * row]!;
      if (!isValid(validity, row)) {
        this.builder.push(null);
      } else if (length <= inlineBytesMax) {
        const start = row * textBytes + 4;
        this.builder.pushBytes(data, start, start + length);
      } else {
        const pointer = data.byteOffset + row * textBytes + 8;
        this.builder.pushBytes(duckdb.get_data_from_pointer(data.buffer as ArrayBuffer, pointer, length), 0, length);
      }
    }
  }

  finish(): ColumnChunk {
    return this.builder.finish();
  }
}

class ListVectors implements VectorBuilder {
  readonly #offsets: GrowingArray;
  readonly #validity: ValidityBuilder;
  #length = 0;

  /** @param width of lists that all have the same; else null */
  constructor(
    private readonly width: number | null,
    private readonly items: VectorBuilder,
    capacity: number,
  ) {
    this.#offsets = new GrowingArray('int32', width === null ? capacity + 1 : 0);
    this.#validity = new ValidityBuilder(capacity);
  }

  append(vector: DuckDbVector, from: number, to: number): void {
    const { width, items } = this;
    const [child] = vector.children as [DuckDbVector];
    this.#validity.pushAll(vector.validity, from, to);
    if (width !== null) {
      items.append(child, from * width, to * width);
      this.#length += to - from;
      return;
    }
    const entries = listEntries(vector);
    // Lists mostly lie one after the other: their items are taken together.
    let [runFrom, runTo] = [0, 0];
    for (let row = from; row < to; row++) {
      const offset = Number(entries[2 * row]);
      const count = isValid(vector.validity, row) ? Number(entries[2 * row + 1]) : 0;
      if (count > 0 && offset !== runTo) {
        items.append(child, runFrom, runTo);
        runFrom = offset;
      }
      runTo = count > 0 ? offset + count : runTo;
      const offsets = this.#offsets.reserve(this.#length + 2);
      offsets[this.#length + 1] = Number(offsets[this.#length]) + count;
      this.#length++;
    }
    items.append(child, runFrom, runTo);
  }

  finish(): ColumnChunk {
    const { width } = this;
    const offsets = width === null ? (this.#offsets.array as Int32Array).subarray(0, this.#length + 1) : null;
    return {
      kind: 'list',
      length: this.#length,
      offsets,
      width: width ?? 0,
      items: this.items.finish(),
      validity: this.#validity.finish(),
    };
  }
}

class StructVectors implements VectorBuilder {
  readonly #validity: ValidityBuilder;
  #length = 0;

  constructor(
    private readonly fields: VectorBuilder[],
    capacity: number,
  ) {
    this.#validity = new ValidityBuilder(capacity);
  }

  append({ children, validity }: DuckDbVector, from: number, to: number): void {
    for (const [i, field] of this.fields.entries()) {
      field.append(children[i]!, from, to);
    }
    this.#validity.pushAll(validity, from, to);
    this.#length += to - from;
  }

  finish(): ColumnChunk {
    const fields = this.fields.map((field) => field.finish());
    return { kind: 'struct', length: this.#length, fields, validity: this.#validity.finish() };
  }
}
