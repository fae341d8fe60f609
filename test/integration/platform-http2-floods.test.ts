import { describe, expect, it } from 'vitest';
import { contracts } from '../../proto/index.js';
import { implement } from '../../services/platform/handler.js';
import { errorCode, frameFlag, frameType, setting } from '../../services/platform/http2/protocol.js';
import { encodeSettings } from '../../services/platform/http2/settings.js';
import { deferred, startKitServer, untilAborted } from '../support/kit-server.js';
import { frameBytes, RawPeer, uint32 } from '../support/raw-peer.js';

const service = '/millrace.v1.RegistryService';

function start(go: Promise<void>, onBegin: (signal: AbortSignal) => void = () => undefined) {
  return startKitServer(
    implement(contracts.registry, {
      GetModel: async (_, { signal }) => {
        onBegin(signal);
        await Promise.race([go, untilAborted(signal)]);
        return { name: 'x'.repeat(100) };
      },
    }),
  );
}

describe('a client that does not read', () => {
  it('cannot make the server pile up answers to pings', async () => {
    const flood = frameBytes(frameType.ping, 0, 0, Buffer.alloc(8));
    const server = await start(Promise.resolve());
    const peer = await RawPeer.connect(server.port);
    peer.call(1, `${service}/GetModel`);
    await peer.trailers(1);
    peer.socket.pause();
    const chunk = Buffer.concat(Array.from({ length: 5_000 }, () => flood));
    let taken = 0;
    let isOver = false;
    const before = process.memoryUsage();
    const send = () =>
      peer.socket.write(chunk, () => {
        taken += chunk.length;
        isOver || taken > 300_000_000 ? undefined : setImmediate(send);
      });
    send();
    // Until nothing more is taken.
    let seen = -1;
    while (seen !== taken) {
      seen = taken;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    isOver = true;
    expect(taken).toBeLessThan(50_000_000);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(20_000_000);
    // And others are served.
    const other = await RawPeer.connect(server.port);
    other.call(1, `${service}/GetModel`);
    expect((await other.trailers(1))['grpc-status']).toBe('0');
  });
});

describe('a flood', () => {
  it('of settings ends the connection', async () => {
    const server = await start(Promise.resolve());
    const peer = await RawPeer.connect(server.port);
    const change = (bytes: number) =>
      frameBytes(frameType.settings, 0, 0, encodeSettings([[setting.initialWindowSize, bytes]]));
    peer.socket.write(Buffer.concat(Array.from({ length: 2_000 }, (_, i) => change(i % 2))));
    expect(await peer.goAwayCode()).toBe(errorCode.enhanceYourCalm);
    await peer.closed();
  });

  it('of mistakes ends the connection', async () => {
    const server = await start(Promise.resolve());
    const peer = await RawPeer.connect(server.port);
    peer.call(1, `${service}/GetModel`);
    await peer.trailers(1);
    const mistake = frameBytes(frameType.windowUpdate, 0, 1, uint32(0));
    peer.socket.write(Buffer.concat(Array.from({ length: 1_000 }, () => mistake)));
    await peer.settle();
    peer.socket.write(mistake);
    expect(await peer.goAwayCode()).toBe(errorCode.enhanceYourCalm);
  });

  it('of updates of a window that many streams wait for takes little time', async () => {
    const server = await start(Promise.resolve());
    const peer = await RawPeer.connect(server.port, [[setting.initialWindowSize, 1_000_000]]);
    const count = 8_000;
    for (let i = 0; i < count; i++) {
      peer.call(2 * i + 1, `${service}/GetModel`);
    }
    await peer.settle();
    const begin = performance.now();
    peer.socket.write(
      Buffer.concat(Array.from({ length: 20_000 }, () => frameBytes(frameType.windowUpdate, 0, 0, uint32(1)))),
    );
    await peer.settle();
    expect(performance.now() - begin).toBeLessThan(3_000);
    peer.send(frameType.windowUpdate, 0, 0, uint32(10_000_000));
    expect((await peer.trailers(2 * count - 1))['grpc-status']).toBe('0');
  });

  it('of changes of all windows in one frame takes little time', async () => {
    const server = await start(Promise.resolve());
    const peer = await RawPeer.connect(server.port, [[setting.initialWindowSize, 0]]);
    const count = 8_000;
    for (let i = 0; i < count; i++) {
      peer.call(2 * i + 1, `${service}/GetModel`);
    }
    await peer.settle();
    const changes = Array.from({ length: 2_700 }, (_, i): [number, number] => [setting.initialWindowSize, i % 2]);
    const begin = performance.now();
    for (let i = 0; i < 20; i++) {
      peer.send(frameType.settings, 0, 0, encodeSettings(changes));
    }
    await peer.settle();
    expect(performance.now() - begin).toBeLessThan(3_000);
  });
});

describe('a window', () => {
  it.each([
    ['of a stream', 1],
    ['of the connection', 0],
  ])('%s may not grow over 2 GiB', async (_, id) => {
    const go = deferred();
    const server = await start(go.promise);
    const peer = await RawPeer.connect(server.port);
    peer.call(1, `${service}/GetModel`);
    await peer.settle();
    peer.send(frameType.windowUpdate, 0, id, uint32(2 ** 31 - 1));
    const code = id === 0 ? peer.goAwayCode() : peer.resetCode(1);
    expect(await code).toBe(errorCode.flowControlError);
    go.resolve();
  });

  it('that the server grants may not be passed', async () => {
    const server = await startKitServer(
      implement(contracts.registry, { UploadBlob: (_, { signal }) => untilAborted(signal) }),
    );
    const peer = await RawPeer.connect(server.port);
    peer.begin(1, `${service}/UploadBlob`);
    // Two messages that nobody takes: what follows must wait.
    const message = Buffer.concat([Buffer.from([0, 0, 0, 0x3f, 0xfb]), Buffer.alloc(16_379)]);
    for (let i = 0; i < 64; i++) {
      peer.send(frameType.data, 0, 1, message);
    }
    await peer.settle();
    expect(peer.frames.some(({ stream }) => stream === 1)).toBe(false);
    peer.send(frameType.data, 0, 1, message);
    expect(await peer.resetCode(1)).toBe(errorCode.flowControlError);
  });
});

describe('draining', () => {
  async function drain() {
    const signals: AbortSignal[] = [];
    const go = deferred();
    const server = await start(go.promise, (signal) => signals.push(signal));
    const peer = await RawPeer.connect(server.port);
    peer.call(1, `${service}/GetModel`);
    await peer.settle();
    const stopped = server.stop(20_000);
    const notice = await peer.frame(({ type }) => type === frameType.goAway);
    expect(notice.payload.readUInt32BE(0)).toBe(2 ** 31 - 1);
    const ping = await peer.frame(({ type, payload }) => type === frameType.ping && payload.toString() === 'draining');
    const lastStreams = () =>
      peer.frames.filter(({ type }) => type === frameType.goAway).map(({ payload }) => payload.readUInt32BE(0));
    return { peer, go, stopped, ping, lastStreams, signals };
  }

  it('answers calls that come before the client has heard of it, and passes over those after', async () => {
    const { peer, go, stopped, ping, lastStreams } = await drain();
    peer.call(3, `${service}/GetModel`);
    peer.send(frameType.ping, frameFlag.ack, 0, ping.payload);
    // Also what belongs to one that came too late is no mistake.
    peer.begin(5, `${service}/GetModel`);
    peer.send(frameType.data, 0, 5, Buffer.alloc(5));
    peer.send(frameType.windowUpdate, 0, 5, uint32(10));
    peer.begin(7, `${service}/GetModel`);
    peer.send(frameType.rstStream, 0, 7, uint32(errorCode.cancel));
    await peer.settle();
    expect(lastStreams()).toEqual([2 ** 31 - 1, 3]);
    go.resolve();
    expect((await peer.trailers(1))['grpc-status']).toBe('0');
    expect((await peer.trailers(3))['grpc-status']).toBe('0');
    await stopped;
    await peer.closed();
    expect(peer.frames.some(({ stream }) => stream > 3)).toBe(false);
  });

  it('goes on without an answer to its notice', async () => {
    const { peer, go, stopped, lastStreams } = await drain();
    await peer.frame(({ type, payload }) => type === frameType.goAway && payload.readUInt32BE(0) === 1);
    expect(lastStreams()).toEqual([2 ** 31 - 1, 1]);
    go.resolve();
    await peer.trailers(1);
    await stopped;
  });

  it('ends when the client goes', async () => {
    const { peer, stopped, signals } = await drain();
    peer.socket.resetAndDestroy();
    await stopped;
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('is over at the end of the grace, whatever the client does', async () => {
    const began = deferred();
    const server = await start(deferred().promise, () => began.resolve());
    const peer = await RawPeer.connect(server.port);
    peer.call(1, `${service}/GetModel`);
    await began.promise;
    peer.socket.pause();
    await server.stop(100);
    peer.socket.resume();
    await peer.closed();
  });
});
