import { ConnectionError, errorCode, frameFlag, windowBytesMax } from './protocol.js';

/** What frames must be like, RFC 9113, section 6. @throws ConnectionError as it says there */

/** The payload of a frame without its padding, if it has any. */
export function unpadded(flags: number, payload: Buffer): Buffer {
  if ((flags & frameFlag.padded) === 0) {
    return payload;
  }
  const padding = payload[0] ?? 0;
  if (payload.length < 1 + padding) {
    throw new ConnectionError(errorCode.protocolError, 'Expected less padding than the frame has bytes.');
  }
  return payload.subarray(1, payload.length - padding);
}

export function expectStream(id: number, frame: string): void {
  if (id === 0) {
    throw new ConnectionError(errorCode.protocolError, `Expected ${frame} on a stream.`);
  }
}

export function expectConnection(id: number, frame: string): void {
  if (id !== 0) {
    throw new ConnectionError(errorCode.protocolError, `Expected ${frame} on no stream but received it on ${id}.`);
  }
}

export function expectSize(payload: Buffer, bytes: number, frame: string): void {
  if (payload.length !== bytes) {
    throw new ConnectionError(errorCode.frameSizeError, `Expected ${bytes} bytes in ${frame}.`);
  }
}

/** @param priority begins with the stream that this one depends on */
export function dependsOnItself(id: number, priority: Buffer): boolean {
  return (priority.readUInt32BE() & windowBytesMax) === id;
}
