import path from 'node:path';
import { createArrowEncoder } from '../arrow-encoder.js';
import type { DatasetVersion } from '../dataset.js';
import type { DatasetStore } from '../dataset-store.js';
import { refuseNonFinite } from '../finite.js';
import { openIdx } from './idx-import.js';
import { type ImportFormat, type ImportProgress, listFiles, recogniseFormat } from './import-file.js';
import type { ImportContext } from './import-source.js';

export interface ImportRequest {
  dataset: string;
  paths: string[];
  /** Null: recognised. */
  format: ImportFormat | null;
}

/** While an import runs, how far it is; at the end, the version that holds the rows. Left early, it leaves nothing. */
export async function* importDataset(
  store: DatasetStore,
  { dataset, paths, format: given }: ImportRequest,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress | DatasetVersion> {
  const files = await listFiles(paths);
  const format = given ?? (await recogniseFormat(files));
  const context: ImportContext = { spillFolder: store.spillFolder(), signal };
  const source =
    format === 'idx' ? await openIdx(files) : await (await import('./csv-import.js')).openCsv(files, context);
  const encoder = await createArrowEncoder(source.columns);
  const draft = await store.draft(source.columns, encoder.schema());
  const bytesTotal = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let bytesDone = 0;
  try {
    for await (const batch of source.batches) {
      signal.throwIfAborted();
      for (const [i, chunk] of batch.chunks.entries()) {
        refuseNonFinite(source.columns[i]!.name, chunk, draft.rowCount);
      }
      await draft.append(encoder.batch(batch.chunks[0]!.length, batch.chunks), batch.chunks);
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
