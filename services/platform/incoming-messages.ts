import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { ServiceError } from './errors.js';
import { MessageReader, messageHeadBytes } from './message-reader.js';

const decompressors: Record<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>> = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
};

interface Waiting {
  message: Buffer | Promise<Buffer>;
  /** That it came in. */
  bytes: number;
}

export interface IncomingOptions {
  bytesMax: number;
  /** As the caller has named it for messages that are compressed. */
  encoding: string;
  /** As many bytes were taken: the caller may send as many more. */
  grant(bytes: number): void;
}

/** The messages of one caller, which may not run ahead of who takes them by more than its window. */
export class IncomingMessages {
  readonly #reader: MessageReader;
  readonly #waiting: Waiting[] = [];
  /** Bytes that came and were not granted anew. */
  #held = 0;
  #isComplete = false;
  #wake: (() => void) | null = null;

  constructor(private readonly options: IncomingOptions) {
    this.#reader = new MessageReader(options.bytesMax, (bytes, isCompressed) => this.#add(bytes, isCompressed));
  }

  /** @throws ServiceError if what came is no message, or a too large one */
  push(bytes: Buffer): void {
    this.#held += bytes.length;
    this.#reader.push(bytes);
    this.#grantWhatIsNeeded();
    this.#wake?.();
  }

  /** No more will come. @throws ServiceError if it ends within a message */
  complete(): void {
    this.stop();
    if (!this.#reader.isBetweenMessages) {
      const text = 'Expected a whole message but the request ended within one.';
      throw new ServiceError('INVALID_ARGUMENT', 'TRUNCATED_MESSAGE', text);
    }
  }

  /** Ends the wait for more. */
  stop(): void {
    this.#isComplete = true;
    this.#wake?.();
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** The first message, of which one must be there. */
  take(): Buffer | Promise<Buffer> {
    const { message, bytes } = this.#waiting.shift()!;
    this.#grant(bytes);
    this.#grantWhatIsNeeded();
    return message;
  }

  /** In order; ends when no more will come. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    for (;;) {
      if (this.#waiting.length > 0) {
        const message = this.take();
        yield message instanceof Promise ? await message : message;
      } else if (this.#isComplete) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** A message that everybody waits for must be able to come whole, however large it is. */
  #grantWhatIsNeeded(): void {
    if (this.#waiting.length === 0) {
      this.#grant(this.#held);
    }
  }

  #grant(bytes: number): void {
    const granted = Math.min(bytes, this.#held);
    if (granted > 0) {
      this.#held -= granted;
      this.options.grant(granted);
    }
  }

  #add(sent: Buffer, isCompressed: boolean): void {
    const message = isCompressed ? this.#decompress(sent) : sent;
    this.#waiting.push({ message, bytes: messageHeadBytes + sent.length });
  }

  #decompress(bytes: Buffer): Promise<Buffer> {
    const { encoding, bytesMax } = this.options;
    const decompressor = decompressors[encoding];
    if (!decompressor) {
      const text = `Expected messages compressed with one of ${Object.keys(decompressors).join(', ')} but received ${encoding}.`;
      throw new ServiceError('UNIMPLEMENTED', 'UNKNOWN_ENCODING', text);
    }
    const message = decompressor(bytes, { maxOutputLength: bytesMax }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ERR_BUFFER_TOO_LARGE'
        ? new ServiceError(
            'RESOURCE_EXHAUSTED',
            'MESSAGE_TOO_LARGE',
            `Received message that is larger than max when it is decompressed (max. ${bytesMax}).`,
          )
        : new ServiceError('INVALID_ARGUMENT', 'MALFORMED_MESSAGE', `Failed to decompress message: ${error.message}.`);
    });
    // Whoever takes it sees the failure.
    message.catch(() => undefined);
    return message;
  }
}
