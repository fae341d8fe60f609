import { ConnectionError, errorCode, frameBytesDefault, frameHeadBytes } from './protocol.js';

export type OnFrame = (type: number, flags: number, stream: number, payload: Buffer) => void;

/**
 * Cuts what comes from a socket into frames. A frame that lies within a chunk is a view of it; only one that two chunks share is
 * copied.
 */
export class FrameReader {
  /** A frame, or the head of one, of which the first `#filled` bytes are there. */
  #partial: Buffer | null = null;
  #filled = 0;

  constructor(private readonly onFrame: OnFrame) {}

  /** @throws ConnectionError if a frame is larger than any that was allowed */
  push(chunk: Buffer): void {
    let offset = this.#partial ? this.#complete(chunk) : 0;
    if (this.#partial) {
      return;
    }
    while (chunk.length - offset >= frameHeadBytes) {
      const end = offset + frameHeadBytes + payloadLength(chunk, offset);
      if (end > chunk.length) {
        break;
      }
      this.#emit(chunk, offset, end);
      offset = end;
    }
    if (offset < chunk.length) {
      this.#keep(chunk, offset);
    }
  }

  /** @returns how much of the chunk belongs to the frame before it */
  #complete(chunk: Buffer): number {
    let offset = 0;
    while (this.#partial) {
      const copied = chunk.copy(this.#partial, this.#filled, offset);
      offset += copied;
      this.#filled += copied;
      if (this.#filled < this.#partial.length) {
        break;
      }
      const frame = this.#partial;
      const whole = frameHeadBytes + payloadLength(frame, 0);
      if (whole === frame.length) {
        this.#partial = null;
        this.#emit(frame, 0, whole);
      } else {
        this.#grow(frame, whole);
      }
    }
    return offset;
  }

  #keep(chunk: Buffer, offset: number): void {
    const rest = chunk.subarray(offset);
    this.#filled = 0;
    const known = rest.length >= frameHeadBytes;
    this.#grow(rest, known ? frameHeadBytes + payloadLength(rest, 0) : frameHeadBytes);
  }

  #grow(begin: Buffer, size: number): void {
    this.#partial = Buffer.allocUnsafe(size);
    this.#filled = begin.copy(this.#partial);
  }

  #emit(bytes: Buffer, offset: number, end: number): void {
    const stream = bytes.readUInt32BE(offset + 5) & 0x7fff_ffff;
    this.onFrame(bytes[offset + 3]!, bytes[offset + 4]!, stream, bytes.subarray(offset + frameHeadBytes, end));
  }
}

function payloadLength(bytes: Buffer, offset: number): number {
  const length = bytes.readUIntBE(offset, 3);
  if (length > frameBytesDefault) {
    const message = `Expected a frame of at most ${frameBytesDefault} bytes but received one of ${length}.`;
    throw new ConnectionError(errorCode.frameSizeError, message);
  }
  return length;
}
