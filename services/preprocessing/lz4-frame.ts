/** Bytes that are no LZ4 frame, or one of another length than was said. */
export class Lz4Error extends Error {
  override readonly name = 'Lz4Error';
}

type XxHash32 = (bytes: Uint8Array) => number;

const magic = 0x184d2204;
const blockBytesMin = 4;
/** Bit of a block's size that says that its bytes are as they are. */
const plainBlock = 0x8000_0000;

/**
 * The content of an LZ4 frame (LZ4 Frame Format 1.6.4), which must be `sizeBytes` long: whatever the bytes are, no more memory is
 * taken. Frames that need a dictionary are refused, and so is what does not have the checksums that stand with it.
 */
export function decodeLz4Frame(bytes: Uint8Array, sizeBytes: number, xxHash32: XxHash32): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { blocksAt, hasBlockChecksums, hasContentChecksum } = readDescriptor(view, sizeBytes, xxHash32);
  const out = new Uint8Array(sizeBytes);
  let at = blocksAt;
  let written = 0;
  for (;;) {
    const head = uint32(view, at);
    at += blockBytesMin;
    if (head === 0) {
      break;
    }
    const size = head % plainBlock;
    if (at + size > bytes.length) {
      throw new Lz4Error('a block is cut off');
    }
    const block = bytes.subarray(at, at + size);
    if (hasBlockChecksums && uint32(view, at + size) !== xxHash32(block)) {
      throw new Lz4Error('a block does not have its checksum: it is damaged');
    }
    written = head >= plainBlock ? copyPlain(block, out, written) : decodeBlock(block, out, written);
    at += size + (hasBlockChecksums ? 4 : 0);
  }
  if (written !== sizeBytes) {
    throw new Lz4Error(`it has ${written} bytes where ${sizeBytes} were said`);
  }
  if (hasContentChecksum && uint32(view, at) !== xxHash32(out)) {
    throw new Lz4Error('its content does not have its checksum: it is damaged');
  }
  return out;
}

function readDescriptor(view: DataView, sizeBytes: number, xxHash32: XxHash32) {
  if (view.byteLength < 7 || uint32(view, 0) !== magic) {
    throw new Lz4Error('it is no LZ4 frame');
  }
  const flags = view.getUint8(4);
  if (flags >> 6 !== 1 || flags & 1) {
    throw new Lz4Error('it is of another version, or needs a dictionary');
  }
  const hasSize = (flags & 8) !== 0;
  if (hasSize && (view.byteLength < 15 || view.getBigUint64(6, true) !== BigInt(sizeBytes))) {
    throw new Lz4Error(`it says another length than ${sizeBytes}`);
  }
  const end = 6 + (hasSize ? 8 : 0);
  const descriptor = new Uint8Array(view.buffer, view.byteOffset + 4, end - 4);
  if (view.getUint8(end) !== ((xxHash32(descriptor) >>> 8) & 255)) {
    throw new Lz4Error('its beginning does not have its checksum: it is damaged');
  }
  return { blocksAt: end + 1, hasBlockChecksums: (flags & 16) !== 0, hasContentChecksum: (flags & 4) !== 0 };
}

function uint32(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) {
    throw new Lz4Error('it is cut off');
  }
  return view.getUint32(at, true);
}

function copyPlain(block: Uint8Array, out: Uint8Array, at: number): number {
  if (at + block.length > out.length) {
    throw tooLong(out);
  }
  out.set(block, at);
  return at + block.length;
}

/** Sequences of literals and matches (LZ4 Block Format); a match may begin in blocks before. @returns the end of what is written */
function decodeBlock(block: Uint8Array, out: Uint8Array, start: number): number {
  let at = 0;
  let end = start;
  /** Adds bytes to a length of 15 or 19 until one is less than 255. */
  const lengthFrom = (base: number): number => {
    let length = base;
    let byte = 255;
    while (byte === 255) {
      if (at >= block.length) {
        throw new Lz4Error('a block is cut off');
      }
      byte = block[at++]!;
      length += byte;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = token >> 4 === 15 ? lengthFrom(15) : token >> 4;
    if (at + literals > block.length) {
      throw new Lz4Error('a block is cut off');
    }
    end = copyPlain(block.subarray(at, at + literals), out, end);
    at += literals;
    if (at === block.length) {
      return end;
    }
    const distance = block[at]! | ((block[at + 1] ?? 0) << 8);
    at += 2;
    const length = (token & 15) === 15 ? lengthFrom(19) : (token & 15) + 4;
    end = copyMatch(out, end, distance, length);
  }
  throw new Lz4Error('a block is cut off');
}

function copyMatch(out: Uint8Array, end: number, distance: number, length: number): number {
  if (distance === 0 || distance > end) {
    throw new Lz4Error('a block refers to what is before its beginning');
  }
  if (end + length > out.length) {
    throw tooLong(out);
  }
  const from = end - distance;
  // What is copied may be part of what is written: copies of it double until there is enough.
  for (let done = 0; done < length; ) {
    const part = Math.min(distance + done, length - done);
    out.copyWithin(end + done, from, from + part);
    done += part;
  }
  return end + length;
}

const tooLong = (out: Uint8Array) => new Lz4Error(`it has more than the ${out.length} bytes that were said`);
