import { distance } from 'fastest-levenshtein';

/**
 * The name that was most likely meant, or null when none is close: at most half of the letters may differ (two that are
 * swapped count twice), and at most three.
 */
export function nearest(name: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.min(3, Math.max(1, Math.floor(name.length / 2))) + 1;
  for (const candidate of names) {
    const between = distance(name.toLowerCase(), candidate.toLowerCase());
    if (between < bestDistance) {
      best = candidate;
      bestDistance = between;
    }
  }
  return best;
}
