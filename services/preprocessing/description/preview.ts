import { randomKey } from '../../pipeline/index.js';
import { ServiceError, Violations } from '../../platform/errors.js';
import type { DatasetVersion } from '../dataset.js';
import type { DatasetStore } from '../dataset-store.js';
import { unknownColumn } from '../split.js';
import type { StoredBatch, StoredTable } from '../stored-table.js';
import { valueJson } from './value-json.js';

export interface PreviewSpec {
  /** 0: the default. */
  rowCount: number;
  /** From 1; null: unless it is a sample, the first. */
  firstRow: number | null;
  sampleSeed: number | null;
  /** Empty: all. */
  columns: readonly string[];
}

export interface PreviewRow {
  /** From 1. */
  number: number;
  /** A JSON object by column name. */
  json: string;
}

const rowsDefault = 10;
const rowsMax = 1_000;
const bytesMax = 4 * 1024 * 1024;

/** Some rows of a dataset version. @param name `datasets/NAME` or `datasets/NAME/versions/N` */
export async function previewRows(
  datasets: DatasetStore,
  name: string,
  spec: PreviewSpec,
  signal: AbortSignal,
): Promise<{ version: DatasetVersion; rows: PreviewRow[] }> {
  const version = datasets.resolve(name, 'name');
  checkPreview(spec, version);
  const wanted = selectRows(spec, version.rowCount);
  const columns = [...version.columns.keys()].filter(
    (index) => spec.columns.length === 0 || spec.columns.includes(version.columns[index]!.name),
  );
  const table = await datasets.openTable(version);
  try {
    return { version, rows: await readRows(table, wanted, columns, signal) };
  } finally {
    await table.close();
  }
}

function checkPreview({ rowCount, firstRow, sampleSeed, columns }: PreviewSpec, version: DatasetVersion): void {
  const violations = new Violations();
  violations.check(
    rowCount >= 0 && rowCount <= rowsMax,
    'row_count',
    `from 1 to ${rowsMax.toLocaleString('en-US')}`,
    rowCount,
  );
  if (firstRow !== null) {
    const isRow = firstRow >= 1 && firstRow <= version.rowCount;
    violations.check(isRow, 'first_row', `a row from 1 to ${version.rowCount}`, firstRow);
  }
  if (sampleSeed !== null) {
    const isSeed = Number.isSafeInteger(sampleSeed) && sampleSeed >= 0;
    violations.check(isSeed, 'sample_seed', 'an integer from 0 to 2^53 - 1', sampleSeed);
  }
  for (const [i, column] of columns.entries()) {
    if (!version.columns.some(({ name }) => name === column)) {
      violations.add(`columns[${i}]`, unknownColumn(`columns[${i}]`, column, version.columns));
    }
  }
  violations.throwIfAny();
}

/** Rows from 0, in order. */
function selectRows({ rowCount, firstRow, sampleSeed }: PreviewSpec, rowsOfTable: number): number[] {
  const count = rowCount || rowsDefault;
  if (sampleSeed !== null) {
    return sampleRows(sampleSeed, count, rowsOfTable);
  }
  const from = (firstRow ?? 1) - 1;
  return Array.from({ length: Math.min(count, rowsOfTable - from) }, (_, i) => from + i);
}

/** The rows with the smallest keys: a random split draws its rows in the same way. */
function sampleRows(seed: number, count: number, rowsOfTable: number): number[] {
  let drawn: { row: number; key: number }[] = [];
  let limit = Number.POSITIVE_INFINITY;
  const keepSmallest = () => {
    drawn = drawn.sort((a, b) => a.key - b.key || a.row - b.row).slice(0, count);
    limit = drawn.length === count ? drawn.at(-1)!.key : limit;
  };
  for (let row = 0; row < rowsOfTable; row++) {
    const key = randomKey(seed, row);
    if (key < limit) {
      drawn.push({ row, key });
    }
    if (drawn.length === 2 * count + 100) {
      keepSmallest();
    }
  }
  keepSmallest();
  return drawn.map(({ row }) => row).sort((a, b) => a - b);
}

async function readRows(
  table: StoredTable,
  wanted: readonly number[],
  columns: readonly number[],
  signal: AbortSignal,
): Promise<PreviewRow[]> {
  const rows: PreviewRow[] = [];
  let bytes = 0;
  let next = 0;
  for (const batch of table.batches) {
    signal.throwIfAborted();
    const end = batch.firstRow + batch.header.length;
    const from = next;
    while (next < wanted.length && wanted[next]! < end) {
      next++;
    }
    if (next > from) {
      const found = await readBatchRows(table, batch, wanted.slice(from, next), columns);
      bytes += found.reduce((sum, { json }) => sum + json.length, 0);
      if (bytes > bytesMax) {
        const message = `Expected a preview of at most ${bytesMax} characters but the first ${rows.length + found.length} of ${wanted.length} rows have ${bytes}. Ask for fewer rows, or name the columns.`;
        throw new ServiceError('OUT_OF_RANGE', 'PREVIEW_TOO_LARGE', message);
      }
      rows.push(...found);
    }
  }
  return rows;
}

async function readBatchRows(
  table: StoredTable,
  batch: StoredBatch,
  wanted: readonly number[],
  columns: readonly number[],
): Promise<PreviewRow[]> {
  const parts: string[][] = wanted.map(() => []);
  for (const column of columns) {
    const { name, type } = table.columns[column]!;
    const chunk = await table.readColumn(batch, column);
    for (const [i, row] of wanted.entries()) {
      parts[i]!.push(`${JSON.stringify(name)}:${valueJson(chunk, type, row - batch.firstRow)}`);
    }
  }
  return wanted.map((row, i) => ({ number: row + 1, json: `{${parts[i]!.join(',')}}` }));
}
