import { ServiceError } from './errors.js';

/** Flag and length before each message. */
export const messageHeadBytes = 5;

/** Cuts the body of a call into its messages. One that lies within a frame is a view of it. */
export class MessageReader {
  readonly #head = Buffer.allocUnsafe(messageHeadBytes);
  #headFilled = 0;
  #message: Buffer | null = null;
  #filled = 0;

  /** @param bytesMax of one message */
  constructor(
    private readonly bytesMax: number,
    private readonly onMessage: (bytes: Buffer, isCompressed: boolean) => void,
  ) {}

  /** Whether no message has begun that has not ended. */
  get isBetweenMessages(): boolean {
    return this.#headFilled === 0;
  }

  /** @throws ServiceError RESOURCE_EXHAUSTED if a message says that it is larger than allowed, INTERNAL if it is no message */
  push(bytes: Buffer): void {
    for (let offset = 0; offset < bytes.length; ) {
      offset = this.#message ? this.#fill(this.#message, bytes, offset) : this.#begin(bytes, offset);
    }
  }

  #begin(bytes: Buffer, offset: number): number {
    const copied = bytes.copy(this.#head, this.#headFilled, offset, offset + messageHeadBytes - this.#headFilled);
    this.#headFilled += copied;
    const start = offset + copied;
    if (this.#headFilled < messageHeadBytes) {
      return start;
    }
    if (this.#head[0]! > 1) {
      const message = `Expected a message to begin with 0 or, compressed, 1 but received ${this.#head[0]}.`;
      throw new ServiceError('INTERNAL', 'MALFORMED_MESSAGE', message);
    }
    const length = this.#head.readUInt32BE(1);
    if (length > this.bytesMax) {
      const message = `Received message larger than max (${length} vs. ${this.bytesMax}).`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'MESSAGE_TOO_LARGE', message);
    }
    if (bytes.length - start >= length) {
      this.#end(bytes.subarray(start, start + length));
      return start + length;
    }
    // Memory is taken from the system only as far as it is written to.
    this.#message = Buffer.allocUnsafeSlow(length);
    this.#filled = 0;
    return start;
  }

  #fill(message: Buffer, bytes: Buffer, offset: number): number {
    const copied = bytes.copy(message, this.#filled, offset);
    this.#filled += copied;
    if (this.#filled === message.length) {
      this.#message = null;
      this.#end(message);
    }
    return offset + copied;
  }

  #end(message: Buffer): void {
    this.#headFilled = 0;
    this.onMessage(message, this.#head[0] === 1);
  }
}
