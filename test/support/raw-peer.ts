import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { FrameReader } from '../../services/platform/http2/frame-reader.js';
import { encodeHeaders, type Header, HeaderDecoder } from '../../services/platform/http2/hpack.js';
import { frameFlag, frameType, preface, writeFrameHead } from '../../services/platform/http2/protocol.js';
import { encodeSettings, type Setting } from '../../services/platform/http2/settings.js';

export interface ReceivedFrame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export function frameBytes(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  writeFrameHead(head, 0, payload.length, type, flags, stream);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function callHeaders(path: string, more: readonly Header[] = []): Header[] {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'test'],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ...more,
  ];
}

/** A client that sends any frames, also such as no client should. It does nothing by itself. */
export class RawPeer {
  readonly frames: ReceivedFrame[] = [];
  readonly #decoder = new HeaderDecoder();
  #changed: (() => void)[] = [];

  private constructor(readonly socket: Socket) {
    const reader = new FrameReader((type, flags, stream, payload) => {
      this.frames.push({ type, flags, stream, payload: Buffer.from(payload) });
    });
    socket.on('data', (chunk) => {
      reader.push(chunk);
      this.#tell();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#tell());
  }

  /** @param settings of the client; none is sent before its preface */
  static async connect(port: number, settings: readonly Setting[] = []): Promise<RawPeer> {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    const peer = new RawPeer(socket);
    socket.write(preface);
    peer.send(frameType.settings, 0, 0, encodeSettings(settings));
    return peer;
  }

  send(type: number, flags: number, stream: number, payload?: Uint8Array): void {
    this.socket.write(frameBytes(type, flags, stream, payload));
  }

  /** HEADERS of a call. */
  begin(stream: number, path: string, more: readonly Header[] = [], flags: number = frameFlag.endHeaders): void {
    this.send(frameType.headers, flags, stream, encodeHeaders(callHeaders(path, more)));
  }

  /** A call with one message. @param message not too long for one frame */
  call(stream: number, path: string, message: Uint8Array = Buffer.alloc(0), more: readonly Header[] = []): void {
    this.begin(stream, path, more);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.send(frameType.data, frameFlag.endStream, stream, Buffer.concat([head, message]));
  }

  /** The first frame that is so, when it is there. @throws if the connection closes before */
  async frame(isWanted: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame> {
    for (;;) {
      const found = this.frames.find(isWanted);
      if (found) {
        return found;
      }
      if (this.socket.destroyed) {
        throw new Error(`closed after ${JSON.stringify(this.frames.map(({ type, stream }) => [type, stream]))}`);
      }
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  /** The last headers of a stream, once they are there. */
  async trailers(stream: number): Promise<Record<string, string>> {
    const isLast = (frame: ReceivedFrame) =>
      frame.type === frameType.headers && frame.stream === stream && (frame.flags & frameFlag.endStream) !== 0;
    const { payload } = await this.frame(isLast);
    return Object.fromEntries(this.#decoder.decode(payload, 2 ** 20)!);
  }

  /** The code of the RST_STREAM of a stream. */
  async resetCode(stream: number): Promise<number> {
    return (
      await this.frame((frame) => frame.type === frameType.rstStream && frame.stream === stream)
    ).payload.readUInt32BE();
  }

  /** The code of GOAWAY. */
  async goAwayCode(): Promise<number> {
    return (await this.frame(({ type }) => type === frameType.goAway)).payload.readUInt32BE(4);
  }

  /** Resolves when the server has handled all that was sent. */
  async settle(): Promise<void> {
    const mark = Buffer.alloc(8);
    mark.writeUInt32BE(this.frames.length + 1);
    this.send(frameType.ping, 0, 0, mark);
    await this.frame(({ type, payload }) => type === frameType.ping && payload.equals(mark));
  }

  async closed(): Promise<void> {
    // Not with `once`, which an error ends: the server may be gone while this still writes.
    while (!this.socket.closed) {
      await new Promise<void>((resolve) => this.socket.once('close', resolve));
    }
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) {
      resolve();
    }
  }
}
