import { type Datatype, packBytes, rowBytes, rowElements, type TensorSpec } from './tensor.js';
import { readNumbers } from './tensor-numbers.js';

/** Likeliest classes of each row, as BYTES elements `VALUE:INDEX` or `VALUE:INDEX:LABEL`, greatest value first. */
export interface Classification {
  bytes: Uint8Array;
  /** Classes of a row: as many as asked for, or as there are. */
  classes: number;
}

/** @param labels of the output's elements; null: they have none */
export function classify(
  output: Uint8Array,
  spec: TensorSpec,
  rows: number,
  classesMax: number,
  labels: readonly string[] | null,
): Classification {
  const width = rowElements(spec);
  const classes = Math.min(classesMax, width);
  const elements: Buffer[] = [];
  for (let row = 0; row < rows; row++) {
    const bytes = rowBytes(spec)!;
    const values = readNumbers(output.subarray(row * bytes, (row + 1) * bytes), spec.datatype);
    const order = Array.from(values.keys()).sort((a, b) => descending(values[a]!, values[b]!) || a - b);
    for (const index of order.slice(0, classes)) {
      const label = labels?.[index];
      const text = `${format(values[index]!, spec.datatype)}:${index}${label === undefined ? '' : `:${label}`}`;
      elements.push(Buffer.from(text));
    }
  }
  return { bytes: packBytes(elements), classes };
}

function descending(a: number | bigint, b: number | bigint): number {
  if (a === b) {
    return 0;
  }
  // NaN is last.
  return a > b || Number.isNaN(Number(b)) ? -1 : 1;
}

/** Fractions as C's %f writes them, which is what clients of the extension read. */
function format(value: number | bigint, datatype: Datatype): string {
  return datatype.startsWith('FP') || datatype === 'BF16' ? Number(value).toFixed(6) : String(value);
}
