import type { ModelConfig } from '../../proto/gen/inference/ModelConfig.js';
import type { ModelInferResponse } from '../../proto/gen/inference/ModelInferResponse.js';
import type { ModelMetadataResponse } from '../../proto/gen/inference/ModelMetadataResponse.js';
import type { _inference_RepositoryIndexResponse_ModelIndex as ModelIndex } from '../../proto/gen/inference/RepositoryIndexResponse.js';
import { contracts } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import type { Inference, TensorAnswer } from './inference.js';
import type { LoadedVersion } from './loaded-version.js';
import type { ModelStatus } from './model-repository.js';
import { toRawBytes } from './tensor-request.js';

export interface ServerDescription {
  version: string;
  /** Newest versions of a model that are loaded. */
  loadedVersionsMax: number;
}

/** Extensions of Triton's protocol that are there in full; the methods of all others answer UNIMPLEMENTED. */
const extensions = ['model_configuration'];
const backend = 'millrace';
const platform = 'millrace_dense';

/** The Open Inference Protocol, with Triton's names. */
export function inferenceService(inference: Inference, server: ServerDescription): ImplementedContract {
  const { repository } = inference;
  return implement(contracts.inference, {
    ...refusals,
    ServerLive: async () => ({ live: true }),
    ServerReady: async () => ({ ready: repository.isReady }),
    ModelReady: async ({ name, version }) => ({ ready: repository.find(name, version) !== null }),
    ServerMetadata: async () => ({ name: 'millrace', version: server.version, extensions }),
    ModelMetadata: async ({ name, version }) =>
      toMetadata(repository.resolve(name, version), repository.get(name)?.loadedVersions ?? []),
    ModelConfig: async ({ name, version }) => ({
      config: toConfig(repository.resolve(name, version), server.loadedVersionsMax),
    }),
    ModelInfer: (request, caller) => {
      const answer = inference.infer(request.modelName, request.modelVersion, request, caller);
      return answer instanceof Promise
        ? answer.then((late) => toResponse(late, request.id))
        : toResponse(answer, request.id);
    },
    RepositoryIndex: async ({ repositoryName, ready }) => {
      if (repositoryName !== '') {
        throw unimplemented('`repository_name` is not supported: there is one repository, and its name is empty.');
      }
      return { models: repository.statuses.flatMap((model) => toIndex(model, ready)) };
    },
  });
}

function toResponse({ version, rows, output }: TensorAnswer, id: string): ModelInferResponse {
  const { name, width } = version.signature.output;
  return {
    modelName: version.model,
    modelVersion: String(version.number),
    id,
    outputs: [{ name, datatype: 'FP32', shape: [rows, width] }],
    rawOutputContents: [toRawBytes(output)],
  };
}

function toMetadata({ model, signature }: LoadedVersion, versions: number[]): ModelMetadataResponse {
  const { input, output } = signature;
  return {
    name: model,
    versions: versions.map(String),
    platform,
    inputs: [{ name: input.name, datatype: 'FP32', shape: [-1, input.width] }],
    outputs: [{ name: output.name, datatype: 'FP32', shape: [-1, output.width] }],
  };
}

function toConfig({ model, signature, rowsMax }: LoadedVersion, numVersions: number): ModelConfig {
  const { input, output } = signature;
  return {
    name: model,
    platform,
    backend,
    versionPolicy: { latest: { numVersions } },
    maxBatchSize: rowsMax,
    input: [{ name: input.name, dataType: 'TYPE_FP32', dims: [input.width] }],
    output: [{ name: output.name, dataType: 'TYPE_FP32', dims: [output.width] }],
    instanceGroup: [{ name: model, kind: 'KIND_CPU', count: 1 }],
    modelTransactionPolicy: { decoupled: false },
  };
}

function toIndex({ name, versions }: ModelStatus, onlyReady: boolean): ModelIndex[] {
  if (versions.length === 0) {
    return onlyReady ? [] : [{ name }];
  }
  return versions
    .filter(({ state }) => !onlyReady || state === 'READY')
    .map(({ version, state, reason }) => ({ name, version: String(version), state, reason }));
}

const unimplemented = (message: string) => new ServiceError('UNIMPLEMENTED', 'UNSUPPORTED', message);

function refuse(method: string): () => never {
  return () => {
    const message = `${method} is not supported by this server: ServerMetadata lists the extensions that it has.`;
    throw unimplemented(message);
  };
}

const refusals = {
  ModelStreamInfer: refuse('ModelStreamInfer'),
  ModelStatistics: refuse('ModelStatistics'),
  RepositoryModelLoad: refuse('RepositoryModelLoad'),
  RepositoryModelUnload: refuse('RepositoryModelUnload'),
  SystemSharedMemoryStatus: refuse('SystemSharedMemoryStatus'),
  SystemSharedMemoryRegister: refuse('SystemSharedMemoryRegister'),
  SystemSharedMemoryUnregister: refuse('SystemSharedMemoryUnregister'),
  CudaSharedMemoryStatus: refuse('CudaSharedMemoryStatus'),
  CudaSharedMemoryRegister: refuse('CudaSharedMemoryRegister'),
  CudaSharedMemoryUnregister: refuse('CudaSharedMemoryUnregister'),
  TraceSetting: refuse('TraceSetting'),
  LogSettings: refuse('LogSettings'),
};
