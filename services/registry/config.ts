import type { z } from 'zod';
import { baseSettings, loadConfig } from '../platform/config.js';

export type RegistryConfig = z.output<z.ZodObject<typeof baseSettings>>;

export function readConfig(args: string[], env: Record<string, string | undefined>): RegistryConfig {
  return loadConfig(baseSettings, args, env);
}
