import type { DataType } from 'apache-arrow';
import type { ColumnChunk } from '../pipeline/index.js';
import { type Arrow, createMessageWriter, type EncodedMessage } from '../platform/arrow-messages.js';
import { type BatchWriter, createBatchWriter } from './batch-writer.js';
import { type Column, type ColumnType, shapeKey } from './column.js';

/** Turns chunks into Arrow messages. The library is loaded with the first encoder: a service at rest does without it. */
export async function createArrowEncoder(columns: readonly Column[]): Promise<ArrowEncoder> {
  return new ArrowEncoder(await import('apache-arrow'), await createBatchWriter(), columns);
}

export class ArrowEncoder {
  readonly #types: ColumnType[];
  /** As they were sent last, by id. */
  readonly #dictionaries = new Map<number, readonly (string | null)[]>();

  constructor(
    private readonly arrow: Arrow,
    private readonly writer: BatchWriter,
    private readonly columns: readonly Column[],
  ) {
    this.#types = columns.map(({ type }) => type);
  }

  schema(): EncodedMessage {
    const { arrow, columns } = this;
    const fields = columns.map(({ name, type, shape }) => {
      const metadata = new Map(shape.length > 0 ? [[shapeKey, shape.join(',')]] : []);
      return new arrow.Field(name, toArrowType(arrow, type), true, metadata);
    });
    const writer = createMessageWriter(arrow);
    writer.schema(new arrow.Schema(fields));
    return writer.take()[0]!;
  }

  /** A record batch; new dictionaries come before it. */
  batch(length: number, chunks: readonly ColumnChunk[]): EncodedMessage[] {
    const messages: EncodedMessage[] = [];
    for (const [i, chunk] of chunks.entries()) {
      const type = this.#types[i]!;
      // The same dictionary must stay the same object, or it is sent again with each batch.
      if (
        type.kind === 'dictionary' &&
        chunk.kind === 'dictionary' &&
        this.#dictionaries.get(type.id) !== chunk.dictionary
      ) {
        this.#dictionaries.set(type.id, chunk.dictionary);
        const entries = { kind: 'text', large: type.large } as const;
        messages.push(this.writer.dictionary(type.id, entries, textChunk(chunk.dictionary)));
      }
    }
    messages.push(this.writer.batch(length, this.#types, chunks));
    return messages;
  }
}

function textChunk(texts: readonly (string | null)[]): ColumnChunk {
  const bytes = texts.map((text) => Buffer.from(text ?? ''));
  const offsets = new Int32Array(texts.length + 1);
  for (const [i, { length }] of bytes.entries()) {
    offsets[i + 1] = offsets[i]! + length;
  }
  return { kind: 'text', length: texts.length, offsets, bytes: Buffer.concat(bytes), validity: null };
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
      return new arrow.Dictionary(
        type.large ? new arrow.LargeUtf8() : new arrow.Utf8(),
        new arrow[numberNames[type.index as 'int32']](),
        type.id,
      );
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
