/** The last, shorter batch is a step too. */
export function stepsPerEpoch(rows: number, batchSize: number | 'full'): number {
  return batchSize === 'full' ? 1 : Math.ceil(rows / batchSize);
}
