import type { Schema } from 'apache-arrow';
// These two parts load in less than half the time of the whole package, which every start of the service would wait for.
import { Message } from 'apache-arrow/ipc/metadata/message';
import { DataType } from 'apache-arrow/type';
import { ServiceError } from '../platform/errors.js';

/** What a table of prepared tensors must be. */
export interface TensorShape {
  rows: number;
  featureCount: number;
  featureType: 'uint8' | 'float32';
  targetType: 'int32' | 'float32';
  /** Numbers in a list; null: a number by itself. */
  targetWidth: number | null;
  /** Whether rows have weights. */
  hasWeights: boolean;
}

/** A split as the engine takes it: row-major [rows, featureCount], one target a row or [rows, targetWidth], and perhaps weights [rows]. */
export interface Tensors {
  rows: number;
  features: Uint8Array | Float32Array;
  targets: Int32Array | Float32Array;
  weights?: Float32Array;
}

/** Where one column's values go. */
interface Sink {
  /** View on the whole destination. */
  bytes: Uint8Array;
  bytesPerRow: number;
  valuesPerRow: number;
  /** Arrow field nodes and buffers of the column: a fixed-size list has its own and its child's. */
  isList: boolean;
}

const arrays = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };
const bodyAlignment = 8;

/**
 * Collects the record batches of a table into two arrays that are made once. A batch's buffers are copied whole, so the cost
 * is that of the copy; nothing is made for a row or a value.
 */
export class TensorDecoder {
  readonly #tensors: Tensors;
  #sinks: Sink[] | null = null;
  #rowsDone = 0;

  constructor(private readonly shape: TensorShape) {
    this.#tensors = {
      rows: shape.rows,
      features: new arrays[shape.featureType](shape.rows * shape.featureCount),
      targets: new arrays[shape.targetType](shape.rows * (shape.targetWidth ?? 1)),
      ...(shape.hasWeights ? { weights: new Float32Array(shape.rows) } : {}),
    };
  }

  /** Takes one message: `header` is the bare flatbuffer, `body` the buffers it speaks of. */
  push(header: Uint8Array, body: Uint8Array): void {
    const message = decodeMessage(header);
    if (message.isSchema()) {
      this.#sinks = this.#checkSchema(message.header());
    } else if (message.isRecordBatch()) {
      this.#pushBatch(message.header() as RecordBatchHeader, body);
    } else {
      throw malformed('a schema or record batch', 'another kind of message');
    }
  }

  /** The whole table. Refused when rows are missing. */
  finish(): Tensors {
    if (this.#rowsDone !== this.shape.rows) {
      throw malformed(`${this.shape.rows} rows`, `${this.#rowsDone}`);
    }
    return this.#tensors;
  }

  #checkSchema(schema: Schema): Sink[] {
    const { featureCount, featureType, targetType, targetWidth, hasWeights } = this.shape;
    const target = typeNames[targetType];
    const expected = new Map<string, string>([
      ['features', `FixedSizeList[${featureCount}]<${typeNames[featureType]}>`],
      ['label', targetWidth === null ? target : `FixedSizeList[${targetWidth}]<${target}>`],
      ...(hasWeights ? ([['weight', typeNames.float32]] as const) : []),
    ]);
    const given = schema.fields.map(({ name, type }) => `${name} ${type}`);
    const isExpected = schema.fields.every(({ name, type }) => expected.get(name) === String(type));
    if (schema.fields.length !== expected.size || new Set(given).size !== expected.size || !isExpected) {
      const columns = [...expected].map(([name, type]) => `${name} ${type}`);
      throw malformed(`the columns ${columns.join(' and ')}`, given.join(', '));
    }
    return schema.fields.map(({ name, type }) => this.#sinkOf(name, DataType.isFixedSizeList(type)));
  }

  #sinkOf(name: string, isList: boolean): Sink {
    const { features, targets, weights } = this.#tensors;
    const target = name === 'features' ? features : name === 'weight' ? weights! : targets;
    const valuesPerRow = this.shape.rows === 0 ? 0 : target.length / this.shape.rows;
    return {
      bytes: new Uint8Array(target.buffer),
      bytesPerRow: valuesPerRow * target.BYTES_PER_ELEMENT,
      valuesPerRow,
      isList,
    };
  }

  #pushBatch(batch: RecordBatchHeader, body: Uint8Array): void {
    if (!this.#sinks) {
      throw malformed('a schema first', 'a record batch');
    }
    if (batch.compression) {
      throw malformed('buffers without compression', 'compressed ones');
    }
    if (this.#rowsDone + batch.length > this.shape.rows) {
      throw malformed(`${this.shape.rows} rows`, 'more');
    }
    let node = 0;
    let buffer = 0;
    for (const sink of this.#sinks) {
      const nodes = batch.nodes.slice(node, node + (sink.isList ? 2 : 1));
      node += nodes.length;
      // Each node has a validity buffer; the values are the last one.
      buffer += nodes.length + 1;
      if (nodes.length === 0 || nodes.some(({ nullCount }) => nullCount !== 0)) {
        throw malformed('values without nulls', 'nulls');
      }
      if (nodes.at(-1)!.length !== batch.length * sink.valuesPerRow) {
        throw malformed(`${batch.length * sink.valuesPerRow} values in a batch`, `${nodes.at(-1)!.length}`);
      }
      const sizeBytes = batch.length * sink.bytesPerRow;
      sink.bytes.set(slice(body, batch.buffers[buffer - 1], sizeBytes), this.#rowsDone * sink.bytesPerRow);
    }
    this.#rowsDone += batch.length;
  }
}

const typeNames = { uint8: 'Uint8', int32: 'Int32', float32: 'Float32' };

/** What a record batch's header says; Arrow's own type is private to that package. */
interface RecordBatchHeader {
  length: number;
  nodes: { length: number; nullCount: number }[];
  buffers: { offset: number; length: number }[];
  compression: object | null;
}

function decodeMessage(header: Uint8Array): Message {
  try {
    return Message.decode(header);
  } catch (error) {
    throw malformed('an Arrow message', `bytes that are none: ${(error as Error).message}`);
  }
}

function slice(
  body: Uint8Array,
  region: RecordBatchHeader['buffers'][number] | undefined,
  sizeBytes: number,
): Uint8Array {
  if (!region || region.length < sizeBytes || region.offset % bodyAlignment !== 0) {
    throw malformed(`a buffer of ${sizeBytes} bytes`, JSON.stringify(region ?? null));
  }
  const bytes = body.subarray(region.offset, region.offset + sizeBytes);
  if (bytes.length < sizeBytes) {
    throw malformed(`a buffer of ${sizeBytes} bytes`, `${bytes.length}`);
  }
  return bytes;
}

function malformed(expected: string, received: string): ServiceError {
  const message = `Expected preprocessing to send ${expected} but received ${received}.`;
  return new ServiceError('DATA_LOSS', 'TENSORS_MALFORMED', message);
}
