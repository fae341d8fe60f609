import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { randomKey } from '../../services/pipeline/index.js';

/** Columns `n0` to `n19`: numbers of four decimals; `c0` to `c3`: 10, 20, 30 and 40 categories; `y`: 0 or 1. */
export const numberColumns = Array.from({ length: 20 }, (_, i) => `n${i}`);
export const categoryColumns = Array.from({ length: 4 }, (_, i) => `c${i}`);
export const labelColumn = 'y';
/** Of the prepared matrix: a number is a feature, and so is each category. */
export const tableFeatures = 20 + 10 + 20 + 30 + 40;

const chunkRows = 10_000;
const share = (stream: number, row: number) => (randomKey(stream, row) + 0.5) / 2 ** 53;

/** The same table each time. */
export async function writeTableCsv(file: string, rows: number): Promise<void> {
  const stream = createWriteStream(file);
  stream.write(`${[...numberColumns, ...categoryColumns, labelColumn].join(',')}\n`);
  for (let first = 0; first < rows; first += chunkRows) {
    const lines: string[] = [];
    for (let row = first; row < Math.min(rows, first + chunkRows); row++) {
      lines.push(`${fieldsOf(row).join(',')}\n`);
    }
    if (!stream.write(lines.join(''))) {
      await once(stream, 'drain');
    }
  }
  await finished(stream.end());
}

function fieldsOf(row: number): string[] {
  const numbers = numberColumns.map((_, i) => (i + (1 + i) * normal(2 * i, row)).toFixed(4));
  const categories = categoryColumns.map((_, i) => `v${Math.floor(share(100 + i, row) * 10 * (i + 1))}`);
  return [...numbers, ...categories, share(200, row) < 0.5 ? '0' : '1'];
}

/** By Box and Muller 1958. */
function normal(stream: number, row: number): number {
  return Math.sqrt(-2 * Math.log(share(stream, row))) * Math.cos(2 * Math.PI * share(stream + 1, row));
}
