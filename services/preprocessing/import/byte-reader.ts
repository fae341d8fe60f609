import type { Readable } from 'node:stream';

/** Bytes that come in pieces, taken in pieces of another size. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(private readonly stream: Readable) {
    this.#pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** The next bytes, in memory of their own; fewer, where the stream ends. */
  async read(size: number): Promise<Buffer<ArrayBuffer>> {
    const bytes: Buffer<ArrayBuffer> = Buffer.alloc(size);
    let done = 0;
    while (done < size) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next();
        if (next.done) {
          return bytes.subarray(0, done) as Buffer<ArrayBuffer>;
        }
        this.#rest = next.value;
      }
      const taken = Math.min(size - done, this.#rest.length);
      bytes.set(this.#rest.subarray(0, taken), done);
      this.#rest = this.#rest.subarray(taken);
      done += taken;
    }
    return bytes;
  }

  close(): void {
    this.stream.destroy();
  }
}
