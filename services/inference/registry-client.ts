import { contracts, createClient, type RpcClient, RpcError, type StatusName } from '../../proto/index.js';
import { ResourceName } from '../platform/resource-name.js';
import { type BatchingSettings, defaultBatching } from './batching-settings.js';
import {
  type Deployment,
  defaultDeployment,
  type ModelSnapshot,
  type Registry,
  type RegistryEvent,
  RegistryUnavailable,
  type VersionDescriptor,
} from './registry.js';

type Client = RpcClient<(typeof contracts.registry)['clientType']>;
type Version = Awaited<ReturnType<Client['getModelVersion']>>;
type Model = Awaited<ReturnType<Client['getModel']>>;
type DeploymentMessage = Awaited<ReturnType<Client['getDeployment']>>;

const modelName = new ResourceName('models/{model}');
const versionName = new ResourceName('models/{model}/versions/{version}');

/** Statuses after which the same call may succeed. */
const transient = new Set<StatusName>([
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'CANCELLED',
  'ABORTED',
  'UNKNOWN',
]);

/** The registry behind its contract. */
export class RegistryClient implements Registry {
  readonly #client: Client;

  /** @param address host:port */
  constructor(address: string, messageBytesMax?: number) {
    this.#client = createClient(contracts.registry, address, { messageBytesMax });
  }

  async *watch(signal: AbortSignal): AsyncIterable<RegistryEvent> {
    try {
      for await (const event of this.#client.watchModels({}, { signal })) {
        if (event.model) {
          yield { kind: 'model', model: toSnapshot(event.model, event.deployment) };
        } else if (event.deletedModel) {
          yield { kind: 'deleted', name: modelName.parse(event.deletedModel, 'deleted_model').model };
        } else if (event.synced) {
          yield { kind: 'synced' };
        }
      }
    } catch (error) {
      throw translate(error);
    }
  }

  /** Version number by alias, or null when there is no such model. */
  async findAliases(model: string, signal: AbortSignal): Promise<ReadonlyMap<string, number> | null> {
    const found = await orNull(this.#client.getModel({ name: modelName.format({ model }) }, { signal }));
    return found && new Map(Object.entries(found.aliases));
  }

  async newestVersions(model: string, count: number, signal: AbortSignal): Promise<VersionDescriptor[]> {
    const parent = modelName.format({ model });
    const page = await orNull(this.#client.listModelVersions({ parent, pageSize: count }, { signal }));
    return page?.modelVersions.map(toDescriptor) ?? [];
  }

  async findVersion(model: string, number: number, signal: AbortSignal): Promise<VersionDescriptor | null> {
    const name = versionName.format({ model, version: String(number) });
    const version = await orNull(this.#client.getModelVersion({ name }, { signal }));
    return version && toDescriptor(version);
  }

  async *download(digest: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    try {
      for await (const { chunk } of this.#client.downloadBlob({ digest }, { signal })) {
        yield chunk;
      }
    } catch (error) {
      throw translate(error);
    }
  }

  close(): void {
    this.#client.close();
  }
}

/** The answer, or null for NOT_FOUND. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RpcError && error.code === 'NOT_FOUND') {
      return null;
    }
    throw translate(error);
  }
}

function translate(error: unknown): unknown {
  return error instanceof RpcError && transient.has(error.code)
    ? new RegistryUnavailable(`The registry answered ${error.code}: ${error.message}`, { cause: error })
    : error;
}

function toSnapshot(model: Model, deployment: DeploymentMessage | null): ModelSnapshot {
  return {
    name: modelName.parse(model.name, 'model.name').model,
    aliases: new Map(Object.entries(model.aliases)),
    // A registry from before there were deployments tells of none.
    deployment: deployment ? toDeployment(deployment) : defaultDeployment,
  };
}

function toDeployment({ traffic, shadow, batching, responseCacheBytes }: DeploymentMessage): Deployment {
  return { traffic, shadow, batching: batching ? toBatching(batching) : defaultBatching, responseCacheBytes };
}

function toBatching(message: NonNullable<DeploymentMessage['batching']>): BatchingSettings {
  const { rowsMax, preferredRows, queueDelayUsMax, queueRequestsMax, priorityLevels, defaultPriority } = message;
  const { timeoutUs, timeoutOverride = defaultBatching.timeoutOverride } = message;
  return {
    rowsMax,
    preferredRows,
    queueDelayUsMax,
    queueRequestsMax,
    priorityLevels,
    defaultPriority,
    timeoutUs,
    timeoutOverride,
  };
}

function toDescriptor(version: Version): VersionDescriptor {
  return {
    number: Number(versionName.parse(version.name, 'model_version.name').version),
    digest: version.digest,
    artifacts: new Map(version.artifacts.map(({ path, digest, sizeBytes }) => [path, { digest, sizeBytes }])),
  };
}
