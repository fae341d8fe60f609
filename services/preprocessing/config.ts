import path from 'node:path';
import { z } from 'zod';
import { baseSettings, loadConfig } from '../platform/config.js';

const settings = {
  ...baseSettings,
  /** Folders that imports may read from, as in PATH, or a list; none: all that the service itself may read. */
  importFolders: z
    .union([z.string().transform((text) => text.split(path.delimiter)), z.array(z.string())])
    .default([])
    .transform((folders) => folders.filter((folder) => folder !== '').map((folder) => path.resolve(folder))),
};

export type PreprocessingConfig = z.output<z.ZodObject<typeof settings>>;

export function readConfig(args: string[], env: Record<string, string | undefined>): PreprocessingConfig {
  return loadConfig(settings, args, env);
}
