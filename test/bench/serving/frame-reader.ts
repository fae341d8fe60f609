const headBytes = 5;

/** Counts the messages in the bytes of an HTTP/2 body, and checks that all have one length. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes still to come of a message whose head is read. */
  #left = 0;
  #length: number | null = null;
  /** Messages that are complete. */
  count = 0;

  /** @param check looks at the first message */
  constructor(private readonly check: (message: Buffer) => void) {}

  read(chunk: Buffer): void {
    let bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    if (this.#length === null) {
      if (bytes.length < headBytes || bytes.length < headBytes + bytes.readUInt32BE(1)) {
        this.#pending = bytes;
        return;
      }
      this.#length = bytes.readUInt32BE(1);
      this.check(bytes.subarray(headBytes, headBytes + this.#length));
    }
    for (;;) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length);
        this.#left -= taken;
        bytes = bytes.subarray(taken);
        if (this.#left > 0) {
          break;
        }
        this.count++;
      }
      if (bytes.length < headBytes) {
        break;
      }
      this.#left = bytes.readUInt32BE(1);
      if (this.#left !== this.#length) {
        throw new Error(`an answer of ${this.#left} bytes came where others have ${this.#length}`);
      }
      bytes = bytes.subarray(headBytes);
    }
    this.#pending = bytes;
  }
}
