import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { contracts } from '../../proto/index.js';
import { ServiceError } from '../../services/platform/errors.js';
import { implement } from '../../services/platform/handler.js';
import { deferred, startKitServer } from '../support/kit-server.js';
import { frame } from '../support/raw-call.js';

const service = '/millrace.v1.RegistryService';

/** 100 KB in which every byte can be told from its neighbours. */
const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >>> 8)) & 0xff));

const go = { upload: deferred() };

const implementation = implement(contracts.registry, {
  GetModel: async ({ name }) => ({ name }),
  ListModels: async () => {
    throw new ServiceError('NOT_FOUND', 'NOTHING', 'There is nothing.');
  },
  async *DownloadBlob() {
    for (let offset = 0; offset < body.length; offset += 25_000) {
      yield { chunk: body.subarray(offset, offset + 25_000) };
    }
  },
  UploadBlob: async (requests) => {
    await go.upload.promise;
    let sizeBytes = 0;
    for await (const { chunk } of requests) {
      sizeBytes += chunk?.length ?? 0;
    }
    return { sizeBytes };
  },
});

type Settings = NonNullable<Parameters<ClientHttp2Session['settings']>[0]>;

async function start(settings: Settings = {}) {
  const server = await startKitServer(implementation);
  const session = connect(`http://127.0.0.1:${server.port}`, { settings, maxSessionMemory: 500 });
  session.on('error', () => undefined);
  onTestFinished(() => session.destroy());
  await once(session, 'remoteSettings');
  // The server's SETTINGS may be there before it has read ours.
  await new Promise((resolve) => session.ping(resolve));
  return session;
}

function begin(session: ClientHttp2Session, method: string, more: IncomingHttpHeaders = {}): ClientHttp2Stream {
  const path = `${service}/${method}`;
  return session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  });
}

/** @returns the messages' bytes together, without their heads, and the trailers */
async function finish(stream: ClientHttp2Stream, messages: Uint8Array) {
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (headers) => {
    trailers = { ...trailers, ...headers };
  });
  stream.on('trailers', (headers) => {
    trailers = { ...trailers, ...headers };
  });
  stream.end(messages);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const contents: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 5 + bytes.readUInt32BE(offset + 1);
    contents.push(bytes.subarray(offset + 5, end));
    offset = end;
  }
  return { contents, trailers };
}

async function download(session: ClientHttp2Session): Promise<Buffer> {
  const { contents, trailers } = await finish(begin(session, 'DownloadBlob'), frame(Buffer.alloc(0)));
  expect(trailers['grpc-status']).toBe('0');
  const { responseDeserialize } = contracts.registry.definition.DownloadBlob!;
  return Buffer.concat(contents.map((bytes) => (responseDeserialize(bytes) as { chunk: Buffer }).chunk));
}

function upload(chunk: Uint8Array): Buffer {
  return frame(contracts.registry.definition.UploadBlob!.requestSerialize({ chunk }));
}

describe("Node's own client", () => {
  it.each([7, 1_000, 65_535, 2 ** 31 - 1])('gets every byte through a window of %d', async (initialWindowSize) => {
    expect((await download(await start({ initialWindowSize }))).equals(body)).toBe(true);
  });

  it.each([16_384, 20_000, 2 ** 24 - 1])('gets every byte in frames of at most %d', async (maxFrameSize) => {
    expect((await download(await start({ maxFrameSize, initialWindowSize: 2 ** 20 }))).equals(body)).toBe(true);
  });

  it('gets every byte although it begins with no window, and changes it again and again', async () => {
    const session = await start({ initialWindowSize: 0 });
    const answers = [1, 2, 3].map(() => download(session));
    let isDone = false;
    const all = Promise.all(answers).finally(() => {
      isDone = true;
    });
    for (let i = 0; !isDone; i++) {
      await new Promise((resolve) => session.settings({ initialWindowSize: [9_000, 3, 40_000, 0][i % 4] }, resolve));
    }
    for (const bytes of await all) {
      expect(bytes.equals(body)).toBe(true);
    }
  });

  it.each([0, 1, 100, 65_536])('keeps a table of headers of %d bytes', async (headerTableSize) => {
    const session = await start({ headerTableSize });
    for (const size of [headerTableSize, 4_096, 0, headerTableSize]) {
      await new Promise((resolve) => session.settings({ headerTableSize: size }, resolve));
      for (let i = 0; i < 5; i++) {
        const id = `id-${i}`;
        const { trailers } = await finish(begin(session, 'GetModel', { 'x-request-id': id }), frame(Buffer.alloc(0)));
        expect(trailers).toMatchObject({ 'grpc-status': '0', 'x-request-id': id });
      }
    }
  });

  it('makes 2,000 calls at once', async () => {
    const session = await start();
    const { requestSerialize, responseDeserialize } = contracts.registry.definition.GetModel!;
    const names = Array.from({ length: 2_000 }, (_, i) => `models/${i}`);
    const answers = await Promise.all(
      names.map((name) => finish(begin(session, 'GetModel'), frame(requestSerialize({ name })))),
    );
    expect(answers.map(({ contents }) => (responseDeserialize(contents[0]!) as { name: string }).name)).toEqual(names);
  });

  it('is held up by a method that does not read, and no other call with it', async () => {
    const session = await start();
    go.upload = deferred();
    const chunk = Buffer.alloc(1_000_000);
    const uploads = Array.from({ length: 3 }, () => {
      const stream = begin(session, 'UploadBlob');
      return { stream, answer: finish(stream, Buffer.concat(Array.from({ length: 20 }, () => upload(chunk)))) };
    });
    // More than the connection's window together.
    for (let i = 0; i < 20; i++) {
      const { trailers } = await finish(begin(session, 'GetModel'), frame(Buffer.alloc(100_000, 0)));
      expect(trailers['grpc-status']).toBe('0');
    }
    for (const { stream } of uploads) {
      expect(stream.writableLength).toBeGreaterThan(0);
    }
    go.upload.resolve();
    const { responseDeserialize } = contracts.registry.definition.UploadBlob!;
    for (const { answer } of uploads) {
      const { contents } = await answer;
      expect(Number((responseDeserialize(contents[0]!) as { sizeBytes: number }).sizeBytes)).toBe(20_000_000);
    }
  });

  it('reads the details of an error from binary metadata', async () => {
    const { trailers } = await finish(begin(await start(), 'ListModels'), frame(Buffer.alloc(0)));
    expect(trailers['grpc-status']).toBe('5');
    const details = Buffer.from(String(trailers['grpc-status-details-bin']), 'base64');
    expect(details.includes('NOTHING')).toBe(true);
  });

  it.each([
    ['GET', 'application/grpc', 405],
    ['POST', 'application/json', 415],
  ])('is told by HTTP that %s of %s is at the wrong door', async (method, type, status) => {
    const session = await start();
    const stream = session.request({ ':method': method, ':path': '/', 'content-type': type }, { endStream: true });
    stream.resume();
    const [headers] = await once(stream, 'response');
    expect(headers).toMatchObject({ ':status': status, allow: 'POST' });
  });
});
