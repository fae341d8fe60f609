import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { describe, expect, it } from 'vitest';
import type { ServerReflectionRequest as ReflectionRequest } from '../../proto/gen/grpc/reflection/v1/ServerReflectionRequest.js';
import type { ServerReflectionResponse__Output as ReflectionResponse } from '../../proto/gen/grpc/reflection/v1/ServerReflectionResponse.js';
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

describe('reflection', () => {
  const start = () => startKitServer(implement(contracts.registry, {}), implement(contracts.flight, {}));

  async function ask(server: KitServer, ...requests: ReflectionRequest[]): Promise<ReflectionResponse[]> {
    const answers: ReflectionResponse[] = [];
    for await (const answer of server.client(contracts.reflection).serverReflectionInfo(requests)) {
      answers.push(answer);
    }
    return answers;
  }

  /** All files that a client is given for a question: the one it asked for first. */
  async function filesFor(server: KitServer, question: ReflectionRequest) {
    const [answer] = await ask(server, question);
    return answer!.fileDescriptorResponse!.fileDescriptorProto.map(
      (bytes) => descriptor.FileDescriptorProto.decode(bytes) as unknown as FileDescription,
    );
  }

  it('answers NOT_FOUND for what is unknown, and goes on', async () => {
    const answers = await ask(
      await start(),
      { fileContainingSymbol: 'x.Y' },
      { fileByFilename: 'x.proto' },
      { fileContainingExtension: { containingType: registryName, extensionNumber: 7 } },
      { allExtensionNumbersOfType: 'x.Y' },
      { allExtensionNumbersOfType: 'millrace.v1.Model' },
    );
    expect(answers.slice(0, 4).map(({ errorResponse }) => errorResponse?.errorCode)).toEqual([5, 5, 5, 5]);
    expect(answers[4]!.allExtensionNumbersResponse).toEqual({ baseTypeName: 'millrace.v1.Model', extensionNumber: [] });
  });

  it('answers INVALID_ARGUMENT for an empty question', async () => {
    const [answer] = await ask(await start(), { host: 'h' });
    expect(answer).toMatchObject({ validHost: 'h', errorResponse: { errorCode: 3 } });
  });

  it('ends a stream that a client keeps open when the server stops', async () => {
    const server = await start();
    async function* oneAndWait() {
      yield { listServices: '' };
      await new Promise(() => {});
    }
    const stream = server.client(contracts.reflection).serverReflectionInfo(oneAndWait());
    expect((await stream.next()).value).toMatchObject({ messageResponse: 'listServicesResponse' });
    const stopped = server.stop(60_000);
    expect((await stream.next()).done).toBe(true);
    await stopped;
  });

  it('lists every service', async () => {
    const [answer] = await ask(await start(), { listServices: '' });
    expect(answer!.listServicesResponse!.service.map(({ name }) => name).sort()).toEqual([
      'arrow.flight.protocol.FlightService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'millrace.v1.MetricsService',
      registryName,
    ]);
  });

  it('answers the older version in the same way', async () => {
    const client = (await start()).client(contracts.reflectionAlpha);
    const { value } = await client.serverReflectionInfo([{ listServices: '' }]).next();
    expect(value).toMatchObject({ messageResponse: 'listServicesResponse' });
  });

  it.each([registryName, `${registryName}.WatchModels`, 'millrace.v1.Synced'])(
    'finds the file of %s',
    async (symbol) => {
      const [file] = await filesFor(await start(), { fileContainingSymbol: symbol });
      expect(file!.name).toBe('millrace/v1/registry_service.proto');
    },
  );

  it('finds the file of a nested message and of a nested enum', async () => {
    const server = await start();
    const [outer] = await filesFor(server, { fileContainingSymbol: 'inference.ModelMetadataResponse.TensorMetadata' });
    expect(outer!.name).toBe('inference/grpc_service.proto');
    const [file] = await filesFor(server, { fileContainingSymbol: 'millrace.v1.ImputeStep.Strategy' });
    expect(file!.name).toBe('millrace/v1/pipeline.proto');
  });

  it('hands out each file once, with every file that it needs', async () => {
    const files = await filesFor(await start(), { fileByFilename: 'millrace/v1/registry_service.proto' });
    const names = files.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(files.flatMap(({ dependency }) => dependency)));
    expect(names).toContain('google/protobuf/timestamp.proto');
  });

  it('describes maps as protoc does, fields by their names in the .proto file, and comments', async () => {
    const [file] = await filesFor(await start(), { fileContainingSymbol: registryName });
    const model = file!.messageType.find(({ name }) => name === 'Model')!;
    expect(model.field.map(({ name }) => name)).toContain('latest_version');
    expect(model.nestedType.map(({ name }) => name)).toEqual(['AliasesEntry']);
    expect(model.field.find(({ name }) => name === 'aliases')!.typeName).toBe('.millrace.v1.Model.AliasesEntry');
    expect(file!.sourceCodeInfo.location.map(({ leadingComments }) => leadingComments)).toContain(
      ' A name under which versions are published.\n',
    );
  });
});

interface FileDescription {
  name: string;
  dependency: string[];
  messageType: { name: string; field: { name: string; typeName: string }[]; nestedType: { name: string }[] }[];
  sourceCodeInfo: { location: { leadingComments: string }[] };
}

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
    const order: string[] = [];
    const server = await startKitServer(
      implement(contracts.registry, {
        GetModel: async (_request, { signal }) => {
          began.resolve();
          try {
            return await untilAborted(signal);
          } finally {
            aborted.resolve();
            await go.promise;
            order.push('cleaned up');
          }
        },
      }),
    );
    const controller = new AbortController();
    const client = server.client(contracts.registry);
    const call = rpcFailure(client.getModel({}, { signal: controller.signal }));
    await began.promise;
    controller.abort();
    await call;
    await aborted.promise;
    const stopped = server.stop(60_000).then(() => order.push('stopped'));
    client.close();
    // Fails once the server has let go of its port: there is nothing left to wait for but the method.
    expect((await rpcFailure(server.client(contracts.registry).getModel({}))).code).toBe('UNAVAILABLE');
    await setImmediate();
    go.resolve();
    await stopped;
    expect(order).toEqual(['cleaned up', 'stopped']);
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
