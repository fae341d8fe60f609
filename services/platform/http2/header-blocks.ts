import { dependsOnItself, expectStream, unpadded } from './frame-checks.js';
import { ConnectionError, errorCode, frameFlag, frameHeadBytes, frameType } from './protocol.js';

/** The headers of a stream as they were sent. */
export interface HeaderBlock {
  stream: number;
  /** Nothing follows on the stream. */
  isLast: boolean;
  bytes: Buffer;
}

/** Of a block, with what its frames cost. */
const blockBytesMax = 65_536;
const priorityBytes = 5;

/** Puts together headers that come in several frames, between which there may be no other. */
export class HeaderBlocks {
  #unfinished: { stream: number; isLast: boolean; parts: Buffer[]; bytes: number } | null = null;

  /** @throws ConnectionError if more headers must come, but something else does */
  expectContinuation(type: number, stream: number): void {
    const isContinuation = type === frameType.continuation;
    if (this.#unfinished ? !isContinuation || stream !== this.#unfinished.stream : isContinuation) {
      const expected = this.#unfinished ? 'CONTINUATION to follow' : 'no CONTINUATION without HEADERS';
      throw new ConnectionError(errorCode.protocolError, `Expected ${expected}.`);
    }
  }

  /** HEADERS. @returns null: there is more to come. @throws ConnectionError */
  begin(flags: number, stream: number, payload: Buffer): HeaderBlock | null {
    expectStream(stream, 'HEADERS');
    let part = unpadded(flags, payload);
    if (flags & frameFlag.priority) {
      if (part.length < priorityBytes) {
        throw new ConnectionError(errorCode.frameSizeError, `Expected ${priorityBytes} bytes of priority.`);
      }
      if (dependsOnItself(stream, part)) {
        // Not of the stream alone: its block would be missing for the headers of those after it.
        throw new ConnectionError(errorCode.protocolError, `Expected stream ${stream} not to depend on itself.`);
      }
      part = part.subarray(priorityBytes);
    }
    const isLast = (flags & frameFlag.endStream) !== 0;
    if (flags & frameFlag.endHeaders) {
      return { stream, isLast, bytes: part };
    }
    this.#unfinished = { stream, isLast, parts: [part], bytes: part.length };
    return null;
  }

  /** CONTINUATION, as was expected. @returns null: there is more to come. @throws ConnectionError */
  continue(flags: number, payload: Buffer): HeaderBlock | null {
    const unfinished = this.#unfinished!;
    unfinished.parts.push(payload);
    unfinished.bytes += payload.length + frameHeadBytes;
    if (unfinished.bytes > blockBytesMax) {
      throw new ConnectionError(errorCode.enhanceYourCalm, `Expected at most ${blockBytesMax} bytes of headers.`);
    }
    if ((flags & frameFlag.endHeaders) === 0) {
      return null;
    }
    this.#unfinished = null;
    const { stream, isLast, parts } = unfinished;
    return { stream, isLast, bytes: Buffer.concat(parts) };
  }
}
