import type { FileHandle } from 'node:fs/promises';
import { openChecksums } from '../xxhash.js';
import { openFile } from './import-file.js';

/** Bytes that are no zstd file, or one that takes more memory than we give. */
export class ZstdError extends Error {
  override readonly name = 'ZstdError';
}

const magic = 0xfd2fb528;
/** Frames of other programs' own, which are passed over: the last four bits are theirs. */
const skippableMagic = 0x184d2a50;
/** As the `zstd` command has it. */
const windowBytesMax = 128 * 1024 * 1024;
const readBytes = 256 * 1024;
const headerBytesMax = 18;
const [rle, reserved] = [1, 3];

interface Frame {
  start: number;
  end: number;
  /** Of the content, in the last four bytes. */
  hasChecksum: boolean;
}

/**
 * The content of a file of zstd frames (RFC 8878), piece by piece. Each frame is looked at before a decoder is given it, and at its end held
 * to its checksum, if it has one: the library does not.
 */
export async function* readZstd(file: string): AsyncGenerator<Uint8Array, void> {
  // Node has it from version 22.15 on only.
  const { Decompress } = await import('fzstd');
  const { zstdChecksum } = await openChecksums();
  const handle = await openFile(file);
  try {
    for await (const { start, end, hasChecksum } of frames(handle)) {
      const checksum = zstdChecksum();
      let pieces: Uint8Array[] = [];
      const decoder = new Decompress((piece) => pieces.push(piece));
      for (let at = start; at < end; at += readBytes) {
        const bytes = await readWhole(handle, at, Math.min(readBytes, end - at));
        push(decoder, bytes, at + bytes.length === end);
        for (const piece of pieces) {
          if (hasChecksum) {
            checksum.update(piece);
          }
          yield piece;
        }
        pieces = [];
      }
      if (hasChecksum && (await readWhole(handle, end - 4, 4)).readUInt32LE() !== checksum.digest()) {
        throw new ZstdError(`the content of the frame at byte ${start} does not have its checksum: it is damaged`);
      }
    }
  } finally {
    await handle.close();
  }
}

/** Whatever the library fails with is the fault of the bytes. */
function push(decoder: { push(bytes: Uint8Array, isLast: boolean): void }, bytes: Uint8Array, isLast: boolean): void {
  try {
    decoder.push(bytes, isLast);
  } catch (error) {
    throw new ZstdError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function* frames(handle: FileHandle): AsyncGenerator<Frame, void> {
  const { size } = await handle.stat();
  if (size === 0) {
    throw new ZstdError('it is empty');
  }
  for (let start = 0; start < size; ) {
    const head = await readWhole(handle, start, Math.min(headerBytesMax, size - start));
    const found = head.length >= 8 ? head.readUInt32LE(0) : 0;
    if ((found & 0xfffffff0) >>> 0 === skippableMagic) {
      start += 8 + head.readUInt32LE(4);
      continue;
    }
    if (found !== magic) {
      throw new ZstdError(`a frame should begin at byte ${start}`);
    }
    const hasChecksum = (head[4]! & 4) !== 0;
    const end = await findEnd(handle, start + checkHeader(head), size, hasChecksum);
    yield { start, end, hasChecksum };
    start = end;
  }
}

/** @returns the length of a frame's header */
function checkHeader(head: Buffer): number {
  const flags = head[4]!;
  const isSingle = (flags >> 5) & 1;
  const sizeBytes = [isSingle, 2, 4, 8][flags >> 6]!;
  if ((flags & 3) !== 0) {
    throw new ZstdError('it needs a dictionary');
  }
  const length = 6 - isSingle + sizeBytes;
  if (head.length < length) {
    throw new ZstdError('it is cut off');
  }
  const window = isSingle ? contentBytes(head.subarray(5, length)) : windowBytes(head[5]!);
  if (window > windowBytesMax) {
    throw new ZstdError(`it needs ${window} bytes of memory where at most ${windowBytesMax} are given`);
  }
  return length;
}

function contentBytes(bytes: Buffer): number {
  const size = bytes.length === 8 ? Number(bytes.readBigUInt64LE()) : bytes.readUIntLE(0, bytes.length);
  return bytes.length === 2 ? size + 256 : size;
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Goes from block to block. @param hasChecksum four bytes come after the last */
async function findEnd(handle: FileHandle, from: number, size: number, hasChecksum: boolean): Promise<number> {
  let at = from;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > size) {
      throw new ZstdError('it is cut off');
    }
    const block = (await readWhole(handle, at, 3)).readUIntLE(0, 3);
    const type = (block >> 1) & 3;
    if (type === reserved) {
      throw new ZstdError(`a block should begin at byte ${at}`);
    }
    isLast = (block & 1) === 1;
    at += 3 + (type === rle ? 1 : block >> 3);
  }
  const end = at + (hasChecksum ? 4 : 0);
  if (end > size) {
    throw new ZstdError('it is cut off');
  }
  return end;
}

async function readWhole(handle: FileHandle, position: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await handle.read(bytes, 0, size, position);
  if (bytesRead !== size) {
    throw new ZstdError('it is cut off');
  }
  return bytes;
}
