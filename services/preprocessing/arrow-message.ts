import { decodeSchema } from './arrow-schema.js';
import type { Column } from './column.js';
import { FlatbufferError, FlatTable } from './flatbuffer.js';
import { malformedArrow } from './malformed-arrow.js';

/** What stands in the flatbuffer before a record batch's buffers. */
export interface BatchHeader {
  length: number;
  nodes: { length: number; nullCount: number }[];
  /** Within the body. */
  buffers: Region[];
  /** Of the buffers; null: they are as they are. */
  compression: Compression | null;
}

export type Compression = 'lz4' | 'zstd';

export interface Region {
  offset: number;
  length: number;
}

/** One message of Arrow's interprocess format. */
export type ArrowMessage =
  | { kind: 'schema'; columns: Column[] }
  | { kind: 'batch'; batch: BatchHeader; bodyBytes: number }
  | { kind: 'dictionary'; id: number; isDelta: boolean; batch: BatchHeader; bodyBytes: number };

/** Reads a bare flatbuffer `Message`. Whatever the bytes are, the answer is a message or a refusal. */
export function decodeMessage(header: Uint8Array): ArrowMessage {
  try {
    return decode(FlatTable.root(header));
  } catch (error) {
    throw error instanceof FlatbufferError ? malformedArrow(`in a message's header ${error.message}`, error) : error;
  }
}

function decode(message: FlatTable): ArrowMessage {
  const kind = message.byte(1);
  const header = message.table(2);
  const bodyBytes = message.int64(3);
  if (!header || bodyBytes < 0) {
    throw new FlatbufferError('the kind of message or the length of its body is missing');
  }
  switch (kind) {
    case 1:
      return { kind: 'schema', columns: decodeSchema(header) };
    case 2: {
      const batch = header.table(1);
      if (!batch) {
        throw new FlatbufferError('a dictionary has no values');
      }
      return {
        kind: 'dictionary',
        id: header.int64(0),
        isDelta: header.byte(2) !== 0,
        batch: decodeBatchHeader(batch),
        bodyBytes,
      };
    }
    case 3:
      return { kind: 'batch', batch: decodeBatchHeader(header), bodyBytes };
    default:
      throw new FlatbufferError(
        `a message of kind ${kind} stands, which is neither schema, dictionary nor record batch`,
      );
  }
}

function decodeBatchHeader(table: FlatTable): BatchHeader {
  const length = table.int64(0);
  if (length < 0 || length > 0x7fff_ffff) {
    throw new FlatbufferError(`a batch has ${length} rows`);
  }
  return {
    length,
    nodes: table.pairs(1).map(([nodeLength, nullCount]) => ({ length: nodeLength, nullCount })),
    buffers: table.pairs(2).map(([offset, bytes]) => ({ offset, length: bytes })),
    compression: decodeCompression(table.table(3)),
  };
}

function decodeCompression(table: FlatTable | null): Compression | null {
  if (!table) {
    return null;
  }
  const [codec, method] = [table.byte(0), table.byte(1)];
  const compression = (['lz4', 'zstd'] as const)[codec];
  if (!compression || method !== 0) {
    throw new FlatbufferError(`buffers are compressed by codec ${codec} in way ${method}`);
  }
  return compression;
}
