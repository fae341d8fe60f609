import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contracts } from '../../proto/index.js';
import { implement } from '../../services/platform/handler.js';
import { encodeHeaders, type Header } from '../../services/platform/http2/hpack.js';
import { errorCode, frameFlag, frameType } from '../../services/platform/http2/protocol.js';
import { startKitServer } from '../support/kit-server.js';
import { frame } from '../support/raw-call.js';
import { callHeaders, RawPeer } from '../support/raw-peer.js';

const getModel = '/millrace.v1.RegistryService/GetModel';
const uploadBlob = '/millrace.v1.RegistryService/UploadBlob';

const escaped: unknown[] = [];
const note = (error: unknown) => void escaped.push(error);

beforeEach(() => {
  escaped.length = 0;
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});

afterEach(() => {
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  expect(escaped).toEqual([]);
});

/** What the method is told of its callers. */
async function start() {
  const seen: Record<string, unknown>[] = [];
  const implementation = implement(contracts.registry, {
    GetModel: async ({ name }, { metadata, requestId }) => {
      const all = (key: string) => metadata.get(key).map((value) => value.toString());
      seen.push({ requestId, a: all('a-bin'), b: all('b'), constructor: all('constructor'), proto: all('__proto__') });
      return { name };
    },
    UploadBlob: async (requests) => {
      for await (const _ of requests) {
        // Only to read them.
      }
      return {};
    },
  });
  const server = await startKitServer(implementation);
  return { port: server.port, peer: await RawPeer.connect(server.port), seen };
}

describe('a call whose metadata', () => {
  it.each([
    ['is not ASCII', '\u00fc'],
    ['holds a control character', 'a\u0001'],
  ])('has a request id that %s is answered, with another id', async (_, id) => {
    const { peer, seen } = await start();
    const more: Header[] = [['x-request-id', id]];
    peer.call(1, getModel, Buffer.alloc(0), more);
    expect((await peer.trailers(1))['grpc-status']).toBe('0');
    expect(seen[0]!.requestId).toMatch(/^[0-9a-f-]{36}$/);
    peer.begin(3, uploadBlob, more);
    peer.send(frameType.data, frameFlag.endStream, 3, frame(Buffer.from('x'), false, 2));
    expect((await peer.trailers(3))['grpc-status']).toBe('3');
  });

  it('has names that objects have anyway is answered, and its method sees them', async () => {
    const { peer, seen } = await start();
    peer.call(1, getModel, Buffer.alloc(0), [
      ['constructor', 'c'],
      ['__proto__', 'p'],
      ['b', '1'],
      ['b', '2'],
    ]);
    expect((await peer.trailers(1))['grpc-status']).toBe('0');
    expect(seen).toMatchObject([{ b: ['1', '2'], constructor: ['c'], proto: ['p'] }]);
  });

  it('is binary reaches the method, whether its values are joined, padded, or neither', async () => {
    const { peer, seen } = await start();
    peer.call(1, getModel, Buffer.alloc(0), [
      ['a-bin', 'YQ==,YmI'],
      ['a-bin', 'Y2Nj'],
    ]);
    expect((await peer.trailers(1))['grpc-status']).toBe('0');
    expect(seen).toMatchObject([{ a: ['a', 'bb', 'ccc'] }]);
  });
});

describe('a call', () => {
  it.each(['constructor', '__proto__', 'hasOwnProperty', 'br', ''])(
    'compressed by `%s` is UNIMPLEMENTED, and told what is known',
    async (encoding) => {
      const { peer } = await start();
      for (const [stream, path] of [
        [1, getModel],
        [3, uploadBlob],
      ] as const) {
        peer.begin(stream, path, [['grpc-encoding', encoding]]);
        peer.send(frameType.data, frameFlag.endStream, stream, frame(gzipSync('x'), true));
        const trailers = await peer.trailers(stream);
        expect(trailers).toMatchObject({ 'grpc-status': '12', 'grpc-accept-encoding': 'identity,deflate,gzip' });
      }
    },
  );

  it('of a long path that is unknown gets a short answer', async () => {
    const { peer } = await start();
    peer.call(1, `/${'\u00e4'.repeat(10_000)}`);
    const trailers = await peer.trailers(1);
    expect(trailers['grpc-status']).toBe('12');
    expect(trailers['grpc-message']!.length).toBeLessThan(2_000);
  });

  it.each([
    ['empty', ''],
    ['without a unit', '1'],
    ['of an unknown unit', '1s'],
    ['negative', '-1S'],
    ['fractional', '1.5S'],
    ['of 9 digits', '123456789S'],
    ['of 9,000 characters', 'x'.repeat(9_000)],
  ])('of a timeout that is %s is refused', async (_, timeout) => {
    const { peer } = await start();
    peer.call(1, getModel, Buffer.alloc(0), [['grpc-timeout', timeout]]);
    const trailers = await peer.trailers(1);
    expect(trailers['grpc-status']).toBe('13');
    expect(trailers['grpc-message']!.length).toBeLessThan(1_000);
  });

  it('may have a timeout in every unit', async () => {
    const { peer } = await start();
    for (const [index, timeout] of ['99999999H', '100M', '100S', '99999m', '99999999u'].entries()) {
      peer.call(2 * index + 1, getModel, Buffer.alloc(0), [['grpc-timeout', timeout]]);
      expect((await peer.trailers(2 * index + 1))['grpc-status']).toBe('0');
    }
    for (const [index, timeout] of ['99999999n', '5m', '0S', '1n', '1u'].entries()) {
      // Its body never comes.
      peer.begin(2 * index + 101, getModel, [['grpc-timeout', timeout]]);
      expect((await peer.trailers(2 * index + 101))['grpc-status']).toBe('4');
    }
  });

  it('of headers over the limit is RESOURCE_EXHAUSTED, and the next one is answered', async () => {
    const { peer } = await start();
    const long = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0x81, 0x0f]), Buffer.alloc(2_048, 'x')]);
    const block = Buffer.concat([encodeHeaders(callHeaders(getModel)), long, Buffer.alloc(40, 0xbe)]);
    peer.send(frameType.headers, frameFlag.endHeaders | frameFlag.endStream, 1, block);
    expect((await peer.trailers(1))['grpc-status']).toBe('8');
    peer.call(3, getModel);
    expect((await peer.trailers(3))['grpc-status']).toBe('0');
  });

  it('of headers that HTTP/2 does not allow ends alone, also while its body is on its way', async () => {
    const { peer } = await start();
    for (const [index, header] of [
      ['Big', '1'],
      ['connection', 'close'],
      ['a', 'b\nc'],
    ].entries()) {
      const stream = 4 * index + 1;
      peer.begin(stream, getModel, [header as unknown as Header]);
      peer.send(frameType.data, 0, stream, Buffer.alloc(100));
      peer.send(frameType.data, frameFlag.endStream, stream, Buffer.alloc(100));
      expect(await peer.resetCode(stream)).toBe(errorCode.protocolError);
      peer.call(stream + 2, getModel);
      expect((await peer.trailers(stream + 2))['grpc-status']).toBe('0');
    }
  });

  it('of headers that never end is the last one of its connection', async () => {
    const { peer } = await start();
    peer.begin(1, getModel, [], 0);
    for (let i = 0; i < 10_000; i++) {
      peer.send(frameType.continuation, 0, 1);
    }
    expect(await peer.goAwayCode()).toBe(errorCode.enhanceYourCalm);
    await peer.closed();
  });
});
