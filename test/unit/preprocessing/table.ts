import type { ColumnChunk } from '../../../services/pipeline/index.js';
import { createArrowEncoder } from '../../../services/preprocessing/arrow-encoder.js';
import type { Column } from '../../../services/preprocessing/column.js';
import { type BuiltType, ColumnBuilder, columnTypeOf } from '../../../services/preprocessing/column-builder.js';
import type { DatasetVersion } from '../../../services/preprocessing/dataset.js';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import type { StoredTable } from '../../../services/preprocessing/stored-table.js';
import { tempFolder } from '../../support/temp-folder.js';

/** Types of columns that a test may store. */
type TestedType = BuiltType | 'boolean' | 'time';

export type Values = readonly (number | bigint | boolean | string | null)[];

function chunkOf(type: TestedType, values: Values): ColumnChunk {
  const { length } = values;
  if (type === 'boolean') {
    return {
      kind: 'boolean',
      length,
      bits: bitsOf(values.map(Boolean)),
      validity: bitsOf(values.map((value) => value !== null)),
    };
  }
  if (type === 'time') {
    return {
      kind: 'time',
      length,
      unit: 'millisecond',
      values: BigInt64Array.from(values, (value) => BigInt((value as number | null) ?? 0)),
      validity: bitsOf(values.map((value) => value !== null)),
    };
  }
  const builder = new ColumnBuilder(type, Math.max(length, 1));
  for (const value of values) {
    builder.push(type === 'int64' && value !== null ? BigInt(value as number) : value);
  }
  return builder.finish();
}

/** One bit a value, least significant first. */
function bitsOf(values: readonly boolean[]): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [i, value] of values.entries()) {
    bits[i >> 3]! |= (value ? 1 : 0) << (i & 7);
  }
  return bits;
}

const testedTypes = {
  boolean: { kind: 'boolean' },
  /** Milliseconds. */
  time: { kind: 'timestamp', unit: 'millisecond', timezone: 'UTC' },
} as const;

/** Columns by name: the type, then the values. */
export type TableContent = Record<string, [TestedType, Values]>;

/** Stores a table, cut into batches of `batchRows`. */
export async function storeTable(
  store: DatasetStore,
  dataset: string,
  content: TableContent,
  batchRows = 1_000,
): Promise<DatasetVersion> {
  const columns: Column[] = Object.entries(content).map(([name, [type]]) => ({
    name,
    type: testedTypes[type as 'boolean' | 'time'] ?? columnTypeOf(type as BuiltType),
    shape: [],
  }));
  const encoder = await createArrowEncoder(columns);
  const draft = await store.draft(columns, encoder.schema());
  const rows = Object.values(content)[0]![1].length;
  for (let row = 0; row < rows; row += batchRows) {
    const chunks = Object.values(content).map(([type, values]) => chunkOf(type, values.slice(row, row + batchRows)));
    await draft.append(encoder.batch(chunks[0]!.length, chunks), chunks);
  }
  const version = await store.commit(dataset, draft, ['test']);
  await draft.discard();
  return version;
}

/** A table in a folder of its own; it is removed after the test. */
export async function openTable(content: TableContent, batchRows?: number): Promise<StoredTable> {
  const store = await DatasetStore.open(tempFolder());
  return store.openTable(await storeTable(store, 'table', content, batchRows));
}
