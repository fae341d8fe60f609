import * as fc from 'fast-check';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { contracts } from '../../proto/index.js';
import { implement } from '../../services/platform/handler.js';
import { errorCode, frameFlag, frameType, setting } from '../../services/platform/http2/protocol.js';
import { deferred, untilAborted } from '../support/kit-server.js';
import { frame } from '../support/raw-call.js';
import { frameBytes, RawPeer, uint32 } from '../support/raw-peer.js';
import { startWatchedServer, type WatchedServer } from '../support/watched-server.js';

const service = '/millrace.v1.RegistryService';
const nothing = { open: 0, blocked: 0, abandoned: 0, held: 0 };

/** Calls of methods that have begun, and how each of them ended: by its signal's reason, or well. */
let begun = 0;
const ended: string[] = [];

beforeEach(() => {
  begun = 0;
  ended.length = 0;
});

async function watched<T>(work: () => Promise<T>): Promise<T> {
  begun++;
  try {
    const result = await work();
    ended.push('well');
    return result;
  } catch (error) {
    ended.push((error as { code: string }).code);
    throw error;
  }
}

const implementation = implement(contracts.registry, {
  /** Never answers. */
  GetModel: (_, { signal }) => watched(() => untilAborted(signal)),
  /** An answer of 100 KB at once. */
  CreateModelVersion: () => watched(async () => ({ digest: 'x'.repeat(100_000) })),
  UploadBlob: (requests) =>
    watched(async () => {
      for await (const _ of requests) {
        // Only to read them.
      }
      return {};
    }),
  async *DownloadBlob(_request, { signal }) {
    begun++;
    try {
      for (;;) {
        yield { chunk: Buffer.alloc(50_000) };
      }
    } finally {
      ended.push(signal.aborted ? 'CANCELLED' : 'well');
    }
  },
});

const message = frame(Buffer.alloc(0));

async function start(settings: Parameters<typeof RawPeer.connect>[1] = []) {
  const server = await startWatchedServer(implementation);
  const peer = await RawPeer.connect(server.port, settings);
  await peer.settle();
  return { server, peer, counts: () => server.connections[0]!.counts };
}

/** Timers of 9 hours, as the deadlines here have them. */
function watchTimers() {
  const setting = vi.spyOn(globalThis, 'setTimeout');
  const clearing = vi.spyOn(globalThis, 'clearTimeout');
  onTestFinished(() => void vi.restoreAllMocks());
  const isOurs = (index: number) => setting.mock.calls[index]![1] === 9 * 3_600_000;
  const set = () => setting.mock.results.filter((_, index) => isOurs(index)).map(({ value }) => value);
  return { set, left: () => set().filter((timer) => !clearing.mock.calls.some(([cleared]) => cleared === timer)) };
}

function reset(peer: RawPeer, stream: number): void {
  peer.send(frameType.rstStream, 0, stream, uint32(errorCode.cancel));
}

describe('a stream that the client resets', () => {
  it('before its request is whole leaves nothing', async () => {
    const { peer, counts } = await start();
    const timers = watchTimers();
    peer.begin(1, `${service}/GetModel`, [['grpc-timeout', '9H']]);
    peer.send(frameType.data, 0, 1, message.subarray(0, 3));
    await peer.settle();
    expect(counts()).toEqual({ ...nothing, open: 1 });
    reset(peer, 1);
    await peer.settle();
    expect(counts()).toEqual(nothing);
    expect(begun).toBe(0);
    expect(timers.set()).toHaveLength(1);
    expect(timers.left()).toEqual([]);
  });

  it('while it uploads aborts the method', async () => {
    const { peer, server, counts } = await start();
    peer.begin(1, `${service}/UploadBlob`);
    peer.send(frameType.data, 0, 1, message);
    await peer.settle();
    expect(begun).toBe(1);
    reset(peer, 1);
    await peer.settle();
    await server.active.ended();
    expect(ended).toEqual(['CANCELLED']);
    expect(counts()).toEqual(nothing);
  });

  it('while the method computes aborts it', async () => {
    const { peer, server, counts } = await start();
    peer.call(1, `${service}/GetModel`);
    await peer.settle();
    expect(counts()).toEqual({ ...nothing, open: 1, held: 1 });
    reset(peer, 1);
    await peer.settle();
    await server.active.ended();
    expect(ended).toEqual(['CANCELLED']);
    expect(counts()).toEqual(nothing);
  });

  it.each([
    ['its own window', [[setting.initialWindowSize, 10]], 0],
    ['that of the connection', [[setting.initialWindowSize, 1_000_000]], 1],
  ] as const)('while its answer is held up by %s leaves nothing', async (_, settings, blocked) => {
    const { peer, server, counts } = await start(settings.map(([name, value]) => [name, value]));
    for (const [stream, method] of [
      [1, 'CreateModelVersion'],
      [3, 'DownloadBlob'],
    ] as const) {
      peer.call(stream, `${service}/${method}`);
      await peer.settle();
      expect(counts()).toMatchObject({ open: 1, blocked });
      reset(peer, stream);
      await peer.settle();
      await server.active.ended();
      expect(counts()).toEqual(nothing);
    }
    expect(ended).toEqual(['well', 'CANCELLED']);
  });

  it('after its answer is no mistake', async () => {
    const { peer, counts } = await start([[setting.initialWindowSize, 1_000_000]]);
    peer.send(frameType.windowUpdate, 0, 0, uint32(1_000_000));
    peer.call(1, `${service}/CreateModelVersion`);
    await peer.trailers(1);
    reset(peer, 1);
    peer.send(frameType.windowUpdate, 0, 1, uint32(10));
    await peer.settle();
    expect(counts()).toEqual(nothing);
  });
});

it('an answer leaves by single bytes where the client grants no more at once', async () => {
  const { peer, counts } = await start([[setting.initialWindowSize, 1]]);
  peer.send(frameType.windowUpdate, 0, 0, uint32(1_000_000));
  peer.call(1, `${service}/CreateModelVersion`);
  const update = frameBytes(frameType.windowUpdate, 0, 1, uint32(1));
  for (let i = 0; i < 101; i++) {
    peer.socket.write(Buffer.concat(Array.from({ length: 1_000 }, () => update)));
  }
  expect((await peer.trailers(1))['grpc-status']).toBe('0');
  const parts = peer.frames.filter(({ type }) => type === frameType.data).map(({ payload }) => payload);
  expect(parts.length).toBeGreaterThan(90_000);
  const bytes = Buffer.concat(parts);
  const { responseDeserialize } = contracts.registry.definition.CreateModelVersion!;
  expect(responseDeserialize(bytes.subarray(5))).toMatchObject({ digest: 'x'.repeat(100_000) });
  expect(counts()).toEqual(nothing);
});

describe('what is on its way to a stream that the server has ended', () => {
  it('is taken, and its window given back to the connection', async () => {
    const { peer, counts } = await start();
    peer.begin(1, `${service}/GetModel`);
    // More than one message: refused at once, while the client goes on.
    peer.send(frameType.data, 0, 1, Buffer.concat([message, message]));
    expect((await peer.trailers(1))['grpc-status']).toBe('12');
    expect(await peer.resetCode(1)).toBe(errorCode.noError);
    for (let i = 0; i < 700; i++) {
      peer.send(frameType.data, 0, 1, Buffer.alloc(16_384));
    }
    peer.begin(1, `${service}/GetModel`, [], frameFlag.endHeaders | frameFlag.endStream);
    await peer.settle();
    expect(counts()).toEqual(nothing);
    const isGrant = ({ type, stream }: { type: number; stream: number }) =>
      type === frameType.windowUpdate && stream === 0;
    const granted = peer.frames.filter(isGrant).reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
    expect(granted).toBeGreaterThan(16 * 1024 ** 2);
  });

  it('is taken also when there are more such streams than are remembered', async () => {
    const { peer, counts } = await start();
    for (let stream = 1; stream < 4_000; stream += 2) {
      peer.begin(stream, `${service}/GetModel`);
      peer.send(frameType.data, 0, stream, Buffer.concat([message, message]));
    }
    await peer.resetCode(3_999);
    for (let stream = 1; stream < 4_000; stream += 2) {
      peer.send(frameType.data, frameFlag.endStream, stream, message);
    }
    await peer.settle();
    expect(counts()).toEqual(nothing);
  });

  it('is none after its end', async () => {
    const { peer } = await start();
    peer.call(1, `${service}/GetModel`);
    peer.send(frameType.data, 0, 1, message);
    expect(await peer.resetCode(1)).toBe(errorCode.streamClosed);
    await expect.poll(() => ended).toEqual(['CANCELLED']);
  });
});

describe('a request that is no request', () => {
  it.each([
    ['ends within a message', frame(Buffer.alloc(1), false, 2), '3'],
    ['holds something else than messages', Buffer.from([7, 0, 0, 0, 0]), '13'],
  ])('because it %s is not taken for a whole one by its method', async (_, bytes, status) => {
    const { peer, server } = await start();
    peer.begin(1, `${service}/UploadBlob`);
    peer.send(frameType.data, frameFlag.endStream, 1, Buffer.concat([message, bytes]));
    expect((await peer.trailers(1))['grpc-status']).toBe(status);
    await server.active.ended();
    expect(ended).toEqual(['CANCELLED']);
  });

  it.each(['7', '0', 'x', ''])('because it is not as long as it says (%s) ends alone', async (length) => {
    const { peer, counts } = await start();
    peer.call(1, `${service}/GetModel`, Buffer.alloc(0), [['content-length', length]]);
    expect(await peer.resetCode(1)).toBe(errorCode.protocolError);
    await peer.settle();
    expect(counts()).toEqual(nothing);
    expect(begun).toBe(0);
  });
});

describe('a deadline', () => {
  it.each(['GetModel', 'UploadBlob'])('passes also while the body is still coming, of %s', async (method) => {
    const { peer, server } = await start();
    peer.begin(1, `${service}/${method}`, [['grpc-timeout', '30m']]);
    peer.send(frameType.data, 0, 1, frame(Buffer.alloc(10), false, 20));
    expect((await peer.trailers(1))['grpc-status']).toBe('4');
    expect(await peer.resetCode(1)).toBe(errorCode.noError);
    await server.active.ended();
    expect(ended).toEqual(method === 'UploadBlob' ? ['DEADLINE_EXCEEDED'] : []);
  });

  it('ends an answer that nobody takes', async () => {
    const { peer, counts } = await start([[setting.initialWindowSize, 0]]);
    peer.call(1, `${service}/CreateModelVersion`, Buffer.alloc(0), [['grpc-timeout', '100m']]);
    expect(await peer.resetCode(1)).toBe(errorCode.cancel);
    expect(counts()).toEqual(nothing);
    expect(ended).toEqual(['well']);
  });

  it('is forgotten once the answer is taken', async () => {
    const { peer, counts } = await start([[setting.initialWindowSize, 0]]);
    const timers = watchTimers();
    peer.call(1, `${service}/CreateModelVersion`, Buffer.alloc(0), [['grpc-timeout', '9H']]);
    await peer.settle();
    expect(timers.left()).toHaveLength(1);
    peer.send(frameType.windowUpdate, 0, 0, uint32(1_000_000));
    peer.send(frameType.windowUpdate, 0, 1, uint32(1_000_000));
    await peer.trailers(1);
    expect(counts()).toEqual(nothing);
    expect(timers.set()).toHaveLength(1);
    expect(timers.left()).toEqual([]);
  });
});

describe('a connection', () => {
  const actions = fc.array(
    fc.record({
      what: fc.constantFrom('begin', 'call', 'data', 'end', 'reset', 'window', 'settings', 'ping', 'wait'),
      method: fc.constantFrom('GetModel', 'CreateModelVersion', 'UploadBlob', 'DownloadBlob', 'Unknown'),
      stream: fc.nat(7),
      cut: fc.nat(20),
    }),
    { minLength: 1, maxLength: 20 },
  );

  async function play(server: WatchedServer, script: { what: string; method: string; stream: number; cut: number }[]) {
    const peer = await RawPeer.connect(server.port);
    let next = 1;
    for (const { what, method, stream, cut } of script) {
      const id = 2 * stream + 1;
      if (what === 'begin' || what === 'call') {
        peer[what](next, `${service}/${method}`);
        next += 2;
      } else if (what === 'wait') {
        await new Promise((resolve) => setTimeout(resolve, cut / 10));
      } else if (id < next) {
        const bytes: Record<string, Buffer> = {
          data: frameBytes(frameType.data, 0, id, message),
          end: frameBytes(frameType.data, frameFlag.endStream, id),
          reset: frameBytes(frameType.rstStream, 0, id, uint32(8)),
          window: frameBytes(frameType.windowUpdate, 0, id, uint32(1 + 1_000 * cut)),
          settings: frameBytes(frameType.settings, 0, 0, Buffer.from([0, 4, 0, 0, cut, 0])),
          ping: frameBytes(frameType.ping, 0, 0, Buffer.alloc(8)),
        };
        peer.socket.write(cut === 0 ? bytes[what]!.subarray(0, 5) : bytes[what]!);
      }
    }
    const last = script.at(-1)!.cut;
    last % 3 === 0 ? peer.socket.resetAndDestroy() : last % 3 === 1 ? peer.socket.destroy() : peer.socket.end();
    await peer.closed();
  }

  it('that closes at any moment tells all its methods', { timeout: 120_000 }, async () => {
    const escaped: unknown[] = [];
    process.on('unhandledRejection', (error) => escaped.push(error));
    const server = await startWatchedServer(implementation);
    await fc.assert(
      fc.asyncProperty(actions, async (script) => {
        await play(server, script);
        await server.active.ended();
        const { length } = server.connections;
        await expect.poll(() => server.connections[length - 1]?.counts.open ?? 0).toBe(0);
        expect(ended).toHaveLength(begun);
      }),
      { numRuns: 1_000 },
    );
    await server.active.ended();
    // One whose peer had left before the server came to accept it may be the last to notice.
    const left = () => server.connections.filter(({ counts }) => counts.open + counts.blocked + counts.held > 0);
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
    expect(begun).toBeGreaterThan(500);
    expect(escaped).toEqual([]);
  });

  it('that breaks the rules tells all its methods at once, although its client does not read', async () => {
    const { peer, server } = await start();
    peer.call(1, `${service}/GetModel`);
    peer.begin(3, `${service}/UploadBlob`);
    await peer.settle();
    peer.socket.pause();
    peer.send(frameType.data, 0, 0, message);
    await server.active.ended();
    expect(ended).toEqual(['CANCELLED', 'CANCELLED']);
  });
});

it('a stream that depends on itself ends the connection', async () => {
  const { peer } = await start();
  peer.send(frameType.headers, frameFlag.endHeaders | frameFlag.priority, 1, Buffer.from([0, 0, 0, 1, 0, 0x82]));
  expect(await peer.goAwayCode()).toBe(errorCode.protocolError);
});

it('a method that ends late keeps its place', async () => {
  const go = deferred();
  const server = await startWatchedServer(
    implement(contracts.registry, { GetModel: () => watched(() => go.promise.then(() => ({}))) }),
  );
  const peer = await RawPeer.connect(server.port);
  const streams = Array.from({ length: 10_001 }, (_, i) => 2 * i + 1);
  for (const stream of streams) {
    peer.call(stream, `${service}/GetModel`);
    reset(peer, stream);
  }
  expect(await peer.resetCode(streams.at(-1)!)).toBe(errorCode.refusedStream);
  expect(begun).toBe(10_000);
  go.resolve();
  await server.active.ended();
  expect(server.connections[0]!.counts).toEqual(nothing);
});
