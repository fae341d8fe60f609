import { pino } from 'pino';
import { contracts, createClient, type RpcClient, RpcError } from '../../proto/index.js';
import { readConfig as readRegistryConfig } from '../../services/registry/config.js';
import { startRegistry } from '../../services/registry/service.js';

export type TrainingClient = RpcClient<typeof contracts.training.clientType>;
export type TuningClient = RpcClient<typeof contracts.tuning.clientType>;
export type RegistryClient = RpcClient<typeof contracts.registry.clientType>;
type WithoutNull<T> = T extends null | undefined ? never : T;
export type SpecMessage = WithoutNull<Parameters<TrainingClient['createTrainingJob']>[0]['spec']>;
export type Event = ReturnType<TrainingClient['watchTrainingJob']> extends AsyncGenerator<infer E, void> ? E : never;

export type TuningEvent = ReturnType<TuningClient['watchTuningJob']> extends AsyncGenerator<infer E, void> ? E : never;

export const silent = pino({ level: 'silent' });

/** A spec that fits `datasets/points` of the tensor server; an epoch takes a good tenth of a second. */
export function pointsSpec(changes: Partial<SpecMessage> = {}): SpecMessage {
  return {
    dataset: 'datasets/points',
    pipeline: { columns: [{ column: 'pixels' }], label: { column: 'class', kind: 'KIND_CLASSES' } },
    network: {
      layers: [
        { units: 64, activation: 'ACTIVATION_RELU' },
        { units: 4, activation: 'ACTIVATION_SOFTMAX' },
      ],
    },
    loss: 'LOSS_CATEGORICAL_CROSS_ENTROPY',
    optimizer: { adam: {} },
    epochs: 4,
    seed: 7,
    publish: { model: 'models/points', aliases: ['champion'] },
    ...changes,
  };
}

/** More epochs than any test waits for. */
export const endless = 100_000;

export async function startRegistryAt(dataDir: string, port = 0) {
  const args = ['--data-dir', dataDir, '--port', String(port), '--stop-grace-ms', '2000'];
  return startRegistry(readRegistryConfig(args, {}), silent);
}

/** Events up to the first that `isLast` accepts, or to the end of the job. */
export async function collect<T>(events: AsyncIterable<T>, isLast: (event: T) => boolean = () => false): Promise<T[]> {
  const seen: T[] = [];
  for await (const event of events) {
    seen.push(event);
    if (isLast(event)) {
      break;
    }
  }
  return seen;
}

export const entered = (state: string) => (event: Event) => event.stateChange?.state === state;

export const statesOf = (events: Event[]) => events.flatMap(({ stateChange }) => stateChange?.state ?? []);

export function numbersFrom(first: number, events: Event[]): number[] {
  return events.map((_, i) => first + i);
}

/** The job's weights, by digest. */
export async function weightsOf(registry: RegistryClient, version: string): Promise<string> {
  const { artifacts } = await registry.getModelVersion({ name: version });
  const weights = artifacts.find(({ path }) => path === 'model.safetensors');
  if (!weights) {
    throw new Error(`${version} has no weights`);
  }
  return weights.digest;
}

export const registryClientAt = (port: number) => createClient(contracts.registry, `127.0.0.1:${port}`);
export const trainingClientAt = (port: number) => createClient(contracts.training, `127.0.0.1:${port}`);

export const tuningClientAt = (port: number) => createClient(contracts.tuning, `127.0.0.1:${port}`);

export function isUnavailable(error: unknown): boolean {
  return error instanceof RpcError && error.code === 'UNAVAILABLE';
}
