import { describe, expect, it } from 'vitest';
import { contracts, createClient } from '../../proto/index.js';
import { invalidField, ServiceError } from '../../services/platform/errors.js';
import { implement } from '../../services/platform/handler.js';
import { deferred, startKitServer, untilAborted } from '../support/kit-server.js';
import { rpcFailure } from '../support/rpc-failure.js';

const chunk = Buffer.alloc(1024 * 1024);

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) {
    items.push(item);
  }
  return items;
}

describe('a stream from the server', () => {
  type Download = NonNullable<
    Parameters<typeof implement<object, typeof contracts.registry.handlersType>>[1]['DownloadBlob']
  >;

  async function serve(download: Download) {
    const server = await startKitServer(implement(contracts.registry, { DownloadBlob: download }));
    return { server, client: server.client(contracts.registry) };
  }

  it('ends with the status of what the generator throws, after what it has sent', async () => {
    const { client } = await serve(async function* () {
      yield { chunk: Buffer.from('a') };
      yield { chunk: Buffer.from('b') };
      throw new ServiceError('ABORTED', 'X', 'enough');
    });
    const stream = client.downloadBlob({});
    expect([(await stream.next()).value, (await stream.next()).value]).toMatchObject([
      { chunk: Buffer.from('a') },
      { chunk: Buffer.from('b') },
    ]);
    expect(await rpcFailure(stream.next())).toMatchObject({ code: 'ABORTED', message: 'enough' });
  });

  it('ends with INTERNAL when a message does not fit, and cleans up', async () => {
    const cleaned = deferred();
    const server = await startKitServer(
      implement(contracts.registry, {
        async *WatchModels() {
          try {
            yield { model: 5 as unknown as object };
            yield { synced: {} };
          } finally {
            cleaned.resolve();
          }
        },
      }),
    );
    expect((await rpcFailure(collect(server.client(contracts.registry).watchModels({})))).code).toBe('INTERNAL');
    await cleaned.promise;
    expect(server.logged.some(({ msg }) => msg === 'internal error')).toBe(true);
  });

  it('goes at the pace of its reader', async () => {
    let made = 0;
    const { client } = await serve(async function* () {
      for (; made < 100; made++) {
        yield { chunk };
      }
    });
    const stream = client.downloadBlob({});
    await stream.next();
    // Time enough for a server that does not wait: it would make all messages at once.
    for (let i = 0; i < 100; i++) {
      await rpcFailure(client.getModel({}));
    }
    expect(made).toBeLessThan(60);
    expect(await collect(stream)).toHaveLength(99);
  });

  it.each([
    ['is waiting', false],
    ['is held up by a slow reader', true],
  ])('is cleaned up when its reader leaves while it %s', async (_, held) => {
    const cleaned = deferred<boolean>();
    const { server, client } = await serve(async function* (_request, { signal }) {
      try {
        do {
          yield { chunk };
        } while (held);
        await untilAborted(signal);
      } finally {
        cleaned.resolve(signal.aborted);
      }
    });
    const stream = client.downloadBlob({});
    await stream.next();
    await stream.return();
    expect(await cleaned.promise).toBe(true);
    const codes = () => server.logged.filter(({ msg }) => msg === 'call ended').map(({ code }) => code);
    await expect.poll(codes).toEqual(['CANCELLED']);
  });

  it('ends with CANCELLED when its signal is aborted', async () => {
    const { client } = await serve(async function* (_request, { signal }) {
      yield { chunk: Buffer.alloc(0) };
      await untilAborted(signal);
    });
    const controller = new AbortController();
    const stream = client.downloadBlob({}, { signal: controller.signal });
    await stream.next();
    controller.abort();
    expect((await rpcFailure(stream.next())).code).toBe('CANCELLED');
  });

  it('that nobody reads costs nothing, even without a server', async () => {
    const client = createClient(contracts.registry, '127.0.0.1:1');
    client.downloadBlob({});
    expect((await rpcFailure(client.downloadBlob({}).next())).code).toBe('UNAVAILABLE');
    client.close();
  });
});

describe('a stream to the server', () => {
  type Upload = NonNullable<
    Parameters<typeof implement<object, typeof contracts.registry.handlersType>>[1]['UploadBlob']
  >;

  async function serve(upload: Upload) {
    return (await startKitServer(implement(contracts.registry, { UploadBlob: upload }))).client(contracts.registry);
  }

  it('does not hold up the client when the method fails before it ends', async () => {
    const client = await serve(async (requests) => {
      for await (const _ of requests) {
        throw invalidField('chunk', 'No.');
      }
      return {};
    });
    let closed = false;
    async function* endless() {
      try {
        for (;;) {
          yield { chunk };
        }
      } finally {
        closed = true;
      }
    }
    const error = await rpcFailure(client.uploadBlob(endless()));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { fieldViolations: [{ field: 'chunk' }] } });
    await expect.poll(() => closed).toBe(true);
  });

  it('does not hold up the client when the method never reads, or answers early', async () => {
    const refusing = await serve(() => Promise.reject(new ServiceError('ABORTED', 'X', 'No.')));
    const silent = (async function* () {
      yield { chunk };
      await new Promise(() => {});
    })();
    expect((await rpcFailure(refusing.uploadBlob(silent))).code).toBe('ABORTED');
    const early = await serve(async () => ({ digest: 'early' }));
    const two = [{ chunk }, { chunk }];
    expect(await early.uploadBlob(two)).toMatchObject({ digest: 'early' });
  });

  it('is read at the pace of the method', async () => {
    const go = deferred();
    let sent = 0;
    const client = await serve(async (requests) => {
      await go.promise;
      return { sizeBytes: (await collect(requests)).length };
    });
    const answer = client.uploadBlob(
      (async function* () {
        for (; sent < 100; sent++) {
          yield { chunk };
        }
      })(),
    );
    for (let i = 0; i < 100; i++) {
      await rpcFailure(client.getModel({}));
    }
    expect(sent).toBeLessThan(60);
    go.resolve();
    expect(await answer).toMatchObject({ sizeBytes: 100 });
  });

  // More than once: whether the stream's end or its cancellation is seen first is a matter of luck.
  it.each(
    Array.from({ length: 20 }, (_, i) => [i % 2 ? 'small' : 'large', i % 2 ? chunk.subarray(0, 1) : chunk] as const),
  )('throws what its source throws, and is cancelled for the method, not ended (%s messages)', async (_, message) => {
    const arrived = deferred();
    const seen = deferred<unknown>();
    const client = await serve(async (requests) => {
      try {
        for await (const _ of requests) {
          arrived.resolve();
        }
        seen.resolve('ended');
      } catch (error) {
        seen.resolve(error);
      }
      return {};
    });
    const failure = new Error('disk gone');
    const source = (async function* () {
      yield { chunk: message };
      await arrived.promise;
      throw failure;
    })();
    await expect(client.uploadBlob(source)).rejects.toBe(failure);
    expect(await seen.promise).not.toBe('ended');
  });
});

describe('a stream in both directions', () => {
  type Put = NonNullable<Parameters<typeof implement<object, typeof contracts.flight.handlersType>>[1]['DoPut']>;

  async function serve(put: Put) {
    return (await startKitServer(implement(contracts.flight, { DoPut: put }))).client(contracts.flight);
  }
  async function* endless() {
    for (;;) {
      yield { dataBody: Buffer.from('x') };
    }
  }

  it('still gets its status when the method leaves the loop over requests by an error', async () => {
    const client = await serve(async function* (requests) {
      for await (const { dataBody } of requests) {
        yield { appMetadata: dataBody };
        throw invalidField('data_body', 'No.');
      }
    });
    const stream = client.doPut(endless());
    expect((await stream.next()).value).toMatchObject({ appMetadata: Buffer.from('x') });
    expect((await rpcFailure(stream.next())).code).toBe('INVALID_ARGUMENT');
  });

  it('still gets responses when the method leaves the loop early', async () => {
    const client = await serve(async function* (requests) {
      for await (const _ of requests) {
        break;
      }
      yield { appMetadata: Buffer.from('done') };
    });
    expect(await collect(client.doPut(endless()))).toMatchObject([{ appMetadata: Buffer.from('done') }]);
  });

  it('goes back and forth', async () => {
    const client = await serve(async function* (requests) {
      for await (const { dataBody } of requests) {
        yield { appMetadata: Buffer.concat([dataBody, dataBody]) };
      }
    });
    let answered = deferred<string>();
    const stream = client.doPut(
      (async function* () {
        yield { dataBody: Buffer.from('a') };
        yield { dataBody: Buffer.from(await answered.promise) };
      })(),
    );
    expect((await stream.next()).value).toMatchObject({ appMetadata: Buffer.from('aa') });
    answered.resolve('b');
    expect((await stream.next()).value).toMatchObject({ appMetadata: Buffer.from('bb') });
    expect((await stream.next()).done).toBe(true);
    answered = deferred();
  });

  it('throws what its source throws', async () => {
    const client = await serve(async function* (requests) {
      for await (const _ of requests) {
        yield {};
      }
    });
    const failure = new Error('source');
    const source = (async function* () {
      yield {};
      throw failure;
    })();
    await expect(collect(client.doPut(source))).rejects.toBe(failure);
  });
});
