/** What is kept for the next, bytes. */
const keptBytesMax = 64 * 1024 * 1024;
const keptMs = 2_000;

/** Memory that is used again: fresh memory is paid for page by page, and the garbage collector runs for it. */
class BufferPool {
  #free: Buffer<ArrayBuffer>[] = [];
  #freeBytes = 0;
  #timer: NodeJS.Timeout | null = null;

  /** At least so many bytes, whatever they hold; some more, for others that want a little more. */
  take(sizeBytes: number): Buffer<ArrayBuffer> {
    const place = this.#free.findIndex(({ length }) => length >= sizeBytes);
    if (place < 0) {
      return Buffer.allocUnsafeSlow(sizeBytes + (sizeBytes >> 3));
    }
    const [buffer] = this.#free.splice(place, 1);
    this.#freeBytes -= buffer!.length;
    return buffer!;
  }

  /** Once, when nobody looks at it any more. */
  give(buffer: Buffer<ArrayBuffer>): void {
    if (this.#freeBytes + buffer.length <= keptBytesMax) {
      this.#free.push(buffer);
      this.#freeBytes += buffer.length;
    }
    this.#timer ??= setTimeout(() => this.#forget(), keptMs).unref();
  }

  /** A service at rest keeps none. */
  #forget(): void {
    this.#timer = null;
    this.#free = [];
    this.#freeBytes = 0;
  }
}

/** One for all: what one request has used, the next may take. */
export const bufferPool = new BufferPool();
