import path from 'node:path';
import { createArrowEncoder } from '../arrow-encoder.js';
import type { DatasetVersion } from '../dataset.js';
import type { DatasetStore } from '../dataset-store.js';
import { refuseNonFinite } from '../finite.js';
import type { AllowedFolders } from './allowed-folders.js';
import type { GivenTypes } from './given-types.js';
import { type ImportProgress, listFiles } from './import-file.js';
import { type ImportFormat, openFiles } from './import-format.js';

export interface ImportRequest {
  dataset: string;
  paths: string[];
  /** Null: recognised. */
  format: ImportFormat | null;
  /** Of columns whose type is not to be inferred. */
  types: GivenTypes;
}

/** While an import runs, how far it is; at the end, the version that holds the rows. Left early, it leaves nothing. */
export async function* importDataset(
  store: DatasetStore,
  allowed: AllowedFolders,
  { dataset, paths, format, types }: ImportRequest,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress | DatasetVersion> {
  const files = await listFiles(paths, allowed);
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
