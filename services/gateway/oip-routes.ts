import { Readable } from 'node:stream';
import { z } from 'zod';
import type { contracts, RpcClient } from '../../proto/index.js';
import { optionsOf } from './calls.js';
import { splitBody } from './infer-body.js';
import type { Call, Route } from './routes.js';
import { type InferAnswer, inferAnswer, inferRequest, toInferAnswer, toInference, toRawInference } from './rpc.js';

export type InferenceClient = RpcClient<(typeof contracts.inference)['clientType']>;

/** Room in a message for all that is not a tensor. */
const overheadBytes = 64 * 1024;

const tensorMetadata = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });

export interface InferLimits {
  messageBytesMax: number;
  inferTimeoutMs: number;
}

/** The Open Inference Protocol over HTTP, answered by the inference service. */
export function oipRoutes(inference: InferenceClient, limits: InferLimits): Route[] {
  return [
    {
      method: 'GET',
      path: '/v2/health/live',
      operation: 'serverLive',
      summary: 'Whether the gateway runs.',
      takes: null,
      gives: z.object({ live: z.boolean() }),
      handle: async () => ({ live: true }),
    },
    {
      method: 'GET',
      path: '/v2/health/ready',
      operation: 'serverReady',
      summary: 'Whether the inference service takes requests.',
      takes: null,
      gives: z.object({ ready: z.boolean() }),
      alsoGives: [{ status: 400, means: 'It does not take requests yet.' }],
      async handle(call) {
        const { ready } = await inference.serverReady({}, optionsOf(call));
        call.reply.code(readyStatus(ready));
        return { ready };
      },
    },
    {
      method: 'GET',
      path: '/v2',
      operation: 'serverMetadata',
      summary: 'Name, version and extensions of the server.',
      takes: null,
      gives: z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }),
      async handle(call) {
        const { name, version, extensions } = await inference.serverMetadata({}, optionsOf(call));
        return { name, version, extensions: [...new Set([...extensions, binaryExtension])] };
      },
    },
    ...byVersion({
      method: 'GET',
      path: '',
      operation: 'modelMetadata',
      summary: 'Tensors that a model takes and gives.',
      takes: null,
      gives: z.object({
        name: z.string(),
        versions: z.array(z.string()),
        platform: z.string(),
        inputs: z.array(tensorMetadata),
        outputs: z.array(tensorMetadata),
      }),
      async handle(call) {
        const { name, versions, platform, inputs, outputs } = await inference.modelMetadata(
          modelOf(call),
          optionsOf(call),
        );
        return { name, versions, platform, inputs, outputs };
      },
    }),
    ...byVersion({
      method: 'GET',
      path: '/ready',
      operation: 'modelReady',
      summary: 'Whether a model answers inferences.',
      takes: null,
      gives: z.object({ name: z.string(), ready: z.boolean() }),
      alsoGives: [{ status: 400, means: 'It does not answer inferences.' }],
      async handle(call) {
        const { name, version } = modelOf(call);
        const { ready } = await inference.modelReady({ name, version }, optionsOf(call));
        call.reply.code(readyStatus(ready));
        return { name, ready };
      },
    }),
    ...byVersion({
      method: 'POST',
      path: '/infer',
      operation: 'modelInfer',
      summary:
        'An inference. `Inference-Header-Content-Length` says where the JSON of a body ends and binary data begins.',
      takes: inferRequest,
      gives: inferAnswer,
      otherMedia: { takes: binaryMedia, gives: binaryMedia },
      handle: (call) => infer(call, inference, limits),
    }),
  ];
}

const binaryMedia = {
  type: 'application/octet-stream',
  means: 'JSON, then the tensors whose `binary_data_size` is given, one after another.',
};

/** Of the gateway alone: it has no meaning over gRPC. */
const binaryExtension = 'binary_tensor_data';

/** A route of a model, and the same of one version of it. */
export function byVersion(route: Route): Route[] {
  return [
    { ...route, path: `/v2/models/{model}${route.path}` },
    {
      ...route,
      path: `/v2/models/{model}/versions/{version}${route.path}`,
      operation: `${route.operation}Version`,
      summary: `${route.summary} Of one version.`,
    },
  ];
}

/** A version is a number or an alias. */
export function modelOf({ params }: Call): { name: string; version: string } {
  return { name: params.model!, version: params.version ?? '' };
}

/** The protocol has 4xx for "not ready"; 503 is for a service that cannot be asked. */
function readyStatus(ready: boolean): number {
  return ready ? 200 : 400;
}

async function infer(call: Call, inference: InferenceClient, limits: InferLimits): Promise<unknown> {
  const model = modelOf(call);
  const options = { ...optionsOf(call), timeoutMs: limits.inferTimeoutMs };
  const body = splitBody(call.request.headers, call.body);
  const { message, isBinary } = body.json
    ? toInference(model, body, limits.messageBytesMax - overheadBytes)
    : toRawInference(model.version, await inference.modelMetadata(model, options), body.binary!);
  return send(call, toInferAnswer(await inference.modelInfer(message, options), isBinary));
}

/** Above it, tensors are handed on one by one where copying them together would cost more. */
const copiedBytesMax = 64 * 1024;

function send({ reply }: Call, { json, binary, hasBinary }: InferAnswer): unknown {
  if (!hasBinary) {
    return reply.type('application/json').send(json);
  }
  const head = Buffer.from(json);
  const sizeBytes = binary.reduce((sum, bytes) => sum + bytes.length, head.length);
  reply.type('application/octet-stream').header('inference-header-content-length', head.length);
  if (sizeBytes <= copiedBytesMax) {
    return reply.send(Buffer.concat([head, ...binary], sizeBytes));
  }
  reply.header('content-length', sizeBytes);
  // An empty chunk would be taken for the end.
  return reply.send(Readable.from([head, ...binary].filter((bytes) => bytes.length > 0)));
}
