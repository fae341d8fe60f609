import type { ModelRepositoryParameter__Output as RepositoryParameter } from '../../proto/gen/inference/ModelRepositoryParameter.js';
import type { _inference_RepositoryIndexResponse_ModelIndex as ModelIndex } from '../../proto/gen/inference/RepositoryIndexResponse.js';
import type { contracts } from '../../proto/index.js';
import { invalidField, quote, ServiceError } from '../platform/errors.js';
import type { Implementation } from '../platform/handler.js';
import type { IndexedModel, LoadRequest, LogSettingValue, ServerControl, SettingTexts } from './control.js';
import { logSettingTexts } from './setting-changes.js';
import { type Stated, withoutRepeated } from './stated-config.js';
import { toModelStatistics } from './statistics-rpc.js';

type Handlers = (typeof contracts.inference)['handlersType'];

/**
 * Methods of the protocol that are about the whole server, whichever worker took the call.
 *
 * @param served configurations of a model's versions that are served
 */
export function controlMethods(
  control: ServerControl,
  served: (model: string) => readonly Stated[],
): Partial<Implementation<Handlers>> {
  return {
    RepositoryIndex: async ({ repositoryName, ready }) => {
      checkRepository(repositoryName);
      return { models: (await control.index()).flatMap((model) => toIndex(model, ready)) };
    },
    RepositoryModelLoad: async ({ repositoryName, modelName, parameters }) => {
      const model = nameOf(repositoryName, modelName);
      const { config, files } = toLoadRequest(parameters);
      // Files take the place of what is served.
      await control.load(model, { config: withoutRepeated(config, files.size > 0 ? [] : served(model)), files });
      return {};
    },
    RepositoryModelUnload: async ({ repositoryName, modelName, parameters }) => {
      checkUnload(parameters);
      await control.unload(nameOf(repositoryName, modelName));
      return {};
    },
    ModelStatistics: async ({ name, version }) => ({
      modelStats: (await control.statistics(name, version)).map(toModelStatistics),
    }),
    SystemSharedMemoryStatus: async ({ name }) => ({
      regions: Object.fromEntries((await control.regions(name)).map((region) => [region.name, region])),
    }),
    SystemSharedMemoryRegister: async ({ name, key, offset, byteSize }) => {
      await control.registerRegion({ name, key, offset, byteSize });
      return {};
    },
    SystemSharedMemoryUnregister: async ({ name }) => {
      await control.unregisterRegion(name);
      return {};
    },
    CudaSharedMemoryStatus: refuseCuda,
    CudaSharedMemoryRegister: refuseCuda,
    CudaSharedMemoryUnregister: refuseCuda,
    TraceSetting: async ({ settings, modelName }) => {
      const changes = new Map(Object.entries(settings).map(([name, { value }]) => [name, value]));
      return { settings: toTraceSettings(await control.traceSettings(modelName, changes)) };
    },
    LogSettings: async ({ settings }) => {
      const changes = new Map<string, LogSettingValue>();
      for (const [name, setting] of Object.entries(settings)) {
        const choice = setting.parameterChoice;
        changes.set(name, choice ? (setting[choice] ?? null) : null);
      }
      const after = logSettingTexts(await control.logSettings(changes));
      return { settings: Object.fromEntries([...after].map(([name, value]) => [name, toSetting(value)])) };
    },
  };
}

function checkRepository(name: string): void {
  if (name !== '') {
    const message = '`repository_name` is not supported: there is one repository, and its name is empty.';
    throw new ServiceError('UNIMPLEMENTED', 'UNSUPPORTED', message);
  }
}

/** KServe's clients put the name of the model where Triton's have that of the repository. */
function nameOf(repositoryName: string, modelName: string): string {
  if (modelName === '' && repositoryName === '') {
    throw invalidField('model_name', 'Expected `model_name` to be the name of a model but received nothing.');
  }
  if (modelName !== '') {
    checkRepository(repositoryName);
  }
  return modelName || repositoryName;
}

const filePrefix = 'file:';

function toLoadRequest(parameters: Record<string, RepositoryParameter>): LoadRequest {
  let config = '';
  const files = new Map<string, Uint8Array>();
  for (const [name, { parameterChoice, stringParam, bytesParam }] of Object.entries(parameters)) {
    const field = `parameters[${quote(name)}]`;
    if (name === 'config') {
      if (parameterChoice !== 'stringParam') {
        throw invalidField(field, 'Expected parameter `config` to be a text: a ModelConfig as JSON.');
      }
      config = stringParam ?? '';
    } else if (name.startsWith(filePrefix)) {
      if (parameterChoice !== 'bytesParam') {
        throw invalidField(field, `Expected parameter ${quote(name)} to be bytes: the contents of the file.`);
      }
      files.set(name.slice(filePrefix.length), new Uint8Array(bytesParam ?? []));
    } else {
      throw invalidField(
        field,
        `Expected the parameters \`config\` and \`file:VERSION/NAME\` but received ${quote(name)}.`,
      );
    }
  }
  if (files.size > 0 && config === '') {
    throw invalidField(
      'parameters["config"]',
      'Expected parameter `config` beside the files, since theirs takes the place of the stored one.',
    );
  }
  return { config, files };
}

function checkUnload(parameters: Record<string, RepositoryParameter>): void {
  for (const [name, { parameterChoice }] of Object.entries(parameters)) {
    // Models here depend on no other, so there is nothing for it to unload.
    if (name !== 'unload_dependents' || parameterChoice !== 'boolParam') {
      throw invalidField(
        `parameters[${quote(name)}]`,
        `Expected the parameter \`unload_dependents\`, true or false, but received ${quote(name)}.`,
      );
    }
  }
}

function toIndex({ name, versions }: IndexedModel, onlyReady: boolean): ModelIndex[] {
  if (versions.length === 0) {
    return onlyReady ? [] : [{ name }];
  }
  return versions
    .filter(({ state }) => !onlyReady || state === 'READY')
    .map(({ version, state, reason }) => ({ name, version: String(version), state, reason }));
}

function toTraceSettings(settings: SettingTexts): Record<string, { value: string[] }> {
  return Object.fromEntries([...settings].map(([name, value]) => [name, { value: [...value] }]));
}

function toSetting(value: boolean | number | string) {
  if (typeof value === 'boolean') {
    return { boolParam: value };
  }
  return typeof value === 'number' ? { uint32Param: value } : { stringParam: value };
}

function refuseCuda(): never {
  const message = 'CUDA shared memory is not supported: this server is built without CUDA, and computes on the CPU.';
  throw new ServiceError('UNIMPLEMENTED', 'UNSUPPORTED', message);
}
