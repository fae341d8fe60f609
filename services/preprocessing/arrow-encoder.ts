import type { Data, DataType, Schema } from 'apache-arrow';
import type { ColumnChunk } from '../pipeline/index.js';
import {
  type Arrow,
  createMessageWriter,
  type EncodedMessage,
  type MessageWriter,
} from '../platform/arrow-messages.js';
import { type Column, type ColumnType, shapeKey } from './column.js';

/** Turns chunks into Arrow messages. The library is loaded with the first encoder: a service at rest does without it. */
export async function createArrowEncoder(columns: readonly Column[]): Promise<ArrowEncoder> {
  return new ArrowEncoder(await import('apache-arrow'), columns);
}

export class ArrowEncoder {
  readonly #schema: Schema;
  readonly #types: DataType[];
  readonly #writer: MessageWriter;
  readonly #dictionaries = new Map<number, Data>();

  constructor(
    private readonly arrow: Arrow,
    columns: readonly Column[],
  ) {
    this.#types = columns.map(({ type }) => toArrowType(arrow, type));
    this.#schema = new arrow.Schema(
      columns.map(({ name, shape }, i) => {
        const metadata = new Map(shape.length > 0 ? [[shapeKey, shape.join(',')]] : []);
        return new arrow.Field(name, this.#types[i]!, true, metadata);
      }),
    );
    this.#writer = createMessageWriter(arrow);
  }

  schema(): EncodedMessage {
    this.#writer.schema(this.#schema);
    return this.#writer.take()[0]!;
  }

  /** A record batch; new dictionaries come before it. */
  batch(length: number, chunks: readonly ColumnChunk[]): EncodedMessage[] {
    const { arrow } = this;
    const children = chunks.map((chunk, i) => this.#toData(chunk, this.#types[i]!));
    const data = arrow.makeData({ type: new arrow.Struct(this.#schema.fields), length, children });
    this.#writer.write(new arrow.RecordBatch(this.#schema, data));
    return this.#writer.take();
  }

  #toData(chunk: ColumnChunk, type: DataType): Data {
    const { arrow } = this;
    const { length } = chunk;
    const nullBitmap = chunk.validity ?? undefined;
    // The library's overloads do not follow a type that is known at run time only.
    const make = arrow.makeData as (props: object) => Data;
    switch (chunk.kind) {
      case 'boolean':
        return make({ type, length, nullBitmap, data: chunk.bits });
      case 'null':
        return make({ type, length });
      case 'time':
        return make({ type, length, nullBitmap, data: chunk.values });
      case 'opaque':
        // The library holds a decimal in 32-bit words.
        return make({ type, length, nullBitmap, data: new Uint32Array(chunk.bytes.slice().buffer) });
      case 'binary': {
        const { offsets, bytes } = chunk;
        const from = Number(offsets[0]);
        return arrow.DataType.isFixedSizeBinary(type)
          ? make({ type, length, nullBitmap, data: bytes.subarray(from, Number(offsets[length])) })
          : make({ type, length, nullBitmap, valueOffsets: offsets, data: bytes });
      }
      case 'list': {
        const child = this.#toData(chunk.items, childTypes(type)[0]!);
        return chunk.offsets
          ? make({ type, length, nullBitmap, valueOffsets: chunk.offsets, child })
          : make({ type, length, nullBitmap, child });
      }
      case 'struct': {
        const types = childTypes(type);
        return make({
          type,
          length,
          nullBitmap,
          children: chunk.fields.map((field, i) => this.#toData(field, types[i]!)),
        });
      }
      case 'text':
        return make({ type, length, nullBitmap, valueOffsets: chunk.offsets, data: chunk.bytes });
      case 'dictionary':
        return make({
          type,
          length,
          nullBitmap,
          data: chunk.indices,
          dictionary: this.#dictionaryOf(chunk.dictionary, type),
        });
      case 'number': {
        if (chunk.width === 1 && !arrow.DataType.isFixedSizeList(type)) {
          return make({ type, length, nullBitmap, data: chunk.values });
        }
        const child = make({ type: childTypes(type)[0]!, length: length * chunk.width, data: chunk.values });
        return make({ type, length, nullBitmap, child });
      }
    }
  }

  /** The same dictionary must stay the same object, or it is sent again with each batch. */
  #dictionaryOf(values: readonly (string | null)[], type: DataType): object {
    const { id } = type as DataType & { id: number };
    let data = this.#dictionaries.get(id);
    if (!data) {
      data = this.arrow.vectorFromArray(values as (string | null)[], new this.arrow.Utf8()).data[0]!;
      this.#dictionaries.set(id, data);
    }
    return new this.arrow.Vector([data]);
  }
}

function childTypes(type: DataType): DataType[] {
  return (type as DataType & { children: { type: DataType }[] }).children.map((child) => child.type);
}

function toArrowType(arrow: Arrow, type: ColumnType): DataType {
  switch (type.kind) {
    case 'number':
      return new arrow[numberNames[type.type]]();
    case 'boolean':
      return new arrow.Bool();
    case 'text':
      return type.large ? new arrow.LargeUtf8() : new arrow.Utf8();
    case 'dictionary':
      return new arrow.Dictionary(new arrow.Utf8(), new arrow[numberNames[type.index as 'int32']](), type.id);
    case 'list':
      return new arrow.FixedSizeList(type.width, new arrow.Field('item', new arrow[numberNames[type.type]](), true));
    case 'binary':
      return type.width === null
        ? type.large
          ? new arrow.LargeBinary()
          : new arrow.Binary()
        : new arrow.FixedSizeBinary(type.width);
    case 'date':
      return type.unit === 'day' ? new arrow.DateDay() : new arrow.DateMillisecond();
    case 'timestamp':
      return new arrow.Timestamp(arrow.TimeUnit[timeUnits[type.unit]], type.timezone || null);
    case 'decimal':
      return new arrow.Decimal(type.scale, type.precision, 128);
    case 'null':
      return new arrow.Null();
    case 'nested': {
      const item = new arrow.Field('item', toArrowType(arrow, type.item), true);
      return type.width === null ? new arrow[type.form as 'List'](item) : new arrow.FixedSizeList(type.width, item);
    }
    case 'struct':
      return new arrow.Struct(
        type.fields.map((field) => new arrow.Field(field.name, toArrowType(arrow, field.type), true)),
      );
  }
}

const timeUnits = {
  second: 'SECOND',
  millisecond: 'MILLISECOND',
  microsecond: 'MICROSECOND',
  nanosecond: 'NANOSECOND',
} as const;

const numberNames = {
  int8: 'Int8',
  int16: 'Int16',
  int32: 'Int32',
  int64: 'Int64',
  uint8: 'Uint8',
  uint16: 'Uint16',
  uint32: 'Uint32',
  uint64: 'Uint64',
  float32: 'Float32',
  float64: 'Float64',
} as const;
