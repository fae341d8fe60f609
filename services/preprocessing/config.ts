import path from 'node:path';
import type { z } from 'zod';
import { baseSettings, integer, list, loadConfig } from '../platform/config.js';

const settings = {
  ...baseSettings,
  /** Folders that imports may read from, as in PATH, or a list; none: all that the service itself may read. */
  importFolders: list(path.delimiter)
    .transform((folders) => folders.map((folder) => path.resolve(folder)))
    .default([]),
  /** Hosts that imports may fetch from although they are not in the public network, with commas between them, or a list. */
  importHosts: list(',').default([]),
  /** Largest file that an import fetches, bytes. */
  downloadBytesMax: integer(1, Number.MAX_SAFE_INTEGER).default(20 * 1024 ** 3),
  /** Largest upload, with all its files, bytes. */
  uploadBytesMax: integer(1, Number.MAX_SAFE_INTEGER).default(20 * 1024 ** 3),
};

export type PreprocessingConfig = z.output<z.ZodObject<typeof settings>>;

export function readConfig(args: string[], env: Record<string, string | undefined>): PreprocessingConfig {
  return loadConfig(settings, args, env);
}
