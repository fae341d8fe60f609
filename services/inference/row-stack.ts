import type { BatchItem } from './batch-queue.js';
import { bytesElementOffsets, rowBytes, rowElements, type TensorSpec } from './tensor.js';

/** The inputs of several requests, one after the other. A single request's are taken as they are. */
export function stackInputs(batch: readonly Pick<BatchItem, 'inputs'>[]): readonly Uint8Array[] {
  const first = batch[0]!.inputs;
  return batch.length === 1 ? first : first.map((_, i) => Buffer.concat(batch.map(({ inputs }) => inputs[i]!)));
}

/** Gives each request its rows of the outputs. */
export function splitOutputs(
  specs: readonly TensorSpec[],
  outputs: readonly Uint8Array[],
  rows: number,
  batch: readonly Pick<BatchItem, 'rows' | 'resolve'>[],
): void {
  if (batch.length === 1) {
    batch[0]!.resolve([...outputs]);
    return;
  }
  const offsetsOf = specs.map((spec, i) => rowOffsets(spec, outputs[i]!, rows));
  let row = 0;
  for (const item of batch) {
    const [begin, end] = [row, row + item.rows];
    item.resolve(outputs.map((output, i) => output.subarray(offsetsOf[i]!(begin), offsetsOf[i]!(end))));
    row = end;
  }
}

function rowOffsets(spec: TensorSpec, output: Uint8Array, rows: number): (row: number) => number {
  const bytes = rowBytes(spec);
  if (bytes !== null) {
    return (row) => row * bytes;
  }
  const perRow = rowElements(spec);
  const offsets = bytesElementOffsets(output, rows * perRow);
  if (!offsets) {
    throw new Error(`output ${spec.name} does not hold ${rows} rows of ${perRow} BYTES elements`);
  }
  return (row) => offsets[row * perRow]!;
}
