import { joinBody } from '../platform/arrow-messages.js';
import { type ArrowMessage, type Compression, decodeMessage, type Region } from './arrow-message.js';
import { type BatchWriter, createBatchWriter } from './batch-writer.js';
import { decodeLz4Frame } from './lz4-frame.js';
import { malformedArrow } from './malformed-arrow.js';
import { openChecksums } from './xxhash.js';
import { openZstdFrames } from './zstd-frame.js';

/** Before the bytes of each buffer: how long they are once they are decompressed, or -1 where they are not compressed. */
const prefixBytes = 8;

type Decompress = (bytes: Uint8Array, sizeBytes: number) => Uint8Array;

/** Most bytes of a batch that a stream brings, decompressed: a message of a few may say that it has any number. */
export const streamedBytesMax = 128 * 1024 * 1024;

/** A message's flatbuffer, and the buffers that it speaks of. */
interface MessageBytes {
  header: Uint8Array;
  body: Uint8Array;
}

/** The same message with buffers that are not compressed, which together have at most `bytesMax`; itself, where they are not. */
export async function withoutCompression(given: MessageBytes, bytesMax: number): Promise<MessageBytes> {
  const message = decodeMessage(given.header);
  const compression = message.kind === 'schema' ? null : message.batch.compression;
  if (message.kind === 'schema' || compression === null) {
    return given;
  }
  const [decompress, writer] = [await openCompression(compression), await createBatchWriter()];
  return withPlainBuffers(message, given.body, decompress, writer, bytesMax);
}

async function openCompression(compression: Compression): Promise<Decompress> {
  if (compression === 'lz4') {
    const { xxHash32 } = await openChecksums();
    return (bytes, sizeBytes) => decodeLz4Frame(bytes, sizeBytes, xxHash32);
  }
  return openZstdFrames();
}

function withPlainBuffers(
  message: ArrowMessage & { kind: 'batch' | 'dictionary' },
  body: Uint8Array,
  decompress: Decompress,
  writer: BatchWriter,
  bytesMax: number,
): MessageBytes {
  const { length, nodes, buffers: regions } = message.batch;
  let bytesLeft = bytesMax;
  const buffers = regions.map((region) => {
    const buffer = plainBuffer(body, region, decompress, bytesLeft);
    bytesLeft -= buffer.length;
    return buffer;
  });
  const parts = { length, nodes, buffers };
  const encoded = message.kind === 'batch' ? writer.write(parts) : writer.writeDictionary(message, parts);
  return { header: encoded.header, body: joinBody(encoded) };
}

function plainBuffer(
  body: Uint8Array,
  { offset, length }: Region,
  decompress: Decompress,
  bytesMax: number,
): Uint8Array {
  if (offset < 0 || length < 0 || offset + length > body.length) {
    throw malformedArrow(`a buffer reaches from byte ${offset} to ${offset + length} of a body of ${body.length}`);
  }
  if (length === 0) {
    return body.subarray(0, 0);
  }
  if (length < prefixBytes) {
    throw malformedArrow(`a compressed buffer has ${length} bytes`);
  }
  const bytes = body.subarray(offset + prefixBytes, offset + length);
  const size = Number(new DataView(body.buffer, body.byteOffset + offset).getBigInt64(0, true));
  const plainSize = size === -1 ? bytes.length : size;
  if (plainSize < 0 || plainSize > bytesMax) {
    throw malformedArrow(`a compressed buffer says that it has ${plainSize} bytes where at most ${bytesMax} are left`);
  }
  if (size === -1) {
    return bytes;
  }
  try {
    return decompress(bytes, plainSize);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw malformedArrow(`a compressed buffer cannot be read: ${reason}`, error);
  }
}
