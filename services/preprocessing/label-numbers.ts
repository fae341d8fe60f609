import type { ColumnChunk, FittedNumbers } from '../pipeline/index.js';
import { readLabels, TargetEncoder } from './label.js';

/** Turns labels of several numbers into targets: float32 [rows, columns]. */
export class LabelNumbersEncoder {
  readonly #columns: readonly { column: string; encoder: TargetEncoder }[];

  constructor({ columns, standardise }: FittedNumbers) {
    this.#columns = columns.map((column, i) => {
      const units = standardise ? { standardise: standardise[i]! } : {};
      return { column, encoder: new TargetEncoder({ column, kind: 'number', ...units }, false) };
    });
  }

  /** @param chunks of the label's columns; `rows`: indices into them. @throws ServiceError for a number that is missing or too large */
  encode(chunks: readonly ColumnChunk[], rows: Int32Array, firstRow: number): Float32Array {
    const width = this.#columns.length;
    const targets = new Float32Array(rows.length * width);
    for (const [place, { column, encoder }] of this.#columns.entries()) {
      const numbers = encoder.encode(readLabels(column, chunks[place]!, rows, firstRow), rows, firstRow);
      for (let i = 0; i < numbers.length; i++) {
        targets[i * width + place] = numbers[i]!;
      }
    }
    return targets;
  }
}
