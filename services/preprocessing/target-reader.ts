import { type ColumnChunk, type FittedLabel, labelColumns } from '../pipeline/index.js';
import { readLabels, TargetEncoder } from './label.js';
import { LabelNumbersEncoder } from './label-numbers.js';
import { LabelSetEncoder } from './label-sets.js';
import type { StoredBatch, StoredTable } from './stored-table.js';

/** Class indices, or numbers, one or `targetWidth` a row. */
export type Targets = Int32Array | Float32Array;

/** Reads the labels of a table as targets. */
export class TargetReader {
  readonly #columns: readonly number[];
  readonly #encode: (chunks: readonly ColumnChunk[], rows: Int32Array, firstRow: number) => Targets;

  constructor(
    label: FittedLabel,
    private readonly table: StoredTable,
  ) {
    this.#columns = labelColumns(label).map((name) => table.columns.findIndex((column) => column.name === name));
    if (label.kind === 'labels' || label.kind === 'numbers') {
      const encoder = label.kind === 'labels' ? new LabelSetEncoder(label) : new LabelNumbersEncoder(label);
      this.#encode = (chunks, rows, firstRow) => encoder.encode(chunks, rows, firstRow);
    } else {
      const encoder = new TargetEncoder(label, table.columns[this.#columns[0]!]!.type.kind === 'boolean');
      this.#encode = ([chunk], rows, firstRow) =>
        encoder.encode(readLabels(label.column, chunk!, rows, firstRow), rows, firstRow);
    }
  }

  /**
   * The targets of a batch, for any of its rows. @throws ServiceError, from either call, for a label that is missing, or is none of the
   * training split
   */
  async read(batch: StoredBatch): Promise<(rows: Int32Array) => Targets> {
    const chunks = await Promise.all(this.#columns.map((column) => this.table.readColumn(batch, column)));
    return (rows) => this.#encode(chunks, rows, batch.firstRow);
  }
}
