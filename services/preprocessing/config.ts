import type { z } from 'zod';
import { baseSettings, loadConfig } from '../platform/config.js';

export type PreprocessingConfig = z.output<z.ZodObject<typeof baseSettings>>;

export function readConfig(args: string[], env: Record<string, string | undefined>): PreprocessingConfig {
  return loadConfig(baseSettings, args, env);
}
