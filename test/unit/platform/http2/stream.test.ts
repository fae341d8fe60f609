import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Output } from '../../../../services/platform/http2/output.js';
import { deaf, Http2Stream, type StreamHost } from '../../../../services/platform/http2/stream.js';

/** A socket that has sent what it was given when the test says so. */
function openStream(sendWindow: number) {
  const waiting: ((error?: Error) => void)[] = [];
  const socket = new Writable({
    write: (_bytes, _encoding, callback) => waiting.push(callback),
    writev: (_parts, callback) => waiting.push(callback),
  });
  socket.on('error', () => undefined);
  const output = new Output(socket);
  const host: StreamHost = {
    output,
    held: 0,
    sendWindow: 1024 ** 2,
    frameBytesMax: 16_384,
    takeHeaderPrefix: () => null,
    block() {},
    close() {},
  };
  const stream = new Http2Stream(1, host, sendWindow);
  stream.receiver = deaf;
  /** Everything that is ready, and what becomes ready by that. */
  const send = async (error?: Error) => {
    output.flush();
    while (waiting.length > 0) {
      waiting.shift()!(error);
      await new Promise(setImmediate);
    }
  };
  return { stream, output, socket, waiting, send };
}

const bytes = Buffer.alloc(50_000);

describe('who writes to a stream', () => {
  it('is told when it has left, not when it was handed to the socket', async () => {
    const { stream, output, send } = openStream(100_000);
    let sent = 0;
    stream.write([bytes], bytes.length, () => sent++);
    output.flush();
    await new Promise(setImmediate);
    expect(sent).toBe(0);
    await send();
    expect(sent).toBe(1);
  });

  it('is told of each message once all of it has left, however the window lets it out', async () => {
    const { stream, send } = openStream(70_000);
    const sent: string[] = [];
    stream.write([bytes.subarray(0, 10), bytes], 10 + bytes.length, () => sent.push('first'));
    stream.write([bytes], bytes.length, () => sent.push('second'));
    stream.write([bytes.subarray(0, 10)], 10);
    await send();
    expect(sent).toEqual(['first']);
    stream.widen(30_000);
    await send();
    expect(sent).toEqual(['first']);
    stream.widen(30_000);
    await send();
    expect(sent).toEqual(['first', 'second']);
  });

  it('is never told of what the socket could not send', async () => {
    const { stream, send } = openStream(100_000);
    let sent = 0;
    stream.write([bytes], bytes.length, () => sent++);
    await send(new Error('gone'));
    stream.write([bytes], bytes.length, () => sent++);
    await send();
    expect(sent).toBe(0);
  });
});
