import type { Output } from './output.js';
import { errorCode, frameFlag, frameType, StreamError, windowBytesMax } from './protocol.js';

/** What a stream's owner is told. */
export interface StreamReceiver {
  onData(bytes: Buffer): void;
  /** The peer has sent everything. */
  onEnd(): void;
  /** Nobody is there for the answer any more. */
  onGone(): void;
  /** All that was written is on its way. */
  onDrained(): void;
}

/** What streams of one connection share. */
export interface StreamHost {
  readonly output: Output;
  /** Streams, open or not, for which somebody works. */
  held: number;
  /** Bytes of DATA that the peer still takes on all streams together. */
  sendWindow: number;
  readonly frameBytesMax: number;
  /** Blocks to come first in the next headers. */
  takeHeaderPrefix(): Buffer | null;
  /** The stream has data that its own window would let out. */
  block(stream: Http2Stream): void;
  /** Both sides are done, or one has reset it. */
  close(stream: Http2Stream): void;
}

/** How much a peer may send on a stream ahead of what was taken. */
export const receiveWindowBytes = 1024 ** 2;

/** A receiver of what nobody wants to hear any more, or not yet. */
export const deaf: StreamReceiver = { onData() {}, onEnd() {}, onGone() {}, onDrained() {} };

/** One request and its answer, as the server sees it. */
export class Http2Stream {
  receiver = deaf;
  isRemoteClosed = false;
  isClosed = false;
  /** Of the request's body, where it was announced. */
  contentLength: number | null = null;
  #bodyBytes = 0;
  #receiveWindow = receiveWindowBytes;
  /** Taken, but not told to the peer yet. */
  #granted = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Who is told when so many bytes, of all that were ever written, have left. */
  #marks: { bytes: number; onSent: () => void }[] = [];
  #writtenBytes = 0;
  #framedBytes = 0;
  /** What comes when all that is pending has left. */
  #end: { trailers: Buffer | null } | null = null;

  constructor(
    readonly id: number,
    private readonly host: StreamHost,
    private sendWindow: number,
  ) {}

  /** Somebody works for the stream, until `release`, whether or not it is open so long. */
  hold(): void {
    this.host.held++;
  }

  release(): void {
    this.host.held--;
  }

  /** @throws StreamError if the peer sends what it may not */
  receive(payload: Buffer, frameBytes: number, isLast: boolean): void {
    this.#receiveWindow -= frameBytes;
    if (this.#receiveWindow < 0) {
      throw new StreamError(errorCode.flowControlError, 'Expected no more data than the window allows.');
    }
    this.#bodyBytes += payload.length;
    if (frameBytes > payload.length) {
      this.grant(frameBytes - payload.length);
    }
    // First: who takes the data may end the stream.
    this.isRemoteClosed = isLast;
    if (payload.length > 0) {
      this.receiver.onData(payload);
    }
    if (isLast && !this.isClosed) {
      this.endOfRequest();
    }
  }

  /** @throws StreamError if the body is not as long as was announced */
  endOfRequest(): void {
    this.isRemoteClosed = true;
    if (this.contentLength !== null && this.contentLength !== this.#bodyBytes) {
      const message = `Expected ${this.contentLength} bytes of body but received ${this.#bodyBytes}.`;
      throw new StreamError(errorCode.protocolError, message);
    }
    this.receiver.onEnd();
  }

  /** The peer may send as many bytes more. */
  grant(bytes: number): void {
    this.#granted += bytes;
    if (this.#granted < receiveWindowBytes / 2 || this.isRemoteClosed || this.isClosed) {
      return;
    }
    this.#receiveWindow += this.#granted;
    writeWindowUpdate(this.host.output, this.id, this.#granted);
    this.#granted = 0;
  }

  respond(headers: Buffer): void {
    this.#headers(headers, 0);
  }

  /** @param onSent called once the pieces have left, if they do: until then they must not change */
  write(pieces: readonly Uint8Array[], length: number, onSent: (() => void) | null = null): void {
    if (this.isClosed) {
      return;
    }
    const { host } = this;
    this.#writtenBytes += length;
    if (onSent) {
      this.#marks.push({ bytes: this.#writtenBytes, onSent });
    }
    if (this.#pendingBytes === 0 && length <= Math.min(host.frameBytesMax, host.sendWindow, this.sendWindow)) {
      this.#data(pieces, length);
      return;
    }
    this.#pending.push(...pieces);
    this.#pendingBytes += length;
    this.pump();
  }

  /** Whether what was written has left, as far as the peer's windows and the socket go. */
  get isDrained(): boolean {
    return this.#pendingBytes === 0 && !this.host.output.isBackedUp;
  }

  /** Ends the answer, after all that was written. @param trailers null: with no more to say */
  finish(trailers: Buffer | null): void {
    if (this.isClosed) {
      return;
    }
    if (this.#pendingBytes > 0) {
      this.#end = { trailers };
      return;
    }
    if (trailers) {
      this.#headers(trailers, frameFlag.endStream);
    } else {
      this.host.output.frame(frameType.data, frameFlag.endStream, this.id, [], 0);
    }
    if (this.isRemoteClosed) {
      this.host.close(this);
    } else {
      // The peer need not send the rest.
      this.reset(errorCode.noError);
    }
  }

  reset(code: number): void {
    if (!this.isClosed) {
      writeReset(this.host.output, this.id, code);
      this.host.close(this);
    }
  }

  /** Of the host: nothing more is sent. */
  close(): void {
    this.isClosed = true;
    if (this.#pendingBytes > 0) {
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#end = null;
    }
  }

  /** @throws StreamError if the window would grow over what the protocol allows */
  widen(bytes: number): void {
    this.sendWindow += bytes;
    if (this.sendWindow > windowBytesMax) {
      throw new StreamError(errorCode.flowControlError, 'Expected the window to stay below 2 GiB.');
    }
    this.pump();
  }

  /** Sends what the windows let out. */
  pump(): void {
    const { host } = this;
    while (this.#pendingBytes > 0) {
      const length = Math.min(this.#pendingBytes, host.frameBytesMax, host.sendWindow, this.sendWindow);
      if (length <= 0) {
        // Where its own window is used up, that one's update comes here.
        if (this.sendWindow > 0) {
          host.block(this);
        }
        return;
      }
      this.#data(this.#take(length), length);
    }
    if (this.#end) {
      this.finish(this.#end.trailers);
    }
    if (this.isClosed || this.isDrained) {
      this.receiver.onDrained();
    }
  }

  #take(length: number): Uint8Array[] {
    this.#pendingBytes -= length;
    const taken: Uint8Array[] = [];
    let index = 0;
    for (let rest = length; rest > 0; ) {
      const piece = this.#pending[index]!;
      if (piece.length <= rest) {
        taken.push(piece);
        index++;
      } else {
        taken.push(piece.subarray(0, rest));
        this.#pending[index] = piece.subarray(rest);
      }
      rest -= Math.min(rest, piece.length);
    }
    this.#pending.splice(0, index);
    return taken;
  }

  #data(pieces: readonly Uint8Array[], length: number): void {
    this.host.sendWindow -= length;
    this.sendWindow -= length;
    this.host.output.frame(frameType.data, 0, this.id, pieces, length);
    this.#framedBytes += length;
    while (this.#marks.length > 0 && this.#marks[0]!.bytes <= this.#framedBytes) {
      this.host.output.whenSent(this.#marks.shift()!.onSent);
    }
  }

  #headers(block: Buffer, flags: number): void {
    if (this.isClosed) {
      return;
    }
    const prefix = this.host.takeHeaderPrefix();
    const whole = prefix ? Buffer.concat([prefix, block]) : block;
    const { output, frameBytesMax } = this.host;
    let type: number = frameType.headers;
    let offset = 0;
    do {
      const part = whole.subarray(offset, offset + frameBytesMax);
      offset += part.length;
      const isLast = offset === whole.length;
      output.frame(type, isLast ? flags | frameFlag.endHeaders : flags, this.id, [part], part.length);
      type = frameType.continuation;
      flags = 0;
    } while (offset < whole.length);
  }
}

export function writeReset(output: Output, stream: number, code: number): void {
  output.frame(frameType.rstStream, 0, stream, [uint32(code)], 4);
}

export function writeWindowUpdate(output: Output, stream: number, bytes: number): void {
  output.frame(frameType.windowUpdate, 0, stream, [uint32(bytes)], 4);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
