import { rm } from 'node:fs/promises';
import path from 'node:path';
import { createArrowEncoder } from '../arrow-encoder.js';
import type { DatasetVersion } from '../dataset.js';
import type { DatasetStore } from '../dataset-store.js';
import { refuseNonFinite } from '../finite.js';
import { download, type ImportAccess, isAddress } from './download.js';
import type { GivenTypes } from './given-types.js';
import { type ImportFile, type ImportPath, type ImportProgress, listFiles } from './import-file.js';
import { type ImportFormat, openFiles } from './import-format.js';

export interface ImportRequest {
  dataset: string;
  /** Absolute paths, or http and https addresses. */
  paths: string[];
  /** Null: recognised. */
  format: ImportFormat | null;
  /** Of columns whose type is not to be inferred. */
  types: GivenTypes;
}

/**
 * While an import runs, how far it is; at the end, the version that holds the rows. What is at an address is fetched into the
 * drafts first. Left early, it leaves nothing.
 */
export async function* importDataset(
  store: DatasetStore,
  access: ImportAccess,
  request: ImportRequest,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress | DatasetVersion> {
  const fetchFolder = store.spillFolder();
  try {
    const files = await gatherFiles(request.paths, fetchFolder, access, signal);
    yield* importFiles(store, files, request, signal);
  } finally {
    await rm(fetchFolder, { recursive: true, force: true });
  }
}

async function gatherFiles(paths: string[], fetchFolder: string, access: ImportAccess, signal: AbortSignal) {
  const sources: ImportPath[] = [];
  for (const [i, given] of paths.entries()) {
    const isFetched = isAddress(given, `paths[${i}]`);
    const local = isFetched ? await download(given, path.join(fetchFolder, String(i)), access, signal) : given;
    sources.push({ path: local, isFetched });
  }
  return listFiles(sources, access.folders);
}

async function* importFiles(
  store: DatasetStore,
  files: readonly ImportFile[],
  { dataset, format, types }: ImportRequest,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress | DatasetVersion> {
  const source = await openFiles(files, format, { types, spillFolder: store.spillFolder(), signal });
  const encoder = await createArrowEncoder(source.columns);
  const draft = await store.draft(source.columns, source.schema ?? encoder.schema());
  const bytesTotal = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let bytesDone = 0;
  try {
    for await (const batch of source.batches) {
      signal.throwIfAborted();
      for (const [i, chunk] of batch.chunks.entries()) {
        refuseNonFinite(source.columns[i]!.name, chunk, draft.rowCount);
      }
      const messages = batch.messages ?? encoder.batch(batch.chunks[0]!.length, batch.chunks);
      await draft.append(messages, batch.chunks);
      bytesDone += batch.bytesDone;
      yield { rowCount: draft.rowCount, bytesDone, bytesTotal };
    }
    signal.throwIfAborted();
    yield await store.commit(
      dataset,
      draft,
      files.map((file) => path.basename(file.path)),
    );
  } finally {
    await draft.discard();
  }
}
