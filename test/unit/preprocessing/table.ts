import type { ColumnChunk, NumberChunk } from '../../../services/pipeline/index.js';
import { createArrowEncoder } from '../../../services/preprocessing/arrow-encoder.js';
import type { Column, ColumnType } from '../../../services/preprocessing/column.js';
import type { DatasetVersion } from '../../../services/preprocessing/dataset.js';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import { createBuilder, ValidityBuilder } from '../../../services/preprocessing/import/column-builder.js';
import type { StoredTable } from '../../../services/preprocessing/stored-table.js';
import { tempFolder } from '../../support/temp-folder.js';

/** Types of columns that a test may store. */
const types = {
  int64: { kind: 'number', type: 'int64' },
  float64: { kind: 'number', type: 'float64' },
  text: { kind: 'text', large: false },
  boolean: { kind: 'boolean' },
  /** Milliseconds. */
  time: { kind: 'timestamp', unit: 'millisecond', timezone: 'UTC' },
  binary: { kind: 'binary', large: false, width: null },
  texts: { kind: 'nested', form: 'List', width: null, item: { kind: 'text', large: false } },
} as const satisfies Record<string, ColumnType>;
type TestedType = keyof typeof types;

export type Values = readonly (number | bigint | boolean | string | Uint8Array | readonly (string | null)[] | null)[];

function chunkOf(type: TestedType, values: Values): ColumnChunk {
  if (type === 'time') {
    const { length, values: times, validity } = chunkOf('int64', values) as NumberChunk;
    return { kind: 'time', length, unit: 'millisecond', values: times as BigInt64Array, validity };
  }
  if (type === 'texts') {
    return listsOf(values as readonly (readonly (string | null)[] | null)[]);
  }
  const builder = createBuilder(types[type], Math.max(values.length, 1));
  for (const value of values) {
    builder.push(type === 'int64' && value !== null ? BigInt(value as number) : value);
  }
  return builder.finish();
}

function listsOf(lists: readonly (readonly (string | null)[] | null)[]): ColumnChunk {
  const ends = lists.map((_, i) => lists.slice(0, i + 1).reduce((sum, list) => sum + (list?.length ?? 0), 0));
  const validity = new ValidityBuilder(lists.length);
  for (const list of lists) {
    validity.push(list !== null);
  }
  const items = chunkOf(
    'text',
    lists.flatMap((list) => list ?? []),
  );
  const offsets = Int32Array.of(0, ...ends);
  return { kind: 'list', length: lists.length, offsets, width: 0, items, validity: validity.finish() };
}

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
    type: types[type],
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
