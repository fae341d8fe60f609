import { createRequire } from 'node:module';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { pino } from 'pino';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { describe, expect, it } from 'vitest';
import { contracts } from '../../proto/index.js';
import { ServiceError } from '../../services/platform/errors.js';
import { implement } from '../../services/platform/handler.js';
import { Metrics } from '../../services/platform/metrics.js';
import { startServer } from '../../services/platform/server.js';
import { deferred, type KitServer, startKitServer, untilAborted } from '../support/kit-server.js';
import { rpcFailure } from '../support/rpc-failure.js';

const registryName = 'millrace.v1.RegistryService';

describe('health', () => {
  const start = () => startKitServer(implement(contracts.registry, {}));

  it('does not know a service that is not there', async () => {
    const client = (await start()).client(contracts.health);
    expect((await rpcFailure(client.check({ service: 'x.Y' }))).code).toBe('NOT_FOUND');
    expect((await client.watch({ service: 'x.Y' }).next()).value).toEqual({ status: 'SERVICE_UNKNOWN' });
  });

  it('answers for the server and for each service', async () => {
    const server = await start();
    const client = server.client(contracts.health);
    expect(await client.check({})).toEqual({ status: 'SERVING' });
    server.setServing(false);
    expect(await client.check({ service: registryName })).toEqual({ status: 'NOT_SERVING' });
    expect((await client.list({})).statuses).toEqual({
      '': { status: 'NOT_SERVING' },
      [registryName]: { status: 'NOT_SERVING' },
      'millrace.v1.MetricsService': { status: 'NOT_SERVING' },
    });
  });

  it('tells a watcher each change, and ends when the server stops', async () => {
    const server = await start();
    const watch = server.client(contracts.health).watch({ service: registryName });
    expect((await watch.next()).value).toEqual({ status: 'SERVING' });
    server.setServing(true);
    server.setServing(false);
    expect((await watch.next()).value).toEqual({ status: 'NOT_SERVING' });
    server.setServing(true);
    expect((await watch.next()).value).toEqual({ status: 'SERVING' });
    const stopped = server.stop(60_000);
    expect((await watch.next()).value).toEqual({ status: 'NOT_SERVING' });
    expect((await watch.next()).done).toBe(true);
    await stopped;
  });
});

interface ReflectionAnswer {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
  errorResponse?: { errorCode: number };
}

describe('reflection', () => {
  const protoFolder = path.join(
    path.dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')),
    'build/proto/grpc/reflection/v1',
  );

  async function ask(server: KitServer, ...requests: object[]): Promise<ReflectionAnswer[]> {
    const loaded = loadSync(path.join(protoFolder, 'reflection.proto'), { defaults: false, oneofs: true });
    const service = loaded['grpc.reflection.v1.ServerReflection'] as grpc.ServiceDefinition;
    const { path: method, requestSerialize, responseDeserialize } = service.ServerReflectionInfo!;
    const call = server.rawClient().makeBidiStreamRequest(method, requestSerialize, responseDeserialize);
    for (const request of requests) {
      call.write(request);
    }
    call.end();
    const answers: ReflectionAnswer[] = [];
    for await (const answer of call) {
      answers.push(answer as ReflectionAnswer);
    }
    return answers;
  }

  /** All files a client is given for a symbol, put together as grpcurl does. */
  async function rootOf(server: KitServer, symbol: string): Promise<protobuf.Root> {
    const [answer] = await ask(server, { fileContainingSymbol: symbol });
    const files = answer!.fileDescriptorResponse!.fileDescriptorProto;
    const set = { file: files.map((bytes) => descriptor.FileDescriptorProto.decode(bytes)) };
    checkAsGrpcurl(set.file as descriptor.IFileDescriptorProto[]);
    const root = (protobuf.Root as unknown as { fromDescriptor(set: object): protobuf.Root }).fromDescriptor(
      descriptor.FileDescriptorSet.create(set as never),
    );
    root.resolveAll();
    return root;
  }

  /** What protoc-like readers insist on: every dependency is there, types are named in full, map entries by the rule. */
  function checkAsGrpcurl(files: descriptor.IFileDescriptorProto[]): void {
    const names = files.map(({ name }) => name);
    const messages = files.flatMap(({ messageType }) => messageType ?? []);
    for (const { dependency } of files) {
      expect(names).toEqual(expect.arrayContaining(dependency ?? []));
    }
    for (const { field, nestedType } of messages) {
      for (const { typeName } of field ?? []) {
        expect(typeName || '.').toMatch(/^\./);
      }
      for (const { name, options } of nestedType ?? []) {
        expect(options?.mapEntry ? name : 'Entry').toMatch(/Entry$/);
      }
    }
  }

  const start = () => startKitServer(implement(contracts.registry, {}), implement(contracts.flight, {}));

  it('answers NOT_FOUND for an unknown symbol', async () => {
    const [answer] = await ask(await start(), { fileContainingSymbol: 'x.Y' });
    expect(answer!.errorResponse).toMatchObject({ errorCode: grpc.status.NOT_FOUND });
  });

  it('lists every service', async () => {
    const [answer] = await ask(await start(), { listServices: '' });
    expect(answer!.listServicesResponse!.service.map(({ name }) => name).sort()).toEqual([
      'arrow.flight.protocol.FlightService',
      'grpc.health.v1.Health',
      'millrace.v1.MetricsService',
      registryName,
    ]);
  });

  it('shows whole services, with fields under the names of the .proto file', async () => {
    const server = await start();
    const root = await rootOf(server, registryName);
    const create = root.lookupService(registryName).methods.CreateModelVersion!;
    expect(Object.keys(create.resolvedRequestType!.fields)).toEqual([
      'parent',
      'model_version',
      'aliases',
      'request_id',
    ]);
    expect(root.lookupType('millrace.v1.Adam').fields.learning_rate).toBeDefined();
    expect(root.lookupType('google.protobuf.Timestamp')).toBeDefined();
    const metrics = await rootOf(server, 'millrace.v1.MetricsService');
    expect(metrics.lookupService('millrace.v1.MetricsService').methods.GetMetrics).toBeDefined();
    const health = await rootOf(server, 'grpc.health.v1.Health');
    expect(Object.keys(health.lookupService('grpc.health.v1.Health').methods)).toEqual(['Check', 'Watch', 'List']);
  });
});

describe('stopping', () => {
  it('lets a call in flight finish, and refuses calls that come later', async () => {
    const began = deferred();
    const go = deferred();
    const server = await startKitServer(
      implement(contracts.registry, {
        GetModel: async () => {
          began.resolve();
          await go.promise;
          return { name: 'models/a' };
        },
      }),
    );
    const client = server.client(contracts.registry);
    const call = client.getModel({});
    await began.promise;
    const stopped = server.stop(60_000);
    expect((await rpcFailure(server.client(contracts.registry).listModels({}))).code).toBe('UNAVAILABLE');
    go.resolve();
    expect(await call).toMatchObject({ name: 'models/a' });
    await stopped;
    expect((await rpcFailure(client.getModel({}))).code).toBe('UNAVAILABLE');
  });

  it('ends streams that have no end of their own', async () => {
    const server = await startKitServer(
      implement(contracts.registry, {
        async *WatchModels(_request, { stopping }) {
          yield { synced: {} };
          await untilAborted(stopping).catch(() => undefined);
          throw new ServiceError('UNAVAILABLE', 'STOPPING', 'Stopping.');
        },
      }),
    );
    const watch = server.client(contracts.registry).watchModels({});
    await watch.next();
    const end = rpcFailure(watch.next());
    await server.stop(60_000);
    expect(await end).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'STOPPING' } });
  });

  it('waits for the cleaning up of a call whose caller has gone', async () => {
    const began = deferred();
    const aborted = deferred();
    const go = deferred();
    let cleaned = false;
    const server = await startKitServer(
      implement(contracts.registry, {
        GetModel: async (_request, { signal }) => {
          began.resolve();
          try {
            return await untilAborted(signal);
          } finally {
            aborted.resolve();
            await go.promise;
            cleaned = true;
          }
        },
      }),
    );
    const controller = new AbortController();
    const call = rpcFailure(server.client(contracts.registry).getModel({}, { signal: controller.signal }));
    await began.promise;
    controller.abort();
    await call;
    await aborted.promise;
    const stopped = server.stop(60_000);
    go.resolve();
    await stopped;
    expect(cleaned).toBe(true);
  });

  it('breaks off what does not end within the grace', async () => {
    const began = deferred();
    const aborted = deferred<unknown>();
    const server = await startKitServer(
      implement(contracts.registry, {
        GetModel: async (_request, { signal }) => {
          began.resolve();
          return untilAborted(signal).catch((error) => {
            aborted.resolve(error);
            throw error;
          });
        },
      }),
    );
    const call = rpcFailure(server.client(contracts.registry).getModel({}));
    await began.promise;
    await server.stop(1);
    expect(['UNAVAILABLE', 'CANCELLED', 'INTERNAL']).toContain((await call).code);
    expect(await aborted.promise).toMatchObject({ code: 'CANCELLED' });
  });
});

describe('starting', () => {
  it('refuses a port that is taken, and says what to do', async () => {
    const { port } = await startKitServer();
    const options = { log: pino({ level: 'silent' }), metrics: new Metrics('test'), implementations: [] };
    await expect(startServer({ ...options, host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'PORT_TAKEN',
      message: expect.stringContaining('--port-base'),
    });
  });

  it('refuses an address that is not of this machine', async () => {
    const options = { log: pino({ level: 'silent' }), metrics: new Metrics('test'), implementations: [] };
    await expect(startServer({ ...options, host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      reason: 'PORT_UNAVAILABLE',
    });
  });
});
