import { type ColumnChunk, isValid, type ListChunk, listStart, type Validity } from '../pipeline/index.js';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import type { BatchHeader } from './arrow-message.js';
import { sliceChunk } from './chunk-slice.js';
import type { ColumnType } from './column.js';

type Metadata = typeof import('apache-arrow/ipc/metadata/message');

/** Loads the library with the first writer: a service at rest does without it. */
export async function createBatchWriter(): Promise<BatchWriter> {
  return new BatchWriter(await import('apache-arrow/ipc/metadata/message'));
}

/** A record batch's nodes and buffers, in the order of the format. */
export interface BatchParts {
  length: number;
  nodes: BatchHeader['nodes'];
  buffers: readonly Uint8Array[];
}

/** Makes record batches and dictionaries of columns without copying their values. */
export class BatchWriter {
  constructor(private readonly metadata: Metadata) {}

  batch(length: number, types: readonly ColumnType[], chunks: readonly ColumnChunk[]): EncodedMessage {
    const encoder = new ChunkEncoder();
    for (const [i, chunk] of chunks.entries()) {
      encoder.encode(types[i]!, chunk);
    }
    return this.write({ length, nodes: encoder.nodes, buffers: encoder.buffers });
  }

  dictionary(id: number, type: ColumnType, chunk: ColumnChunk): EncodedMessage {
    const encoder = new ChunkEncoder();
    encoder.encode(type, chunk);
    const parts = { length: chunk.length, nodes: encoder.nodes, buffers: encoder.buffers };
    return this.writeDictionary({ id, isDelta: false }, parts);
  }

  writeDictionary({ id, isDelta }: { id: number; isDelta: boolean }, parts: BatchParts): EncodedMessage {
    const { DictionaryBatch } = this.metadata;
    return this.#message(parts, (batch) => new DictionaryBatch(batch, id, isDelta));
  }

  write(parts: BatchParts): EncodedMessage {
    return this.#message(parts, (batch) => batch);
  }

  #message(
    { length, nodes, buffers }: BatchParts,
    toHeader: (
      batch: InstanceType<Metadata['RecordBatch']>,
    ) => InstanceType<Metadata['RecordBatch' | 'DictionaryBatch']>,
  ): EncodedMessage {
    const { BufferRegion, FieldNode, Message, RecordBatch } = this.metadata;
    const body: Uint8Array[] = [];
    let bodyBytes = 0;
    const regions = buffers.map((bytes) => {
      const region = new BufferRegion(bodyBytes, bytes.length);
      const padding = -bytes.length & 7;
      if (bytes.length > 0) {
        body.push(bytes);
      }
      if (padding > 0) {
        body.push(new Uint8Array(padding));
      }
      bodyBytes += bytes.length + padding;
      return region;
    });
    const fieldNodes = nodes.map((node) => new FieldNode(node.length, node.nullCount));
    const header = toHeader(new RecordBatch(length, fieldNodes, regions, null));
    return { header: Message.encode(Message.from(header, bodyBytes)), body, bodyBytes };
  }
}

class ChunkEncoder {
  readonly nodes: BatchHeader['nodes'] = [];
  readonly buffers: Uint8Array[] = [];

  encode(type: ColumnType, chunk: ColumnChunk): void {
    const { length } = chunk;
    if (chunk.kind === 'null') {
      this.nodes.push({ length, nullCount: length });
      return;
    }
    this.#begin(length, chunk.validity);
    switch (chunk.kind) {
      case 'number':
        if (type.kind === 'list') {
          this.#begin(length * chunk.width, null);
        }
        this.buffers.push(bytesOf(chunk.values));
        return;
      case 'boolean':
        this.buffers.push(chunk.bits.subarray(0, Math.ceil(length / 8)));
        return;
      case 'time':
        this.buffers.push(bytesOf(chunk.values));
        return;
      case 'opaque':
        this.buffers.push(chunk.bytes);
        return;
      case 'dictionary':
        this.buffers.push(bytesOf(chunk.indices));
        return;
      case 'text':
      case 'binary': {
        const { offsets, bytes } = chunk;
        if (type.kind !== 'binary' || type.width === null) {
          this.buffers.push(fromZero(offsets, isLarge(type)));
        }
        this.buffers.push(bytes.subarray(Number(offsets[0]), Number(offsets[length])));
        return;
      }
      case 'list':
        this.#encodeList(type as ColumnType & { kind: 'nested' }, chunk);
        return;
      case 'struct': {
        const { fields } = type as ColumnType & { kind: 'struct' };
        for (const [i, field] of chunk.fields.entries()) {
          this.encode(fields[i]!.type, field);
        }
      }
    }
  }

  #encodeList(type: ColumnType & { kind: 'nested' }, chunk: ListChunk): void {
    if (chunk.offsets) {
      this.buffers.push(fromZero(chunk.offsets, isLarge(type)));
    }
    const [from, to] = [listStart(chunk, 0), listStart(chunk, chunk.length)];
    const { items } = chunk;
    this.encode(type.item, from === 0 && to === items.length ? items : sliceChunk(items, from, to));
  }

  #begin(length: number, validity: Validity): void {
    this.nodes.push({ length, nullCount: countMissing(length, validity) });
    this.buffers.push(validity ? validity.subarray(0, Math.ceil(length / 8)) : new Uint8Array(0));
  }
}

function isLarge(type: ColumnType): boolean {
  return 'large' in type ? type.large : type.kind === 'nested' && type.form === 'LargeList';
}

/** Offsets that begin at 0, as some readers need them. */
function fromZero(offsets: Int32Array | BigInt64Array, large: boolean): Uint8Array {
  const first = Number(offsets[0]);
  if (first === 0 && large === offsets instanceof BigInt64Array) {
    return bytesOf(offsets);
  }
  const ArrayType = large ? BigInt64Array : Int32Array;
  const moved = new ArrayType(offsets.length);
  for (let i = 0; i < offsets.length; i++) {
    const offset = Number(offsets[i]) - first;
    moved[i] = large ? BigInt(offset) : offset;
  }
  return bytesOf(moved);
}

function countMissing(length: number, validity: Validity): number {
  let missing = 0;
  for (let row = 0; validity !== null && row < length; row++) {
    missing += isValid(validity, row) ? 0 : 1;
  }
  return missing;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
