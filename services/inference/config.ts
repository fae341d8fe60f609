import { availableCores } from '../../native/index.js';
import { address, baseSettings, integer, loadConfig, portOffsets } from '../platform/config.js';

const settings = {
  ...baseSettings,
  /** Port of the Prometheus endpoint; overrides the one that follows from `portBase`. 0: any free port. */
  metricsPort: integer(0, 65_535).optional(),
  /** host:port of the registry that is followed. */
  registryAddress: address,
  /** host:port of preprocessing, which batch predictions read from and write to. */
  preprocessingAddress: address,
  /** Processes that answer calls, behind one port. 1: the process that was started answers itself. */
  workers: integer(1, 256).default(availableCores),
  /** Newest versions of each model that are kept loaded; versions that an alias points to come on top. */
  loadedVersionsMax: integer(1, 1_000).default(8),
  /** Requests that may wait or compute at once in a process; one more is answered with RESOURCE_EXHAUSTED. */
  maxInFlight: integer(1, 100_000).default(1_024),
  /** Bytes of input tensors that may wait or be computed with at once in a process. */
  maxInFlightBytes: integer(1, 1024 ** 4).default(512 * 1024 ** 2),
  /** Most rows of one request. A wide model allows fewer, so that its answer still fits into a message. */
  batchRowsMax: integer(1, 10_000_000).default(16_384),
  /** Largest artifact that is loaded, bytes. */
  artifactBytesMax: integer(1, 4 * 1024 ** 3).default(2 * 1024 ** 3),
};

export type InferenceConfig = ReturnType<typeof readConfig>;

export function readConfig(args: string[], env: Record<string, string | undefined>) {
  return loadConfig(settings, args, env);
}

export function metricsPort(config: Pick<InferenceConfig, 'metricsPort' | 'portBase'>): number {
  return config.metricsPort ?? config.portBase + portOffsets.inferenceMetrics;
}
