/** Bins of equal width from the minimum to the maximum, as `numpy.histogram` makes them; the last includes its upper edge. */
export class Histogram {
  readonly edges: Float64Array;
  readonly counts: Float64Array;
  readonly #factor: number;

  constructor(minimum: number, maximum: number, binsMax: number) {
    const range = maximum - minimum;
    // One value alone, or a range that float64 cannot hold or divide: one bin.
    const bins = range > 0 && Number.isFinite(range) && Number.isFinite(binsMax / range) ? binsMax : 1;
    this.edges = linearSpace(minimum, maximum, bins);
    this.counts = new Float64Array(bins);
    this.#factor = bins / range;
  }

  add(value: number, count = 1): void {
    const { edges, counts } = this;
    let bin = 0;
    if (counts.length > 1) {
      bin = Math.min(Math.floor((value - edges[0]!) * this.#factor), counts.length - 1);
      // Rounding may have led to a neighbour.
      if (value < edges[bin]!) {
        bin--;
      } else if (bin < counts.length - 1 && value >= edges[bin + 1]!) {
        bin++;
      }
    }
    counts[bin]! += count;
  }
}

function linearSpace(first: number, last: number, steps: number): Float64Array {
  const step = (last - first) / steps;
  const edges = Float64Array.from({ length: steps + 1 }, (_, i) => first + i * step);
  edges[steps] = last;
  return edges;
}
