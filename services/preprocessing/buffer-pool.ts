/** Memory that is used again: fresh memory is paid for page by page, and the garbage collector runs for it. */
export class BufferPool {
  readonly #free: Buffer<ArrayBuffer>[] = [];

  /** At least so many bytes, whatever they hold; some more, for others that want a little more. */
  take(sizeBytes: number): Buffer<ArrayBuffer> {
    const place = this.#free.findIndex(({ length }) => length >= sizeBytes);
    return place < 0 ? Buffer.allocUnsafeSlow(sizeBytes + (sizeBytes >> 3)) : this.#free.splice(place, 1)[0]!;
  }

  /** Nobody looks at it any more. */
  give(buffer: Buffer<ArrayBuffer>): void {
    this.#free.push(buffer);
  }
}
