import { createServer, type Server, type Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { type CallHead, readCallHead } from './call-head.js';
import { clip } from './errors.js';
import { Http2Connection } from './http2/connection.js';
import { encodeHeaders, type Header } from './http2/hpack.js';
import { deaf, type Http2Stream, type StreamReceiver } from './http2/stream.js';
import type { Logger } from './log.js';
import { type Route, ServerCall } from './server-call.js';

/** Characters of what a caller has sent, in what it is told. */
const shownMax = 200;

/** Serves gRPC calls on connections, over an HTTP/2 of its own. */
export class CallServer {
  readonly #connections = new Set<Http2Connection>();
  #listener: Server | null = null;
  #isDraining = false;
  #onEmpty: (() => void) | null = null;

  /** @param messageBytesMax of one message in either direction */
  constructor(
    private readonly routes: ReadonlyMap<string, Route>,
    private readonly messageBytesMax: number,
    private readonly log: Logger,
  ) {}

  /** @param port 0: any free port. @returns the port */
  listen(host: string, port: number): Promise<number> {
    const listener = createServer((socket) => this.serve(socket));
    this.#listener = listener;
    return new Promise((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(port, host, () => {
        listener.off('error', reject);
        // One connection could not be accepted: the next one may be.
        listener.on('error', (error) => this.log.warn({ err: error }, 'connection not accepted'));
        const address = listener.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  /** Serves a connection. */
  serve(socket: Socket): Http2Connection {
    const connection = new Http2Connection(socket, (stream, headers) => this.#accept(stream, headers));
    this.#connections.add(connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) {
        this.#onEmpty?.();
      }
    });
    if (this.#isDraining) {
      connection.drain();
    }
    return connection;
  }

  /** Takes no more connections or calls; resolves once those there are have ended. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#listener?.close();
    for (const connection of this.#connections) {
      connection.drain();
    }
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }

  /** Ends what is left. */
  destroy(): void {
    for (const connection of this.#connections) {
      connection.destroy();
    }
  }

  #accept(stream: Http2Stream, headers: readonly Header[] | null): StreamReceiver {
    if (!headers) {
      return reject(stream, grpc.status.RESOURCE_EXHAUSTED, 'Expected fewer or shorter headers.');
    }
    const head = readCallHead(headers);
    stream.contentLength = head.contentLength;
    if (!head.isPost || !head.isGrpc) {
      return new NotGrpc(stream, head.isPost ? '415' : '405');
    }
    const route = this.routes.get(head.path);
    if (!route) {
      return reject(
        stream,
        grpc.status.UNIMPLEMENTED,
        `The server does not implement the method ${clip(head.path, shownMax)}`,
      );
    }
    if (Number.isNaN(head.timeoutMs)) {
      return reject(stream, grpc.status.INTERNAL, `Invalid grpc-timeout value "${clip(timeoutOf(head), shownMax)}"`);
    }
    const call = new ServerCall(stream, head, route, this.messageBytesMax);
    if (route.requestStream) {
      route.start(call);
    }
    return call;
  }
}

/** Tells those who speak HTTP/2, but not gRPC, that they are at the wrong door. */
class NotGrpc implements StreamReceiver {
  constructor(
    private readonly stream: Http2Stream,
    private readonly status: '405' | '415',
  ) {}

  onData(bytes: Buffer): void {
    this.stream.grant(bytes.length);
  }

  onEnd(): void {
    this.stream.respond(
      encodeHeaders([
        [':status', this.status],
        ['content-type', 'text/plain'],
        ['allow', 'POST'],
        ['accept', 'application/grpc'],
      ]),
    );
    this.stream.write([notGrpcText], notGrpcText.length);
    this.stream.finish(null);
  }

  onGone(): void {}

  onDrained(): void {}
}

const notGrpcText = Buffer.from('This port speaks gRPC: POST with content-type application/grpc.\n');

function timeoutOf({ headers }: CallHead): string {
  return headers.find(([name]) => name === 'grpc-timeout')![1];
}

function reject(stream: Http2Stream, code: grpc.status, details: string): StreamReceiver {
  stream.finish(
    encodeHeaders([
      [':status', '200'],
      ['content-type', 'application/grpc+proto'],
      ['grpc-status', String(code)],
      ['grpc-message', encodeURI(details)],
    ]),
  );
  return deaf;
}
