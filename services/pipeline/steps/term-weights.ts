import type { FeatureTarget } from '../step.js';

/** The weight of a term that is in `count` of so many texts, as if one more text had all terms (scikit-learn's `smooth_idf`). */
export function inverseFrequency(documents: number, count: number): number {
  return Math.log((1 + documents) / (1 + count)) + 1;
}

/**
 * Writes the weights of the terms of each text: how often a term occurs (`sublinear`: 1 + ln of it) times its inverse frequency, the
 * whole scaled to the Euclidean length 1. A text without a term stays 0.
 * @param forEachTerm calls `count` with the place of each term of a text
 */
export function writeWeights(
  texts: readonly string[],
  { values, rowWidth, offset }: FeatureTarget,
  idf: readonly number[],
  sublinear: boolean,
  forEachTerm: (text: string, count: (place: number) => void) => void,
): void {
  const counts = new Map<number, number>();
  for (const [row, text] of texts.entries()) {
    counts.clear();
    forEachTerm(text, (place) => counts.set(place, (counts.get(place) ?? 0) + 1));
    // In one order, whatever the order of the terms: sums of the same numbers are to be the same.
    const terms = [...counts].sort(([a], [b]) => a - b);
    let squares = 0;
    const weights = terms.map(([place, count]) => {
      const weight = (sublinear ? 1 + Math.log(count) : count) * idf[place]!;
      squares += weight * weight;
      return weight;
    });
    const length = Math.sqrt(squares);
    for (const [i, [place]] of terms.entries()) {
      values[row * rowWidth + offset + place] = weights[i]! / length;
    }
  }
}
