import * as grpc from '@grpc/grpc-js';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CallOptions, contracts, RpcClient } from '../../proto/index.js';
import { HttpError } from './http-error.js';
import { toInferBody, toInferRequest } from './rpc.js';

export type InferenceClient = RpcClient<(typeof contracts.inference)['clientType']>;

interface ModelRoute {
  Params: { name: string; version?: string };
}

/** The Open Inference Protocol over HTTP, answered by the inference service. */
export function addOipRoutes(app: FastifyInstance, inference: InferenceClient, inferTimeoutMs: number): void {
  app.get('/v2/health/live', async () => ({ live: true }));

  app.get('/v2/health/ready', async (request, reply) => {
    const { ready } = await inference.serverReady({}, optionsOf(request, reply));
    return reply.code(readyStatus(ready)).send({ ready });
  });

  app.get('/v2', async (request, reply) => {
    const { name, version, extensions } = await inference.serverMetadata({}, optionsOf(request, reply));
    return { name, version, extensions };
  });

  for (const model of ['/v2/models/:name', '/v2/models/:name/versions/:version']) {
    app.get<ModelRoute>(model, async (request, reply) => {
      const { name, versions, platform, inputs, outputs } = await inference.modelMetadata(
        modelOf(request),
        optionsOf(request, reply),
      );
      return { name, versions, platform, inputs, outputs };
    });

    app.get<ModelRoute>(`${model}/ready`, async (request, reply) => {
      const { name, version } = modelOf(request);
      const { ready } = await inference.modelReady({ name, version }, optionsOf(request, reply));
      return reply.code(readyStatus(ready)).send({ name, ready });
    });

    app.post<ModelRoute>(`${model}/infer`, async (request, reply) => {
      refuseBinary(request);
      const { name, version } = modelOf(request);
      const message = toInferRequest(name, version, request.body);
      const options = { ...optionsOf(request, reply), timeoutMs: inferTimeoutMs };
      return toInferBody(await inference.modelInfer(message, options));
    });
  }
}

/** The protocol has 4xx for "not ready"; 503 is for a service that cannot be asked. */
function readyStatus(ready: boolean): number {
  return ready ? 200 : 400;
}

function modelOf({ params }: FastifyRequest<ModelRoute>): { name: string; version: string } {
  return { name: params.name, version: params.version ?? '' };
}

function refuseBinary({ headers }: FastifyRequest): void {
  if (headers['inference-header-content-length'] !== undefined) {
    throw new HttpError(415, 'The binary tensor extension is not supported: send the tensors as JSON.');
  }
}

/** Ends the call when the caller hangs up, and gives it the id of the request. */
function optionsOf(request: FastifyRequest, reply: FastifyReply): CallOptions {
  const controller = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) {
      controller.abort();
    }
  });
  const metadata = new grpc.Metadata();
  metadata.set('x-request-id', request.id);
  return { signal: controller.signal, metadata };
}
