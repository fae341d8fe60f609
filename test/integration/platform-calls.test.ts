import { once } from 'node:events';
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { contracts, createClient, RpcError } from '../../proto/index.js';
import { invalidFields, ServiceError } from '../../services/platform/errors.js';
import { type CallContext, implement } from '../../services/platform/handler.js';
import { deferred, startKitServer, startLimitedKitServer, untilAborted } from '../support/kit-server.js';
import { rpcFailure } from '../support/rpc-failure.js';

const model = { name: 'models/a' };

/** A server whose GetModel does what the test says. */
function serveGetModel(getModel: (name: string, context: CallContext) => Promise<object>) {
  return startKitServer(implement(contracts.registry, { GetModel: ({ name }, context) => getModel(name, context) }));
}

async function failWith(error: unknown) {
  const server = await serveGetModel(() => Promise.reject(error));
  return { server, error: await rpcFailure(server.client(contracts.registry).getModel({})) };
}

describe('a method that fails', () => {
  it('gives the caller the status, the reason and the fields', async () => {
    const fieldViolations = [
      { field: 'name', description: 'Expected `name` to be there.' },
      { field: 'seed', description: 'Größe 🚀' },
    ];
    const { error } = await failWith(invalidFields(fieldViolations));
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'Expected `name` to be there. Größe 🚀',
      details: { reason: 'INVALID_FIELD', fieldViolations },
    });
  });

  it('passes on the status of a service behind it', async () => {
    const details = { reason: 'MODEL_NOT_FOUND', fieldViolations: [] };
    const { error } = await failWith(new RpcError('NOT_FOUND', 'There is no model.', details));
    expect(error).toMatchObject({ code: 'NOT_FOUND', message: 'There is no model.', details });
  });

  it('answers INTERNAL with the request id for an error nobody foresaw, and logs all of it', async () => {
    const { server, error } = await failWith(new TypeError('secret path /x'));
    expect(error.code).toBe('INTERNAL');
    const requestId = /^Internal error \(request (.+)\)\.$/.exec(error.message)?.[1];
    expect(server.logged).toContainEqual(
      expect.objectContaining({
        level: 50,
        requestId,
        err: expect.objectContaining({ type: 'TypeError', stack: expect.stringContaining('platform-calls.test.ts') }),
      }),
    );
  });

  it('says that the disk is full', async () => {
    const { error } = await failWith(Object.assign(new Error('write'), { code: 'ENOSPC' }));
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', details: { reason: 'DISK_FULL' } });
  });

  it('answers also when the message is huge or holds half a character', async () => {
    const { error } = await failWith(new ServiceError('ABORTED', 'X', `\ud800${'ü'.repeat(100_000)}`));
    expect(error.code).toBe('ABORTED');
    expect(error.message).toMatch(/^\ufffdü+\.\.\.$/);
  });

  const violations = (count: number, description: string) =>
    Array.from({ length: count }, (_, i) => ({ field: `f${i}`, description }));

  it.each<[string, Error]>([
    ['a message in a script of three bytes a character', new ServiceError('ABORTED', 'X', '数'.repeat(5_000))],
    ['a thousand small violations', invalidFields(violations(1_000, '.'))],
    ['long violations', invalidFields(violations(5, 'x'.repeat(900)))],
    ['long violations in another script', invalidFields(violations(5, '数'.repeat(300)))],
  ])('keeps its trailers below the 8 KiB that every client takes: %s', async (_, failure) => {
    const server = await serveGetModel(() => Promise.reject(failure));
    const { details, metadata, code } = await new Promise<grpc.ServiceError>((resolve) => {
      const { path, requestSerialize, responseDeserialize } = contracts.registry.definition.GetModel!;
      server.rawClient().makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error) => resolve(error!));
    });
    expect(code).not.toBe(grpc.status.INTERNAL);
    const inBase64 = (metadata.get('grpc-status-details-bin')[0] as Buffer).toString('base64');
    expect(encodeURI(details).length + inBase64.length).toBeLessThan(7_900);
  });

  it('answers INTERNAL for a response that does not fit its message, and logs why', async () => {
    const server = await serveGetModel(async () => ({ createTime: 5 }));
    expect((await rpcFailure(server.client(contracts.registry).getModel({}))).code).toBe('INTERNAL');
    expect(server.logged).toContainEqual(
      expect.objectContaining({ err: expect.objectContaining({ message: expect.stringContaining('createTime') }) }),
    );
  });

  it('may throw at once', async () => {
    const server = await serveGetModel(() => {
      throw new ServiceError('ABORTED', 'X', 'at once');
    });
    expect(await rpcFailure(server.client(contracts.registry).getModel({}))).toMatchObject({ message: 'at once' });
  });
});

describe('a request', () => {
  it('is UNIMPLEMENTED when there is no such method', async () => {
    const client = (await serveGetModel(async () => model)).client(contracts.registry);
    expect((await rpcFailure(client.listModels({}))).code).toBe('UNIMPLEMENTED');
    expect((await rpcFailure(client.watchModels({}).next())).code).toBe('UNIMPLEMENTED');
    expect((await rpcFailure(client.uploadBlob([]))).code).toBe('UNIMPLEMENTED');
  });

  // protobufjs takes a string that is cut off for a shorter one; all else that is cut off it refuses.
  it.each([
    ['is cut off', Buffer.from([0x12, 0x10, 0x0a])],
    ['has a wrong wire type', Buffer.from([0x0f])],
    ['ends within a number', Buffer.from([0xff, 0xff])],
  ])('that %s is INVALID_ARGUMENT, and the server goes on', async (_, bytes) => {
    const server = await startKitServer(
      implement(contracts.registry, { CreateModelVersion: async () => ({ digest: 'made' }) }),
    );
    const method = '/millrace.v1.RegistryService/CreateModelVersion';
    const error = await rpcFailure(sendBytes(server.rawClient(), method, bytes));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { reason: 'MALFORMED_MESSAGE' } });
    expect(error.message).toMatch(/index out of range|wire type 7 at offset 1/);
    expect(await server.client(contracts.registry).createModelVersion({})).toMatchObject({ digest: 'made' });
  });

  it('that is malformed within a stream is INVALID_ARGUMENT', async () => {
    const server = await startKitServer(
      implement(contracts.registry, {
        UploadBlob: async (requests) => {
          for await (const _ of requests) {
            // Only to read them.
          }
          return {};
        },
      }),
    );
    const same = (value: Buffer) => value;
    const error = await new Promise((resolve) => {
      const method = '/millrace.v1.RegistryService/UploadBlob';
      const call = server.rawClient().makeClientStreamRequest(method, same, same, resolve);
      call.write(Buffer.alloc(0));
      call.write(Buffer.from([0x0f]));
    });
    expect(RpcError.from(error)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { reason: 'MALFORMED_MESSAGE' } });
  });

  it('over 64 MiB is RESOURCE_EXHAUSTED, and the server goes on', async () => {
    const server = await serveGetModel(async () => model);
    const bytes = Buffer.alloc(64 * 1024 * 1024 + 1);
    const error = await rpcFailure(sendBytes(server.rawClient(), '/millrace.v1.RegistryService/GetModel', bytes));
    expect(error.code).toBe('RESOURCE_EXHAUSTED');
    expect(await server.client(contracts.registry).getModel({})).toMatchObject(model);
  });

  it('of 60 MiB is taken, and so is the answer', async () => {
    const server = await serveGetModel(async (name) => ({ name }));
    const name = 'x'.repeat(60 * 1024 * 1024);
    expect((await server.client(contracts.registry).getModel({ name })).name.length).toBe(name.length);
  });

  it('of 65 MiB is taken, and so is the answer, where the limit is larger', async () => {
    const server = await startLimitedKitServer({ messageBytesMax: 66 * 1024 * 1024 }, echo);
    const name = 'x'.repeat(65 * 1024 * 1024);
    expect((await server.client(contracts.registry).getModel({ name })).name.length).toBe(name.length);
  });

  it('over a smaller limit is refused in words that name it', async () => {
    const server = await startLimitedKitServer({ messageBytesMax: 32 * 1024 * 1024 }, echo);
    const bytes = Buffer.alloc(33 * 1024 * 1024);
    const error = await rpcFailure(sendBytes(server.rawClient(), '/millrace.v1.RegistryService/GetModel', bytes));
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('33554432') });
  });
});

const echo = implement(contracts.registry, { GetModel: async ({ name }) => ({ name }) });

function sendBytes(client: grpc.Client, path: string, bytes: Buffer): Promise<Buffer> {
  const same = (value: Buffer) => value;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, bytes, (error, response) => {
      error ? reject(RpcError.from(error)) : resolve(response!);
    });
  });
}

describe('the request id', () => {
  async function echoed(sent: string | null): Promise<[echoed: string, seen: string]> {
    let seen = '';
    const server = await serveGetModel(async (_, { requestId }) => {
      seen = requestId;
      return model;
    });
    const metadata = new grpc.Metadata();
    if (sent !== null) {
      metadata.set('x-request-id', sent);
    }
    const { path, requestSerialize, responseDeserialize } = contracts.registry.definition.GetModel!;
    const client = server.rawClient();
    const headers = await new Promise<grpc.Metadata>((resolve, reject) => {
      const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, metadata, (error) => {
        error && reject(error);
      });
      call.on('metadata', resolve);
    });
    return [String(headers.get('x-request-id')[0]), seen];
  }

  it('is made when it is missing, empty or too long', async () => {
    for (const sent of [null, '', 'x'.repeat(101)]) {
      const [id, seen] = await echoed(sent);
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      expect(seen).toBe(id);
    }
  });

  it('comes back as it was sent', async () => {
    expect(await echoed('abc-1')).toEqual(['abc-1', 'abc-1']);
  });
});

describe('the signal of a call', () => {
  /** A server that tells how the signal of its one call was aborted, or null if it was not. */
  async function observed(call: (address: string, began: Promise<void>) => Promise<unknown>) {
    const began = deferred();
    const reason = deferred<unknown>();
    const server = await serveGetModel(async (_, { signal }) => {
      began.resolve();
      return untilAborted(signal).catch((error) => {
        reason.resolve(error);
        throw error;
      });
    });
    const error = await rpcFailure(call(server.address, began.promise));
    return { error, reason: await reason.promise };
  }

  it('is aborted when the deadline passes', async () => {
    const { error, reason } = await observed((address) =>
      createClient(contracts.registry, address).getModel({}, { timeoutMs: 50 }),
    );
    expect(error.code).toBe('DEADLINE_EXCEEDED');
    expect(['DEADLINE_EXCEEDED', 'CALL_CANCELLED']).toContain((reason as ServiceError).reason);
  });

  it('is aborted when the caller cancels', async () => {
    const { error, reason } = await observed(async (address, began) => {
      const controller = new AbortController();
      began.then(() => controller.abort());
      return createClient(contracts.registry, address).getModel({}, { signal: controller.signal });
    });
    expect(error.code).toBe('CANCELLED');
    expect(reason).toMatchObject({ code: 'CANCELLED', reason: 'CALL_CANCELLED' });
  });

  it('is aborted when the connection is lost', async () => {
    const sockets: net.Socket[] = [];
    const { error, reason } = await observed(async (address, began) => {
      const [host, port] = address.split(':');
      const proxy = net.createServer((socket) => {
        const behind = net.connect(Number(port), host!);
        socket.pipe(behind).pipe(socket);
        sockets.push(socket, behind);
      });
      await once(proxy.listen(0, '127.0.0.1'), 'listening');
      const client = createClient(contracts.registry, `127.0.0.1:${(proxy.address() as net.AddressInfo).port}`);
      const call = client.getModel({});
      await began;
      for (const socket of sockets) {
        socket.destroy();
      }
      client.close();
      proxy.close();
      return call;
    });
    expect(error.code).toBe('UNAVAILABLE');
    expect(reason).toMatchObject({ code: 'CANCELLED' });
  });

  it('is not aborted by a call that went well', async () => {
    let signal: AbortSignal | null = null;
    const server = await serveGetModel(async (_, context) => {
      signal = context.signal;
      return model;
    });
    const client = server.client(contracts.registry);
    await client.getModel({});
    await client.getModel({});
    expect((signal as AbortSignal | null)?.aborted).toBe(false);
  });

  it('cancels at once a call whose signal was aborted before', async () => {
    const server = await serveGetModel(async () => model);
    const client = server.client(contracts.registry);
    expect((await rpcFailure(client.getModel({}, { signal: AbortSignal.abort() }))).code).toBe('CANCELLED');
    expect((await rpcFailure(client.watchModels({}, { signal: AbortSignal.abort() }).next())).code).toBe('CANCELLED');
  });
});

describe('throwIfGone of a call', () => {
  it('sees a deadline that has passed while the event loop was busy', async () => {
    const seen = deferred<unknown>();
    const server = await serveGetModel(async (_, context) => {
      const begin = Date.now();
      while (Date.now() - begin < 600) {
        // No timer can fire meanwhile.
      }
      try {
        context.throwIfGone();
        seen.resolve(null);
      } catch (error) {
        seen.resolve([error, context.signal.aborted]);
      }
      return model;
    });
    const failure = await rpcFailure(server.client(contracts.registry).getModel({}, { timeoutMs: 500 }));
    expect(failure.code).toBe('DEADLINE_EXCEEDED');
    expect(await seen.promise).toEqual([expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }), true]);
  });
});

describe('metrics', () => {
  it('count calls by method and code', async () => {
    const server = await serveGetModel(async (name) => {
      if (name === '') {
        throw new ServiceError('NOT_FOUND', 'X', 'x');
      }
      return model;
    });
    const client = server.client(contracts.registry);
    await client.getModel({ name: 'a' });
    await client.getModel({ name: 'a' });
    await rpcFailure(client.getModel({}));
    const { text } = await server.client(contracts.metrics).getMetrics({});
    const count = (code: string) =>
      new RegExp(
        `^grpc_server_handled_total\\{(?=[^}]*method="/millrace.v1.RegistryService/GetModel")(?=[^}]*code="${code}")(?=[^}]*service="test")[^}]*\\} (\\d+)$`,
        'm',
      ).exec(text)?.[1];
    expect([count('OK'), count('NOT_FOUND')]).toEqual(['2', '1']);
    expect(text).toContain('grpc_server_handling_seconds_bucket');
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toMatch(/^nodejs_eventloop_active_seconds_total\{service="test"\} 0*\.?\d*[1-9]/m);
    // Each of these would need a timer that wakes a process at rest.
    expect(text).not.toMatch(/nodejs_eventloop_lag_(min|p50)_seconds/);
  });
});
