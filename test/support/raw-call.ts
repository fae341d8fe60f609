import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';

/** What a call of raw bytes got: the gRPC status, or the HTTP status of a server that has none. */
export interface RawAnswer {
  code: number;
  message: string;
  body: Buffer;
}

/** Node's own limit of 10 is for peers that cannot be trusted; here it would stop the sender itself. */
const sessionMegabytesMax = 256;

/** Speaks HTTP/2 to a gRPC server and sends whatever it is told to: frames that no client library would make. */
export class RawCaller {
  private constructor(private readonly session: ClientHttp2Session) {}

  static async connect(port: number): Promise<RawCaller> {
    const session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: sessionMegabytesMax });
    session.on('error', () => {});
    await once(session, 'connect');
    return new RawCaller(session);
  }

  /** One call that sends `body` and ends. @param more headers beside those of every gRPC call */
  call(path: string, body: Uint8Array, more: Record<string, string> = {}): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...more };
      const stream = this.session.request(headers);
      let told: Record<string, unknown> = {};
      const chunks: Buffer[] = [];
      stream.on('response', (first) => {
        told = { ...told, ...first };
      });
      stream.on('trailers', (last) => {
        told = { ...told, ...last };
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      // A server that has answered need not read the rest.
      stream.on('error', (error) => (told['grpc-status'] === undefined ? reject(error) : undefined));
      stream.on('close', () => {
        if (told['grpc-status'] === undefined) {
          reject(new Error(`no gRPC status came, but ${JSON.stringify(told)}`));
          return;
        }
        resolve({
          code: Number(told['grpc-status']),
          message: decodeURIComponent(String(told['grpc-message'] ?? '')),
          body: Buffer.concat(chunks),
        });
      });
      stream.end(body);
    });
  }

  close(): void {
    this.session.destroy();
  }
}

/** A message behind the five bytes that gRPC puts before it. @param declared length, where it is not the true one */
export function frame(message: Uint8Array, isCompressed = false, declared = message.length): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(isCompressed ? 1 : 0, 0);
  header.writeUInt32BE(declared, 1);
  return Buffer.concat([header, message]);
}
