import type { _inference_RepositoryIndexResponse_ModelIndex as ModelIndex } from '../../proto/gen/inference/RepositoryIndexResponse.js';
import type { contracts } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import type { Implementation } from '../platform/handler.js';
import type { IndexedModel, ServerControl } from './control.js';

type Handlers = (typeof contracts.inference)['handlersType'];

/** Methods of the protocol that are about the whole server, whichever worker took the call. */
export function controlMethods(control: ServerControl): Partial<Implementation<Handlers>> {
  return {
    ...refusals,
    RepositoryIndex: async ({ repositoryName, ready }) => {
      if (repositoryName !== '') {
        throw unimplemented('`repository_name` is not supported: there is one repository, and its name is empty.');
      }
      return { models: (await control.index()).flatMap((model) => toIndex(model, ready)) };
    },
  };
}

function toIndex({ name, versions }: IndexedModel, onlyReady: boolean): ModelIndex[] {
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
