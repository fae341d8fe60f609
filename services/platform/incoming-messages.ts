import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { clip, ServiceError } from './errors.js';
import { MessageReader, messageHeadBytes } from './message-reader.js';

type Decompress = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const decompressors: ReadonlyMap<string, Decompress> = new Map([
  ['gzip', promisify(gunzip) as Decompress],
  ['deflate', promisify(inflate) as Decompress],
]);

interface Waiting {
  message: Buffer;
  /** null: it is not compressed. */
  decompress: Decompress | null;
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
    const { message, decompress, bytes } = this.#waiting.shift()!;
    this.#grant(bytes);
    this.#grantWhatIsNeeded();
    // Not before: what waits is as small as it came.
    return decompress ? this.#decompress(message, decompress) : message;
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

  #add(message: Buffer, isCompressed: boolean): void {
    const decompress = isCompressed ? this.#decompressor() : null;
    this.#waiting.push({ message, decompress, bytes: messageHeadBytes + message.length });
  }

  #decompressor(): Decompress {
    const { encoding } = this.options;
    const decompress = decompressors.get(encoding);
    if (!decompress) {
      const known = [...decompressors.keys()].join(', ');
      const text = `Expected messages compressed with one of ${known} but received ${clip(encoding, 100)}.`;
      throw new ServiceError('UNIMPLEMENTED', 'UNKNOWN_ENCODING', text);
    }
    return decompress;
  }

  async #decompress(bytes: Buffer, decompress: Decompress): Promise<Buffer> {
    const { bytesMax } = this.options;
    try {
      return await decompress(bytes, { maxOutputLength: bytesMax });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        const text = `Received message that is larger than max when it is decompressed (max. ${bytesMax}).`;
        throw new ServiceError('RESOURCE_EXHAUSTED', 'MESSAGE_TOO_LARGE', text);
      }
      const text = `Failed to decompress message: ${(error as Error).message}.`;
      throw new ServiceError('INVALID_ARGUMENT', 'MALFORMED_MESSAGE', text);
    }
  }
}
