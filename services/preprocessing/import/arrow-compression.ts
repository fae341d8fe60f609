import { joinBody } from '../../platform/arrow-messages.js';
import type { ArrowMessage, Compression, Region } from '../arrow-message.js';
import type { BatchWriter } from '../batch-writer.js';
import { malformedArrow } from '../malformed-arrow.js';
import { decodeLz4Frame } from './lz4-frame.js';

/** Before the bytes of each buffer: how long they are once they are decompressed, or -1 where they are not compressed. */
const prefixBytes = 8;

type Decompress = (bytes: Uint8Array, sizeBytes: number) => Uint8Array;

/** Loads what decompresses the buffers of Arrow messages. */
export async function openCompression(compression: Compression): Promise<Decompress> {
  if (compression === 'lz4') {
    return decodeLz4Frame;
  }
  // Node has it from version 22.15 on only.
  const { decompress } = await import('fzstd');
  return (bytes, sizeBytes) => {
    checkZstdFrame(bytes, sizeBytes);
    return decompress(bytes, new Uint8Array(sizeBytes));
  };
}

/** The same message with buffers that are not compressed, which together have at most `bytesMax`. */
export function withPlainBuffers(
  message: ArrowMessage & { kind: 'batch' | 'dictionary' },
  body: Uint8Array,
  decompress: Decompress,
  writer: BatchWriter,
  bytesMax: number,
): { header: Uint8Array; body: Uint8Array } {
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

/** Magic, flags, one more byte, and the head of a block. */
const zstdFrameBytesMin = 9;

/** The library writes what a frame holds into what it is given, and does not say how much that was. */
function checkZstdFrame(bytes: Uint8Array, sizeBytes: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < zstdFrameBytesMin) {
    throw new Error('it is cut off');
  }
  const flags = bytes[4]!;
  const [sizeFlag, isSingle, dictionaryFlag] = [flags >> 6, (flags >> 5) & 1, flags & 3];
  const at = 6 - isSingle + [0, 1, 2, 4][dictionaryFlag]!;
  const sizeOfSize = [isSingle, 2, 4, 8][sizeFlag]!;
  if (view.getUint32(0, true) !== 0xfd2fb528 || sizeOfSize === 0 || at + sizeOfSize > bytes.length) {
    throw new Error('it is no zstd frame that says its length');
  }
  const said = [
    () => view.getUint8(at),
    () => view.getUint16(at, true) + 256,
    () => view.getUint32(at, true),
    () => Number(view.getBigUint64(at, true)),
  ][sizeFlag]!();
  if (said !== sizeBytes) {
    throw new Error(`it has ${said} bytes where ${sizeBytes} were said`);
  }
}
