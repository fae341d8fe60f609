import { address, baseSettings, integer, loadConfig } from '../platform/config.js';
import { messageBytesMax } from '../platform/server.js';

const settings = {
  ...baseSettings,
  /** host:port of the services that stand behind. Default: the same machine, by port base. */
  inferenceAddress: address,
  registryAddress: address,
  trainingAddress: address,
  preprocessingAddress: address,
  /** Bytes that the bodies of all requests in flight may hold together, decompressed. */
  bodiesBytesMax: integer(messageBytesMax, 2 ** 40).default(2 ** 30),
  /** Longest wait for an inference, ms. */
  inferTimeoutMs: integer(1, 3_600_000).default(60_000),
  /** Longest wait for a model to be loaded, ms. */
  loadTimeoutMs: integer(1, 3_600_000).default(600_000),
  /** Longest wait for the metrics of one service, ms. */
  metricsTimeoutMs: integer(1, 60_000).default(1_000),
};

export type GatewayConfig = ReturnType<typeof readConfig>;

export function readConfig(args: string[], env: Record<string, string | undefined>) {
  return loadConfig(settings, args, env);
}
