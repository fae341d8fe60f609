import path from 'node:path';
import { ServiceError } from '../../platform/errors.js';
import type { AllowedFolders } from './allowed-folders.js';
import { download, isAddress, shown } from './download.js';
import type { FetchMeter, FetchRules } from './fetching.js';
import type { ImportPath } from './import-file.js';
import { fetchS3, parseS3Address } from './s3.js';
import { parseUploadPath, type Uploads } from './uploads.js';

/** Where imports may read. */
export interface ImportAccess extends FetchRules {
  folders: AllowedFolders;
  uploads: Uploads;
}

/** Brings what an import names to this machine: addresses are fetched into `folder`, and uploads are moved there. */
export async function gather(
  paths: readonly string[],
  folder: string,
  access: ImportAccess,
  meter: FetchMeter,
  signal: AbortSignal,
): Promise<ImportPath[]> {
  const named = paths.map((given, i) => {
    const field = `paths[${i}]`;
    const [upload, s3] = [parseUploadPath(given, field), parseS3Address(given, field)];
    return { given, upload, s3, isHttp: !s3 && isAddress(given, field) };
  });
  const taken = new Set<string>();
  const sources: ImportPath[] = [];
  for (const [i, { given, upload, s3, isHttp }] of named.entries()) {
    if (upload) {
      const local = path.join(folder, upload.id);
      if (!taken.has(upload.id)) {
        taken.add(upload.id);
        await access.uploads.take(upload.id, local);
      }
      sources.push({ given, path: path.join(local, ...upload.inner), isFetched: true });
    } else if (s3) {
      const local = await fetchS3(s3, path.join(folder, String(i)), access, meter, signal);
      sources.push({ given: given.replace(/\/+$/, ''), path: local, isFetched: true });
    } else if (isHttp) {
      const local = await download(given, path.join(folder, String(i)), access, meter, signal);
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
  // What was made of what came last goes first.
  const told = (text: string) => fetched.reduceRight((now, { path: ours, given }) => now.replaceAll(ours, given), text);
  const fieldViolations = error.fieldViolations.map(({ field, description }) => ({
    field,
    description: told(description),
  }));
  return new ServiceError(error.code, error.reason, told(error.message), { cause: error, fieldViolations });
}
