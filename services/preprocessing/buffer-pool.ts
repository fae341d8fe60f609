/** What is kept for the next, bytes. */
const keptBytesMax = 64 * 1024 * 1024;
const keptMs = 2_000;
/** A buffer is not taken for what needs less than this part of it: whoever needs all of it would find none. */
const spareMax = 4;

/** Memory that is used again: fresh memory is paid for page by page, and the garbage collector runs for it. */
class BufferPool {
  #free: Buffer<ArrayBuffer>[] = [];
  #freeBytes = 0;
  #timer: NodeJS.Timeout | null = null;

  /** At least so many bytes, whatever they hold; some more, for others that want a little more. */
  take(sizeBytes: number): Buffer<ArrayBuffer> {
    let best = -1;
    for (const [i, { length }] of this.#free.entries()) {
      if (length >= sizeBytes && length <= spareMax * sizeBytes && (best < 0 || length < this.#free[best]!.length)) {
        best = i;
      }
    }
    if (best < 0) {
      return Buffer.allocUnsafeSlow(sizeBytes + (sizeBytes >> 3));
    }
    const [buffer] = this.#free.splice(best, 1);
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

/** What one piece of work takes from the pool, and gives back in one go. */
export class BorrowedMemory {
  #buffers: Buffer<ArrayBuffer>[] = [];
  #onRelease: (() => void)[] = [];

  get isUsed(): boolean {
    return this.#buffers.length > 0;
  }

  /** As `take` of the pool. */
  readonly allocate = (sizeBytes: number): Buffer<ArrayBuffer> => {
    const buffer = bufferPool.take(sizeBytes);
    this.#buffers.push(buffer);
    return buffer;
  };

  /** Something else that ends with this. */
  alsoRelease(release: () => void): void {
    this.#onRelease.push(release);
  }

  /** Once nobody looks at any of it; again, it does nothing. */
  readonly release = (): void => {
    for (const buffer of this.#buffers.splice(0)) {
      bufferPool.give(buffer);
    }
    for (const release of this.#onRelease.splice(0)) {
      release();
    }
  };
}
