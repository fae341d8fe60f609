import { address, baseSettings, integer, loadConfig } from '../platform/config.js';
import { ServiceError } from '../platform/errors.js';

const settings = {
  ...baseSettings,
  /** host:port of the services that stand behind. Default: the same machine, by port base. */
  inferenceAddress: address,
  registryAddress: address,
  trainingAddress: address,
  preprocessingAddress: address,
  /** Bytes that the bodies of all requests in flight may hold together, decompressed. Default: 1 GiB, or one message. */
  bodiesBytesMax: integer(1, 2 ** 40).optional(),
  /** Longest wait for an inference, ms. */
  inferTimeoutMs: integer(1, 3_600_000).default(60_000),
  /** Longest wait for a model to be loaded, ms. */
  loadTimeoutMs: integer(1, 3_600_000).default(600_000),
  /** Longest wait for the metrics of one service, ms. */
  metricsTimeoutMs: integer(1, 60_000).default(1_000),
};

export type GatewayConfig = ReturnType<typeof readConfig>;

export function readConfig(args: string[], env: Record<string, string | undefined>) {
  const config = loadConfig(settings, args, env);
  const { messageBytesMax, bodiesBytesMax = Math.max(2 ** 30, messageBytesMax) } = config;
  if (bodiesBytesMax < messageBytesMax) {
    const message = `The configuration is invalid. bodiesBytesMax: expected at least messageBytesMax, ${messageBytesMax} (received ${bodiesBytesMax}).`;
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_CONFIG', message);
  }
  return { ...config, bodiesBytesMax };
}
