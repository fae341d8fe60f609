/**
 * `node dist/test/bench/data-table.js FILE.csv` imports the table into a new folder, fits a pipeline on it and makes the
 * tensors of all rows, batch by batch as training takes them, in this process. Prints, as JSON, the seconds and the processor
 * seconds of each part, and the peak of the memory in MB. What loading the libraries takes does not count, as it does not for the peer.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadNative } from '../../services/pipeline/index.js';
import { createArrowEncoder } from '../../services/preprocessing/arrow-encoder.js';
import { DatasetStore } from '../../services/preprocessing/dataset-store.js';
import { AllowedFolders } from '../../services/preprocessing/import/allowed-folders.js';
import { importDataset } from '../../services/preprocessing/import/import-dataset.js';
import { parseMissingValues } from '../../services/preprocessing/import/missing-values.js';
import { Uploads } from '../../services/preprocessing/import/uploads.js';
import { PipelineStore } from '../../services/preprocessing/pipeline-store.js';
import { Preparation } from '../../services/preprocessing/preparation.js';
import { wholeSplit } from '../../services/preprocessing/split.js';
import { categoryColumns, labelColumn, numberColumns, tableFeatures } from './table-csv.js';

const [file = ''] = process.argv.slice(2);
const folder = mkdtempSync(path.join(tmpdir(), 'millrace-table-'));
const { signal } = new AbortController();
const seconds: Record<string, number> = {};
const processorSeconds: Record<string, number> = {};

async function measure<T>(name: string, work: () => Promise<T>): Promise<T> {
  const [begin, used] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(used);
  seconds[name] = (performance.now() - begin) / 1e3;
  processorSeconds[name] = (user + system) / 1e6;
  return result;
}

const preparation = new Preparation(await DatasetStore.open(folder), await PipelineStore.open(folder));
const uploads = new Uploads(() => preparation.datasets.spillFolder(), { bytesMax: 0, keepMs: 0 });
const access = { folders: new AllowedFolders([]), hosts: [], bytesMax: 0, uploads };

await Promise.all([createArrowEncoder([]), loadNative(), import('../../services/preprocessing/import/csv-import.js')]);

await measure('import', async () => {
  const request = {
    dataset: 'table',
    paths: [file],
    format: null,
    types: new Map(),
    missingValues: parseMissingValues([]),
  };
  for await (const _ of importDataset(preparation.datasets, access, request, signal)) {
    // Progress.
  }
});

const filling = { kind: 'impute', strategy: 'mean', number: null, text: null, missingFlag: false } as const;
const pipeline = await measure('fit', () =>
  preparation.fit(
    'datasets/table',
    {
      split: wholeSplit,
      sampleWeight: '',
      part: null,
      spec: {
        columns: [
          ...numberColumns.map((column) => ({ column, steps: [filling, { kind: 'standardise' } as const] })),
          ...categoryColumns.map((column) => ({
            column,
            steps: [{ kind: 'oneHot', categoriesMax: null, unseenPlace: false } as const],
          })),
        ],
        label: { column: labelColumn, kind: 'classes' },
      },
    },
    signal,
  ),
);

let bytes = 0;
await measure('tensors', async () => {
  const part = { columns: [0, 1], rows: { offset: 0, limit: null } };
  for await (const { bodyBytes, release } of preparation.tensors(pipeline.id, 'train', part)) {
    bytes += bodyBytes;
    release?.();
  }
});
rmSync(folder, { recursive: true });
const rows = pipeline.rowCounts.train;
if (bytes < rows * (tableFeatures * 4 + 4)) {
  throw new Error(`expected ${rows} rows of ${tableFeatures} features but received ${bytes} bytes`);
}
const all = (parts: Record<string, number>) => ({ ...parts, all: Object.values(parts).reduce((a, b) => a + b) });
const peakMb = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ rows, seconds: all(seconds), processorSeconds: all(processorSeconds), peakMb }));
