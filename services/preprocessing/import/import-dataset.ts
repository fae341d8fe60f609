import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createArrowEncoder } from '../arrow-encoder.js';
import type { DatasetVersion } from '../dataset.js';
import type { DatasetStore } from '../dataset-store.js';
import { refuseNonFinite } from '../finite.js';
import { unpackFiles } from './compressed-files.js';
import { gather, type ImportAccess, speakAsGiven } from './gather.js';
import type { GivenTypes } from './given-types.js';
import { type ImportFile, type ImportPath, type ImportProgress, listFiles } from './import-file.js';
import { type ImportFormat, openFiles } from './import-format.js';
import { NotAsGuessed } from './import-source.js';
import type { MissingValues } from './missing-values.js';

export interface ImportRequest {
  dataset: string;
  /** Absolute paths, http, https and s3 addresses, and uploads (`uploads/ID`). */
  paths: string[];
  /** Null: recognised. */
  format: ImportFormat | null;
  /** Of columns whose type is not to be inferred. */
  types: GivenTypes;
  /** Of CSV and TSV. */
  missingValues: MissingValues;
}

/** Files that are ready to be read, and their names as they were given. */
interface GatheredFiles {
  files: ImportFile[];
  names: string[];
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
  const folder = store.spillFolder();
  const sources: ImportPath[] = [];
  try {
    await mkdir(folder);
    const files = yield* gatherFiles(request.paths, folder, access, sources, signal);
    yield* importFiles(store, files, request, signal);
  } catch (error) {
    throw speakAsGiven(error, sources);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const fetchNewsMs = 250;

/** Fetches and unpacks what is to be imported, and tells from time to time how far fetching is. */
async function* gatherFiles(
  paths: readonly string[],
  folder: string,
  access: ImportAccess,
  sources: ImportPath[],
  signal: AbortSignal,
): AsyncGenerator<ImportProgress, GatheredFiles> {
  const left = new AbortController();
  const meter = { bytesDone: 0, bytesTotal: 0 };
  const stop = AbortSignal.any([signal, left.signal]);
  const work = async () => {
    sources.push(...(await gather(paths, folder, access, meter, stop)));
    const listed = await listFiles(sources, access.folders);
    const files = await unpackFiles(listed, path.join(folder, '.unpacked'), sources, stop);
    return { files, names: listed.map((file) => path.basename(file.path)) };
  };
  const working = work();
  try {
    for (;;) {
      const gathered = await Promise.race([working, sleep(fetchNewsMs, null, { ref: false })]);
      if (gathered) {
        return gathered;
      }
      const { bytesDone: fetchedBytes, bytesTotal } = meter;
      const fetchBytesTotal = Math.max(fetchedBytes, bytesTotal);
      yield { rowCount: 0, bytesDone: 0, bytesTotal: 0, fetchedBytes, fetchBytesTotal };
    }
  } finally {
    left.abort();
    await working.catch(() => undefined);
  }
}

async function* importFiles(
  store: DatasetStore,
  gathered: GatheredFiles,
  request: ImportRequest,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress | DatasetVersion> {
  try {
    yield* importOnce(store, gathered, request, { mayGuess: true, signal });
  } catch (error) {
    if (!(error instanceof NotAsGuessed)) {
      throw error;
    }
    // From the start: what is told of the progress falls back to it, too.
    yield* importOnce(store, gathered, request, { mayGuess: false, signal });
  }
}

async function* importOnce(
  store: DatasetStore,
  { files, names }: GatheredFiles,
  { dataset, format, types, missingValues }: ImportRequest,
  { mayGuess, signal }: { mayGuess: boolean; signal: AbortSignal },
): AsyncGenerator<ImportProgress | DatasetVersion> {
  const spillFolder = store.spillFolder();
  const source = await openFiles(files, format, { types, missingValues, spillFolder, mayGuess, signal });
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
      yield { rowCount: draft.rowCount, bytesDone, bytesTotal, fetchedBytes: 0, fetchBytesTotal: 0 };
    }
    signal.throwIfAborted();
    yield await store.commit(dataset, draft, names);
  } finally {
    await draft.discard();
  }
}
