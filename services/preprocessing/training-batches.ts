import type { ColumnChunk } from '../pipeline/index.js';
import { rowsInSplit, type SplitAssignment } from './split.js';
import type { StoredBatch, StoredTable } from './stored-table.js';

/** Batches that are held, of which one is read ahead. */
const heldMax = 3;

/** Values of a column, and which of them are of the training split; the rows are shared, and not to be changed. */
export interface TrainingBatch {
  batch: StoredBatch;
  chunk: ColumnChunk;
  rows: Int32Array;
}

interface HeldBatch {
  rows: Int32Array;
  /** Until they are taken. */
  chunks: Promise<Map<number, ColumnChunk>>;
}

/**
 * The training rows of some columns, for readers that go over them side by side, each over its own: what they want of a batch is read
 * once, and the next batch while they work on it. One that has fallen behind reads for itself.
 */
export class TrainingBatches {
  readonly #held = new Map<StoredBatch, HeldBatch>();
  readonly #columns: Set<number>;

  /** @param columns each once */
  constructor(
    private readonly table: StoredTable,
    private readonly assignment: SplitAssignment,
    columns: readonly number[],
  ) {
    this.#columns = new Set(columns);
  }

  /** Of batches that have training rows. What a reader gets is its own to change. */
  async *read(column: number): AsyncGenerator<TrainingBatch> {
    const { batches } = this.table;
    for (const [place, batch] of batches.entries()) {
      const { rows, chunks } = this.#hold(batch);
      const all = await chunks;
      if (place + 1 < batches.length) {
        this.#hold(batches[place + 1]!);
      }
      if (rows.length > 0) {
        yield { batch, chunk: this.#take(batch, all, column) ?? (await this.table.readColumn(batch, column)), rows };
      }
    }
  }

  /** A reader that wants no more. */
  leave(column: number): void {
    this.#columns.delete(column);
  }

  #take(batch: StoredBatch, chunks: Map<number, ColumnChunk>, column: number): ColumnChunk | undefined {
    const chunk = chunks.get(column);
    chunks.delete(column);
    if (chunks.size === 0) {
      this.#held.delete(batch);
    }
    return chunk;
  }

  #hold(batch: StoredBatch): HeldBatch {
    const known = this.#held.get(batch);
    if (known) {
      return known;
    }
    const rows = rowsInSplit(this.assignment, 'train', batch);
    const held = { rows, chunks: this.#read(batch, rows.length > 0 ? [...this.#columns] : []) };
    // A fault in it is for those who come to it.
    held.chunks.catch(() => undefined);
    this.#held.set(batch, held);
    if (this.#held.size > heldMax) {
      const [oldest] = this.#held.keys();
      this.#held.delete(oldest!);
    }
    return held;
  }

  async #read(batch: StoredBatch, columns: readonly number[]): Promise<Map<number, ColumnChunk>> {
    const chunks = await this.table.readColumns(batch, columns);
    return new Map(columns.map((column, i) => [column, chunks[i]!]));
  }
}
