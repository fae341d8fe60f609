import type { ColumnChunk } from '../pipeline/index.js';
import { bufferPool } from './buffer-pool.js';
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
  place: number;
  rows: Int32Array;
  /** Until they are taken. */
  chunks: Promise<Map<number, ColumnChunk>>;
  /** What the chunks lie in. */
  memory: Buffer<ArrayBuffer>[];
  /** Who look at a chunk. */
  readers: number;
}

/**
 * The training rows of some columns, for readers that go over them side by side, each over its own: what they want of a batch is read
 * once, and the next batch while they work on it. One that has fallen behind reads for itself.
 */
export class TrainingBatches {
  /** By place, the oldest first. */
  readonly #held = new Map<number, HeldBatch>();
  /** The last place that was held in the newest pass over the table. */
  #front = -1;
  readonly #columns: Set<number>;

  /** @param columns each once */
  constructor(
    private readonly table: StoredTable,
    private readonly assignment: SplitAssignment,
    columns: readonly number[],
  ) {
    this.#columns = new Set(columns);
  }

  /** Of batches that have training rows. What a reader gets is its own to change, until it asks for the next. */
  async *read(column: number): AsyncGenerator<TrainingBatch> {
    const { batches } = this.table;
    for (const [place, batch] of batches.entries()) {
      const held = this.#hold(place);
      const chunks = await held?.chunks;
      // A fault in the next one is for those who come to it.
      this.#hold(place + 1)?.chunks.catch(() => undefined);
      const rows = held?.rows ?? this.#rowsOf(batch);
      const chunk = chunks?.get(column);
      if (rows.length === 0) {
        continue;
      }
      if (!held || !chunk) {
        yield { batch, chunk: await this.table.readColumn(batch, column), rows };
        continue;
      }
      held.readers++;
      chunks!.delete(column);
      try {
        yield { batch, chunk, rows };
      } finally {
        held.readers--;
        this.#drop(held, chunks!);
      }
    }
  }

  /** A reader that wants no more. */
  leave(column: number): void {
    this.#columns.delete(column);
    for (const held of this.#held.values()) {
      const drop = (chunks: Map<number, ColumnChunk>) => {
        chunks.delete(column);
        this.#drop(held, chunks);
      };
      held.chunks.then(drop, () => undefined);
    }
  }

  /** Once all is taken and nobody looks at it. */
  #drop(held: HeldBatch, chunks: Map<number, ColumnChunk>): void {
    if (chunks.size > 0 || held.readers > 0) {
      return;
    }
    if (this.#held.get(held.place) === held) {
      this.#held.delete(held.place);
    }
    for (const memory of held.memory.splice(0)) {
      bufferPool.give(memory);
    }
  }

  /** The batch for all readers. Null: it is behind the table, or they are past it. */
  #hold(place: number): HeldBatch | null {
    const known = this.#held.get(place);
    const isNext = place === 0 || place > this.#front;
    if (known || !isNext || place >= this.table.batches.length) {
      return known ?? null;
    }
    this.#front = place;
    const rows = this.#rowsOf(this.table.batches[place]!);
    const memory: Buffer<ArrayBuffer>[] = [];
    const chunks = this.#read(this.table.batches[place]!, rows.length > 0 ? [...this.#columns] : [], memory);
    const held: HeldBatch = { place, rows, chunks, memory, readers: 0 };
    this.#held.set(place, held);
    const [oldest] = this.#held.values();
    if (this.#held.size > heldMax) {
      this.#held.delete(oldest!.place);
      this.#forget(oldest!);
    }
    return held;
  }

  /** Those who still want of it read for themselves. */
  #forget(held: HeldBatch): void {
    const drop = (chunks: Map<number, ColumnChunk>) => {
      chunks.clear();
      this.#drop(held, chunks);
    };
    held.chunks.then(drop, () => undefined);
  }

  #rowsOf(batch: StoredBatch): Int32Array {
    return rowsInSplit(this.assignment, 'train', batch);
  }

  async #read(batch: StoredBatch, columns: readonly number[], memory: Buffer<ArrayBuffer>[]) {
    const allocate = (sizeBytes: number) => {
      memory.push(bufferPool.take(sizeBytes));
      return memory.at(-1)!;
    };
    const chunks = await this.table.readColumns(batch, columns, allocate);
    return new Map(columns.map((column, i) => [column, chunks[i]!]));
  }
}
