const worstCount = 20;

/** The mean of what is defined everywhere; null when one is not. */
export function meanOf(values: readonly (number | null)[]): number | null {
  return values.includes(null) ? null : values.reduce<number>((sum, value) => sum + value!, 0) / values.length;
}

/** @param weights how often each value counts; null: once */
export function weightedMean(values: Float64Array, weights: Uint16Array | null): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const weight = weights === null ? 1 : weights[i]!;
    sum += weight * values[i]!;
    total += weight;
  }
  return sum / total;
}

/** The rows with the largest losses, the largest first. */
export function worst(losses: Float64Array): number[] {
  const largest: number[] = [];
  for (let row = 0; row < losses.length; row++) {
    if (largest.length === worstCount && losses[row]! <= losses[largest.at(-1)!]!) {
      continue;
    }
    const place = largest.findIndex((other) => losses[other]! < losses[row]!);
    largest.splice(place === -1 ? largest.length : place, 0, row);
    largest.length = Math.min(largest.length, worstCount);
  }
  return largest;
}
