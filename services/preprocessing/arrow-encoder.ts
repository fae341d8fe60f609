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
        const item = (type as { children: { type: DataType }[] } & DataType).children[0]!.type;
        const child = make({ type: item, length: length * chunk.width, data: chunk.values });
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
  }
}

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
