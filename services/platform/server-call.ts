import * as grpc from '@grpc/grpc-js';
import { type CallHead, transportHeaders } from './call-head.js';
import { ServiceError } from './errors.js';
import { encodeHeaders, type Header } from './http2/hpack.js';
import { errorCode } from './http2/protocol.js';
import type { Http2Stream, StreamReceiver } from './http2/stream.js';
import { IncomingMessages } from './incoming-messages.js';
import { messageHeadBytes } from './message-reader.js';

/** How the messages of a method are read and written, and what answers its calls. */
export interface Route {
  requestStream: boolean;
  deserialize(bytes: Buffer): unknown;
  serialize(message: unknown): SerializedMessage;
  /** Called when the request is there; of a method that takes many, at once. */
  start(call: ServerCall): void;
  /** Called instead if what came is no request. */
  refuse(call: ServerCall, error: unknown): void;
}

/**
 * A message, or the pieces of one that need not be copied together; `onSent` is called once they have left, if they do, and their
 * memory may be used again.
 */
export type SerializedMessage =
  | Uint8Array
  | { pieces: readonly Uint8Array[]; byteLength: number; onSent: (() => void) | null };

/** A status as it is sent. */
export interface CallStatus {
  code: grpc.status;
  details: string;
  metadata: grpc.Metadata | null;
}

const responseHeaders: Header[] = [
  [':status', '200'],
  ['content-type', 'application/grpc+proto'],
  ['grpc-accept-encoding', 'identity,deflate,gzip'],
];
const responseBlock = encodeHeaders(responseHeaders);
const okBlock = encodeHeaders([['grpc-status', '0']]);
/** A timer can wait no longer. */
const timerMsMax = 2 ** 31 - 1;

/** One gRPC call over an HTTP/2 stream, as the server sees it. */
export class ServerCall implements StreamReceiver {
  /** Of a method that takes one message. */
  request: unknown = null;
  /** ms since 1970; Infinity: none. */
  readonly deadline: number;
  /** The caller has gone, or its deadline has passed, before the answer was complete. */
  isCancelled = false;
  /** The reason is the deadline. */
  hasExpired = false;
  readonly #incoming: IncomingMessages;
  #metadata: grpc.Metadata | null = null;
  /** null: it is sent. */
  #responseBlock: Buffer | null = responseBlock;
  #isEnded = false;
  #deadlineTimer: NodeJS.Timeout | null = null;
  #onCancelled: (() => void)[] = [];
  #wakeWriter: (() => void) | null = null;

  /** @param messageBytesMax of a message in either direction */
  constructor(
    private readonly stream: Http2Stream,
    private readonly head: CallHead,
    private readonly route: Route,
    private readonly messageBytesMax: number,
  ) {
    const { timeoutMs, encoding } = head;
    const grant = (bytes: number) => stream.grant(bytes);
    this.#incoming = new IncomingMessages({ bytesMax: messageBytesMax, encoding, grant });
    this.deadline = timeoutMs === null ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
    if (timeoutMs !== null) {
      this.#waitForDeadline(timeoutMs);
    }
  }

  /** What the caller has sent beside its messages. */
  get metadata(): grpc.Metadata {
    if (!this.#metadata) {
      const sent = new Map<string, string[]>();
      for (const [name, value] of this.head.headers) {
        if (!name.startsWith(':') && !transportHeaders.has(name)) {
          const values = name.endsWith('-bin') ? value.split(',') : [value];
          sent.set(name, [...(sent.get(name) ?? []), ...values]);
        }
      }
      this.#metadata = grpc.Metadata.fromHttp2Headers(Object.fromEntries(sent));
    }
    return this.#metadata;
  }

  /** A text of the metadata, without making all of it. */
  header(name: string): string | null {
    return this.head.headers.find((header) => header[0] === name)?.[1] ?? null;
  }

  /** Its method runs, until `leave`, also when the call is over before. */
  enter(): void {
    this.stream.hold();
  }

  leave(): void {
    this.stream.release();
  }

  onCancelled(listener: () => void): void {
    this.#onCancelled.push(listener);
  }

  /** Goes with the headers of the answer: before its first message. */
  sendMetadata(metadata: grpc.Metadata): void {
    if (this.#responseBlock) {
      this.#responseBlock = encodeHeaders([...responseHeaders, ...toHeaders(metadata)]);
    }
  }

  /** The caller's messages in order, of a method that takes many; ends without an error when the caller has gone. */
  async *messages(): AsyncGenerator<unknown, void> {
    for await (const bytes of this.#incoming) {
      yield this.route.deserialize(bytes);
    }
  }

  /** @throws what the serialiser throws; RESOURCE_EXHAUSTED if the message is larger than allowed */
  write(response: unknown): void {
    if (this.#isEnded) {
      return;
    }
    const message = this.route.serialize(response);
    const { byteLength } = message;
    if (byteLength > this.messageBytesMax) {
      const text = `Sent message larger than max (${byteLength} vs. ${this.messageBytesMax}).`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'MESSAGE_TOO_LARGE', text);
    }
    this.#respond();
    const head = Buffer.allocUnsafe(messageHeadBytes);
    head[0] = 0;
    head.writeUInt32BE(byteLength, 1);
    if (message instanceof Uint8Array) {
      this.stream.write([head, message], messageHeadBytes + byteLength);
    } else {
      this.stream.write([head, ...message.pieces], messageHeadBytes + byteLength, message.onSent);
    }
  }

  /** Whether what was written has left, as far as the caller takes it. */
  get isDrained(): boolean {
    return this.stream.isDrained;
  }

  /** Resolves once more may be written without piling it up, or the call is over. */
  async whenDrained(): Promise<void> {
    while (!this.stream.isDrained && !this.#isEnded && !this.isCancelled) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  /** The answer is complete. */
  end(): void {
    if (!this.#isEnded) {
      this.#respond();
      this.#finish(okBlock);
    }
  }

  /** Ends the call with a status other than OK. */
  fail({ code, details, metadata }: CallStatus): void {
    if (this.#isEnded) {
      return;
    }
    const status: Header[] = [
      ['grpc-status', String(code)],
      ['grpc-message', encodeURI(details)],
      ...(metadata ? toHeaders(metadata) : []),
    ];
    // Without a message before it, a status goes in the headers of the answer.
    const block = encodeHeaders(status);
    this.#finish(this.#responseBlock ? Buffer.concat([this.#responseBlock, block]) : block);
  }

  onData(bytes: Buffer): void {
    if (!this.#isEnded) {
      this.#accept(() => this.#push(bytes));
    }
  }

  onEnd(): void {
    if (this.#isEnded) {
      return;
    }
    this.#accept(() => {
      this.#incoming.complete();
      if (!this.route.requestStream) {
        this.#startWithOne();
      }
    });
  }

  onGone(): void {
    this.#stopDeadline();
    if (!this.#isEnded) {
      this.#cancel();
    }
  }

  onDrained(): void {
    if (this.#isEnded) {
      this.#stopDeadline();
    }
    this.#wakeWriter?.();
  }

  #push(bytes: Buffer): void {
    this.#incoming.push(bytes);
    if (!this.route.requestStream && this.#incoming.count > 1) {
      throw messageCount(this.#incoming.count);
    }
  }

  #startWithOne(): void {
    if (this.#incoming.count !== 1) {
      throw messageCount(this.#incoming.count);
    }
    const message = this.#incoming.take();
    if (message instanceof Promise) {
      message.then(
        (bytes) => this.#accept(() => this.#start(bytes)),
        (error) => this.#refuse(error),
      );
    } else {
      this.#start(message);
    }
  }

  #start(bytes: Buffer): void {
    if (this.#isEnded || this.isCancelled) {
      return;
    }
    this.request = this.route.deserialize(bytes);
    this.route.start(this);
  }

  #accept(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    // To end the call is to forget who listens; but a method that takes what came must learn that it is not all.
    const listeners = this.#onCancelled;
    this.route.refuse(this, error);
    this.#onCancelled = listeners;
    this.#cancel();
  }

  /** A timer that was set for a longer time than it can wait goes on. */
  #waitForDeadline(ms: number): void {
    const restMs = ms - timerMsMax;
    const elapsed = restMs > 0 ? () => this.#waitForDeadline(restMs) : () => this.#expire();
    this.#deadlineTimer = setTimeout(elapsed, Math.min(ms, timerMsMax));
  }

  #stopDeadline(): void {
    if (this.#deadlineTimer) {
      clearTimeout(this.#deadlineTimer);
      this.#deadlineTimer = null;
    }
  }

  #expire(): void {
    if (this.#isEnded) {
      // Nobody has taken the answer in time.
      this.stream.reset(errorCode.cancel);
      return;
    }
    this.hasExpired = true;
    this.#cancel();
    this.route.refuse(
      this,
      new ServiceError('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', 'The deadline of the call has passed.'),
    );
  }

  #cancel(): void {
    this.isCancelled = true;
    for (const listener of this.#onCancelled.splice(0)) {
      listener();
    }
    this.#incoming.stop();
    this.#wakeWriter?.();
  }

  #respond(): void {
    if (this.#responseBlock) {
      this.stream.respond(this.#responseBlock);
      this.#responseBlock = null;
    }
  }

  #finish(trailers: Buffer): void {
    this.#isEnded = true;
    this.#onCancelled = [];
    this.stream.finish(trailers);
    if (this.stream.isClosed) {
      this.#stopDeadline();
    }
    this.#incoming.stop();
    this.#wakeWriter?.();
  }
}

function messageCount(received: number): ServiceError {
  return new ServiceError('UNIMPLEMENTED', 'MESSAGE_COUNT', `Expected one message but received ${received}.`);
}

function toHeaders(metadata: grpc.Metadata): Header[] {
  return Object.entries(metadata.toHttp2Headers()).flatMap(([name, values]) =>
    [values].flat().map((value): Header => [name, String(value)]),
  );
}
