export const quantileFractions = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const;

/** Between which of `count` sorted values the quantiles lie: places from 0, each followed by its upper neighbour. */
export function quantilePlaces(count: number): number[] {
  return quantileFractions.flatMap((fraction) => {
    const place = Math.floor(fraction * (count - 1));
    return [place, Math.min(place + 1, count - 1)];
  });
}

/** Linear between neighbours, as `numpy.quantile` does by default. @param values those at `quantilePlaces` */
export function quantilesOf(count: number, values: readonly number[]): number[] {
  return quantileFractions.map((fraction, i) => {
    const [lower, upper] = [values[2 * i]!, values[2 * i + 1]!];
    const place = fraction * (count - 1);
    const t = place - Math.floor(place);
    const difference = upper - lower;
    if (!Number.isFinite(difference)) {
      return lower * (1 - t) + upper * t;
    }
    return t >= 0.5 ? upper - difference * (1 - t) : lower + difference * t;
  });
}
