import { once } from 'node:events';
import { type ClientHttp2Session, type ClientSessionOptions, connect, type OutgoingHttpHeaders } from 'node:http2';

/** What a call that waits in vain ends with. */
export const noAnswer = 'no answer';
/** Silence for so long is no answer. */
const patienceMs = 30_000;

export interface RawCall {
  port: number;
  method: string;
  /** What is sent, whatever it is. */
  body: Uint8Array;
  headers?: OutgoingHttpHeaders;
}

/** Makes a call of gRPC out of any bytes, on a connection of its own. @returns the status, or null if there came none */
export async function rawCall({ port, method, body, headers }: RawCall): Promise<string | null> {
  const session = await open(port);
  const stream = session.request({ ...requestHeaders(method), ...headers });
  let status: string | null = null;
  for (const event of ['response', 'trailers'] as const) {
    stream.on(event, (received) => {
      status = (received['grpc-status'] as string | undefined) ?? status;
    });
  }
  stream.on('error', () => undefined);
  stream.on('end', () => stream.close());
  stream.resume();
  stream.end(body);
  session.setTimeout(patienceMs, () => {
    status = noAnswer;
    session.destroy();
  });
  await once(stream, 'close');
  session.destroy();
  return status;
}

export function requestHeaders(method: string): OutgoingHttpHeaders {
  return {
    ':method': 'POST',
    ':path': `/inference.GRPCInferenceService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  };
}

/** A connection whose end is no news to anybody. */
export async function open(port: number, options: ClientSessionOptions = {}): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, options);
  session.on('error', () => undefined);
  await Promise.race([
    once(session, 'connect'),
    once(session, 'close').then(() => {
      throw new Error('the server closed the connection before it was open');
    }),
  ]);
  return session;
}
