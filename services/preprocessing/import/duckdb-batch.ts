import type { DuckDBDataChunk } from '@duckdb/node-api';
import type { ColumnType } from '../column.js';
import { addSizes, fixedBytes, readVectors } from './duckdb-vector.js';
import { batchBytesMax, batchRowsMax, type ImportBatch } from './import-source.js';
import { createVectorBuilder, type VectorBuilder } from './vector-builder.js';

/** Rows of chunks in batches of a size that a dataset keeps. @param bytesPerRow of the file, for the progress */
export async function* toBatches(
  chunks: AsyncIterable<DuckDBDataChunk>,
  types: readonly ColumnType[],
  bytesPerRow: number,
): AsyncGenerator<ImportBatch> {
  let batch = new BatchBuilder(types);
  for await (const chunk of chunks) {
    for (let row = 0; row < chunk.rowCount; ) {
      row = batch.push(chunk, row);
      if (batch.isFull) {
        yield batch.finish(bytesPerRow);
        batch = new BatchBuilder(types);
      }
    }
  }
  if (batch.length > 0) {
    yield batch.finish(bytesPerRow);
  }
}

/** Rows on their way to a batch. */
class BatchBuilder {
  readonly #columns: VectorBuilder[];
  readonly #rowsMax: number;
  #bytes = 0;
  isFull = false;
  length = 0;

  constructor(private readonly types: readonly ColumnType[]) {
    const rowBytes = types.reduce((sum, type) => sum + fixedBytes(type), 0);
    const rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytesMax / rowBytes)));
    this.#rowsMax = rowsMax;
    this.#columns = types.map((type) => createVectorBuilder(type, rowsMax));
  }

  /** Takes the rows of a chunk from `row` on until the batch is full; answers the first row that it did not take. */
  push(chunk: DuckDBDataChunk, row: number): number {
    const vectors = readVectors(chunk, this.types);
    const sizes = new Float64Array(chunk.rowCount);
    for (const vector of vectors) {
      addSizes(vector, sizes);
    }
    const end = this.#take(sizes, row);
    for (const [i, vector] of vectors.entries()) {
      this.#columns[i]!.append(vector, row, end);
    }
    return end;
  }

  /** The first row of the chunk that the batch does not take. */
  #take(sizes: Float64Array, row: number): number {
    let next = row;
    while (next < sizes.length && !this.isFull) {
      this.#bytes += sizes[next++]!;
      this.length++;
      this.isFull = this.#bytes >= batchBytesMax || this.length === this.#rowsMax;
    }
    return next;
  }

  finish(bytesPerRow: number): ImportBatch {
    return { chunks: this.#columns.map((column) => column.finish()), bytesDone: Math.round(this.length * bytesPerRow) };
  }
}
