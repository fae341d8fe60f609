import type { z } from 'zod';
import { availableCores } from '../../native/index.js';
import { address, baseSettings, integer, loadConfig } from '../platform/config.js';

const settings = {
  ...baseSettings,
  /** host:port of preprocessing. Default: this machine, by port base. */
  preprocessingAddress: address,
  /** host:port of the registry. Default: this machine, by port base. */
  registryAddress: address,
  /** Jobs that run at once. They share the cores: each has as many threads as its share, and none has less than one. */
  jobsAtOnce: integer(1, availableCores()).default(1),
};

export type TrainingConfig = z.output<z.ZodObject<typeof settings>>;

export function readConfig(args: string[], env: Record<string, string | undefined>): TrainingConfig {
  return loadConfig(settings, args, env);
}
