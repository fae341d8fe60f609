import type { ModelConfig } from '../../proto/gen/inference/ModelConfig.js';
import type { ModelDynamicBatching } from '../../proto/gen/inference/ModelDynamicBatching.js';
import type { ModelInferRequest__Output } from '../../proto/gen/inference/ModelInferRequest.js';
import type { ModelMetadataResponse } from '../../proto/gen/inference/ModelMetadataResponse.js';
import { contracts, type InferResponse, type StreamResponse } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import { type CallContext, type Implementation, type ImplementedContract, implement } from '../platform/handler.js';
import type { BatchingSettings } from './batching-settings.js';
import type { Inference, TensorAnswer } from './inference.js';
import type { LoadedVersion } from './loaded-version.js';
import { inOrder } from './ordered-answers.js';
import { routingKeyOf } from './routing-key.js';
import type { TensorSpec } from './tensor.js';
import type { AnswerTensor } from './tensor-answer.js';
import type { TensorRequest } from './tensor-request.js';

export interface ServerDescription {
  version: string;
  /** Newest versions of a model that are loaded. */
  loadedVersionsMax: number;
}

type Handlers = (typeof contracts.inference)['handlersType'];

/** Extensions of Triton's protocol that are there in full; the methods of all others answer UNIMPLEMENTED. */
const extensions = [
  'classification',
  'sequence',
  'model_repository',
  'model_repository(unload_dependents)',
  'schedule_policy',
  'model_configuration',
  'system_shared_memory',
  'binary_tensor_data',
  'parameters',
  'statistics',
  'trace',
  'logging',
];
const backend = 'millrace';
/** Answers of one stream that may be on their way at once. */
const streamedMax = 256;

/**
 * The Open Inference Protocol, with Triton's names.
 *
 * @param control the methods that are about the whole server
 */
export function inferenceService(
  inference: Inference,
  server: ServerDescription,
  control: Partial<Implementation<Handlers>>,
): ImplementedContract {
  const { repository } = inference;
  const answer = (request: ModelInferRequest__Output, caller: CallContext) =>
    inference.infer(request.modelName, request.modelVersion, toRequest(request), caller, () => routingKeyOf(caller));
  return implement(contracts.inference, {
    ...control,
    ServerLive: async () => ({ live: true }),
    ServerReady: async () => ({ ready: repository.isReady }),
    ModelReady: async ({ name, version }) => ({ ready: repository.find(name, version) !== null }),
    ServerMetadata: async () => ({ name: 'millrace', version: server.version, extensions }),
    ModelMetadata: async ({ name, version }) =>
      toMetadata(repository.resolve(name, version), repository.get(name)?.loadedVersions ?? []),
    ModelConfig: async ({ name, version }) => ({
      config: toConfig(repository.resolve(name, version), server.loadedVersionsMax),
    }),
    ModelInfer: async (request, caller) => toResponse(await answer(request, caller), request.id),
    ModelStreamInfer: (requests, context) => {
      const endsWithError = context.metadata.get('triton_grpc_error')[0] === 'true';
      const answerOne = async (request: ModelInferRequest__Output): Promise<StreamResponse> => {
        try {
          return { inferResponse: toResponse(await answer(request, context), request.id) };
        } catch (error) {
          if (endsWithError || !(error instanceof ServiceError)) {
            throw error;
          }
          // The other requests of the stream go on. Triton's clients raise this for the one request.
          context.throwIfGone();
          const { modelName, modelVersion, id } = request;
          const inferResponse = { modelName, modelVersion, id, outputs: [], rawOutputContents: [] };
          return { errorMessage: error.message, inferResponse };
        }
      };
      return inOrder(requests, answerOne, streamedMax) as AsyncIterable<never>;
    },
  });
}

/** The contract's server reads elements of 64 bits as `bigint`s, which its types do not know. */
function toRequest(request: ModelInferRequest__Output): TensorRequest {
  return request as unknown as TensorRequest;
}

function toResponse({ version, tensors, marksFinal }: TensorAnswer, id: string): InferResponse {
  return {
    modelName: version.model,
    modelVersion: String(version.number),
    id,
    ...(marksFinal ? { parameters: { triton_final_response: { boolParam: true } } } : {}),
    outputs: tensors.map(toOutput),
    rawOutputContents: tensors.map(({ bytes }) => bytes as Buffer),
  };
}

function toOutput({ name, datatype, shape, part }: AnswerTensor) {
  if (!part) {
    return { name, datatype, shape };
  }
  const parameters = {
    shared_memory_region: { stringParam: part.region },
    shared_memory_offset: { int64Param: part.offset },
    shared_memory_byte_size: { int64Param: part.byteSize },
  };
  return { name, datatype, shape, parameters };
}

function toMetadata({ model, executable }: LoadedVersion, versions: number[]): ModelMetadataResponse {
  const toTensor = ({ name, datatype, shape }: TensorSpec) => ({ name, datatype, shape: [-1, ...shape] });
  return {
    name: model,
    versions: versions.map(String),
    platform: executable.platform,
    inputs: executable.inputs.map(toTensor),
    outputs: executable.outputs.map(toTensor),
  };
}

/** What the protocol says of a version. */
export function toConfig(
  { model, executable, classes, rowsMax, batcher }: LoadedVersion,
  numVersions: number,
): ModelConfig {
  const toTensor = ({ name, datatype, shape }: TensorSpec) => ({
    name,
    dataType: datatype === 'BYTES' ? ('TYPE_STRING' as const) : (`TYPE_${datatype}` as const),
    dims: [...shape],
  });
  return {
    name: model,
    platform: executable.platform,
    backend,
    versionPolicy: { latest: { numVersions } },
    maxBatchSize: rowsMax,
    input: executable.inputs.map(toTensor),
    output: executable.outputs.map((spec) => ({
      ...toTensor(spec),
      ...(classes && classes.length === spec.shape.at(-1) ? { labelFilename: 'signature.json' } : {}),
    })),
    dynamicBatching: toDynamicBatching(batcher.settings),
    instanceGroup: [{ name: model, kind: 'KIND_CPU', count: 1 }],
    modelTransactionPolicy: { decoupled: false },
  };
}

function toDynamicBatching(settings: BatchingSettings): ModelDynamicBatching {
  return {
    preferredBatchSize: [...settings.preferredRows],
    maxQueueDelayMicroseconds: settings.queueDelayUsMax,
    priorityLevels: settings.priorityLevels,
    defaultPriorityLevel: settings.defaultPriority,
    defaultQueuePolicy: {
      timeoutAction: 'REJECT',
      defaultTimeoutMicroseconds: settings.timeoutUs,
      allowTimeoutOverride: settings.timeoutOverride,
      maxQueueSize: settings.queueRequestsMax,
    },
  };
}
