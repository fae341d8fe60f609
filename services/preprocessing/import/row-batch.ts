import { numberArrays } from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';
import { type ColumnBuilder, createBuilder } from './column-builder.js';
import { batchBytesMax, batchRowsMax, type ImportBatch } from './import-source.js';

/** Gathers rows, value by value, until they are a batch. */
export class RowBatch {
  readonly #columns: ColumnBuilder[];
  readonly #rowsMax: number;
  #bytes = 0;
  length = 0;

  constructor(types: readonly ColumnType[]) {
    const rowBytes = types.reduce((sum, type) => sum + bytesOf(type), 0);
    this.#rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytesMax / rowBytes)));
    this.#columns = types.map((type) => createBuilder(type, this.#rowsMax));
  }

  /** @param values one a column; null: missing. @param bytes of the file that they came from */
  push(values: readonly unknown[], bytes: number): void {
    for (const [i, column] of this.#columns.entries()) {
      column.push(values[i]);
    }
    this.#bytes += bytes;
    this.length++;
  }

  get isFull(): boolean {
    const textBytes = this.#columns.reduce((sum, column) => sum + column.textBytes, 0);
    return this.length === this.#rowsMax || textBytes >= batchBytesMax;
  }

  finish(): ImportBatch {
    return { chunks: this.#columns.map((column) => column.finish()), bytesDone: Math.round(this.#bytes) };
  }
}

/** Of a row; of a text, what points to it. */
function bytesOf(type: ColumnType): number {
  switch (type.kind) {
    case 'number':
      return numberArrays[type.type].BYTES_PER_ELEMENT;
    case 'list':
      return numberArrays[type.type].BYTES_PER_ELEMENT * type.width;
    default:
      return 8;
  }
}
