import path from 'node:path';
import { ServiceError } from '../../platform/errors.js';
import type { AllowedFolders } from './allowed-folders.js';
import { type DownloadRules, download, isAddress, shown } from './download.js';
import type { ImportPath } from './import-file.js';
import { parseUploadPath, type Uploads } from './uploads.js';

/** Where imports may read. */
export interface ImportAccess extends DownloadRules {
  folders: AllowedFolders;
  uploads: Uploads;
}

/** Brings what an import names to this machine: addresses are fetched into `folder`, and uploads are moved there. */
export async function gather(
  paths: readonly string[],
  folder: string,
  access: ImportAccess,
  signal: AbortSignal,
): Promise<ImportPath[]> {
  const named = paths.map((given, i) => ({ given, i, upload: parseUploadPath(given, `paths[${i}]`) }));
  const taken = new Set<string>();
  const sources: ImportPath[] = [];
  for (const { given, i, upload } of named) {
    if (upload) {
      const local = path.join(folder, upload.id);
      if (!taken.has(upload.id)) {
        taken.add(upload.id);
        await access.uploads.take(upload.id, local);
      }
      sources.push({ given, path: path.join(local, ...upload.inner), isFetched: true });
    } else if (isAddress(given, `paths[${i}]`)) {
      const local = await download(given, path.join(folder, String(i)), access, signal);
      sources.push({ given: shown(new URL(given)), path: local, isFetched: true });
    } else {
      sources.push({ given, path: given, isFetched: false });
    }
  }
  return sources;
}

/** An error that speaks of what was named, and not of where our copy of it is. */
export function speakAsGiven(error: unknown, sources: readonly ImportPath[]): unknown {
  const fetched = sources.filter(({ isFetched }) => isFetched);
  if (!(error instanceof ServiceError) || fetched.length === 0) {
    return error;
  }
  const told = (text: string) => fetched.reduce((now, source) => now.replaceAll(source.path, source.given), text);
  const fieldViolations = error.fieldViolations.map(({ field, description }) => ({
    field,
    description: told(description),
  }));
  return new ServiceError(error.code, error.reason, told(error.message), { cause: error, fieldViolations });
}
