import type { z } from 'zod';
import { address, baseSettings, loadConfig } from '../platform/config.js';

const settings = {
  ...baseSettings,
  /** host:port of preprocessing. Default: this machine, by port base. */
  preprocessingAddress: address,
  /** host:port of the registry. Default: this machine, by port base. */
  registryAddress: address,
};

export type TrainingConfig = z.output<z.ZodObject<typeof settings>>;

export function readConfig(args: string[], env: Record<string, string | undefined>): TrainingConfig {
  return loadConfig(settings, args, env);
}
