import type { EncodedMessage } from '../platform/arrow-messages.js';
import { invalidField } from '../platform/errors.js';
import { type BatchWriter, createBatchWriter } from './batch-writer.js';
import { BorrowedMemory } from './buffer-pool.js';
import { sliceChunk } from './chunk-slice.js';
import type { Column } from './column.js';
import { overlap, type RowRange } from './row-range.js';
import { projectSchema } from './schema-projection.js';
import { unknownColumn } from './split.js';
import type { StoredBatch, StoredTable } from './stored-table.js';

/** Places of columns by name, in the order given; null: all. @param field where the names stood */
export function findColumns(names: readonly string[] | null, columns: readonly Column[], field: string): number[] {
  return (names ?? columns.map(({ name }) => name)).map((name) => {
    const index = columns.findIndex((column) => column.name === name);
    if (index < 0) {
      throw invalidField(field, unknownColumn(field, name, columns));
    }
    return index;
  });
}

/** The message of the schema of some columns. */
export async function selectedSchema(table: StoredTable, columns: readonly number[]): Promise<Uint8Array> {
  const header = await table.schemaHeader();
  return isWhole(table, columns) ? header : projectSchema(header, columns);
}

const isWhole = (table: StoredTable, columns: readonly number[]) =>
  columns.length === table.columns.length && columns.every((column, i) => column === i);

/** Some rows of some columns. What is wanted whole is passed on as it was written, and nothing else is read. */
export async function* selectTable(
  table: StoredTable,
  columns: readonly number[],
  rows: RowRange,
): AsyncGenerator<EncodedMessage> {
  yield { header: await selectedSchema(table, columns), body: [], bodyBytes: 0 };
  const dictionaries = new Set(columns.map((column) => table.columns[column]!.type).map(dictionaryId));
  const writer = await createBatchWriter();
  for (const message of table.messages) {
    if (message.kind === 'dictionary' && dictionaries.has(message.id)) {
      yield await table.readMessage(message);
    }
    const part =
      message.kind === 'batch' && overlap(rows, { firstRow: message.firstRow, length: message.header.length });
    if (part) {
      yield await selectBatch(table, message, columns, part, writer);
    }
  }
}

const dictionaryId = (type: Column['type']) => (type.kind === 'dictionary' ? type.id : null);

async function selectBatch(
  table: StoredTable,
  batch: StoredBatch,
  columns: readonly number[],
  { from, to }: { from: number; to: number },
  writer: BatchWriter,
): Promise<EncodedMessage> {
  if (to - from < batch.header.length) {
    const chunks = await Promise.all(columns.map((column) => table.readColumn(batch, column)));
    const types = columns.map((column) => table.columns[column]!.type);
    return writer.batch(
      to - from,
      types,
      chunks.map((chunk) => sliceChunk(chunk, from, to)),
    );
  }
  if (isWhole(table, columns)) {
    const memory = new BorrowedMemory();
    return { ...(await table.readMessage(batch, memory.allocate)), release: memory.release };
  }
  const parts = await Promise.all(columns.map((column) => table.readParts(batch, column)));
  return writer.write({
    length: batch.header.length,
    nodes: parts.flatMap(({ nodes }) => nodes),
    buffers: parts.flatMap(({ buffers }) => buffers),
  });
}
