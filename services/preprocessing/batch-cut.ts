import type { ColumnChunk } from '../pipeline/index.js';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import type { CheckedMessage } from './arrow-reader.js';
import { createBatchWriter } from './batch-writer.js';
import { sliceChunk } from './chunk-slice.js';
import type { Column } from './column.js';
import { batchBytesMax } from './import/import-source.js';

/** A batch up to this size is kept as it came. */
const keptBytesMax = 2 * batchBytesMax;

/** Rows as they are stored. */
export interface StoredPart {
  length: number;
  chunks: ColumnChunk[];
  message: EncodedMessage;
}

/** A batch that was read, in parts that fit into messages: itself, unless it is too large. */
export async function* storedParts(
  { length, chunks, body }: CheckedMessage & { kind: 'batch' },
  header: Uint8Array,
  columns: readonly Column[],
): AsyncGenerator<StoredPart> {
  if (body.length <= keptBytesMax) {
    yield { length, chunks, message: { header, body: [body], bodyBytes: body.length } };
    return;
  }
  const writer = await createBatchWriter();
  const types = columns.map(({ type }) => type);
  const rows = Math.max(1, Math.floor((batchBytesMax / body.length) * length));
  for (let from = 0; from < length; from += rows) {
    const to = Math.min(from + rows, length);
    const part = chunks.map((chunk) => sliceChunk(chunk, from, to));
    yield { length: to - from, chunks: part, message: writer.batch(to - from, types, part) };
  }
}
