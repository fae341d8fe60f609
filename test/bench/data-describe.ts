import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ColumnChunk } from '../../services/pipeline/index.js';
import { randomKey } from '../../services/pipeline/index.js';
import { createArrowEncoder } from '../../services/preprocessing/arrow-encoder.js';
import type { Column } from '../../services/preprocessing/column.js';
import { DatasetStore } from '../../services/preprocessing/dataset-store.js';
import { Descriptions } from '../../services/preprocessing/description/description.js';
import { wholeSplit } from '../../services/preprocessing/split.js';

/**
 * What describing a table takes: node dist/test/bench/data-describe.js ROWS. The table is written and described in processes of
 * their own. Prints one line of JSON: seconds of the first answer and of the second, and the peak of the memory, MB.
 */

const batchRows = 50_000;
const noise = (column: number, row: number) => randomKey(column, row) / 2 ** 53;
const columns: Column[] = [
  { name: 'measure', type: { kind: 'number', type: 'float64' }, shape: [] },
  { name: 'id', type: { kind: 'number', type: 'int64' }, shape: [] },
  { name: 'user', type: { kind: 'text', large: false }, shape: [] },
  { name: 'class', type: { kind: 'text', large: false }, shape: [] },
];

function texts(length: number, textOf: (i: number) => string): ColumnChunk {
  const parts = Array.from({ length }, (_, i) => Buffer.from(textOf(i)));
  const offsets = new Int32Array(length + 1);
  for (const [i, { length: bytes }] of parts.entries()) {
    offsets[i + 1] = offsets[i]! + bytes;
  }
  return { kind: 'text', length, offsets, bytes: Buffer.concat(parts), validity: null };
}

async function writeTable(folder: string, rows: number): Promise<void> {
  const store = await DatasetStore.open(folder);
  const encoder = await createArrowEncoder(columns);
  const draft = await store.draft(columns, encoder.schema());
  for (let first = 0; first < rows; first += batchRows) {
    const length = Math.min(batchRows, rows - first);
    const number = { kind: 'number', length, width: 1, validity: null } as const;
    const chunks: ColumnChunk[] = [
      { ...number, values: Float64Array.from({ length }, (_, i) => noise(1, first + i)) },
      { ...number, values: BigInt64Array.from({ length }, (_, i) => BigInt(first + i)) },
      texts(length, (i) => `user ${Math.floor(noise(2, first + i) * 1_000_000)}`),
      texts(length, (i) => 'abc'[Math.floor(noise(3, first + i) * 3)]!),
    ];
    await draft.append(encoder.batch(length, chunks), chunks);
  }
  await store.commit('table', draft, ['bench']);
}

async function describeTable(folder: string, rows: number): Promise<void> {
  const descriptions = new Descriptions(await DatasetStore.open(folder));
  const split = { ...wholeSplit, stratifyColumn: 'class', testFraction: 0.2, seed: 1 };
  const ask = async () => {
    const begin = performance.now();
    await descriptions.describe(
      'datasets/table',
      { labelColumns: ['class'], labelSeparator: '', split },
      new AbortController().signal,
    );
    return (performance.now() - begin) / 1_000;
  };
  const [first, second] = [await ask(), await ask()];
  const peakMb = process.resourceUsage().maxRSS / 1_024;
  process.stdout.write(`${JSON.stringify({ rows, first, second, peakMb })}\n`);
}

const [rowsText = '5000000', step, given = ''] = process.argv.slice(2);
const rows = Number(rowsText);
if (step === 'write') {
  await writeTable(given, rows);
} else if (step === 'describe') {
  await describeTable(given, rows);
} else {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-describe-'));
  try {
    for (const part of ['write', 'describe']) {
      execFileSync(process.execPath, [import.meta.filename, rowsText, part, folder], { stdio: 'inherit' });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
