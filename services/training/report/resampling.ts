import { setImmediate } from 'node:timers/promises';
import { randomKey } from '../../pipeline/index.js';

/** An interval that holds the figure in 95 of 100 samples like this one. */
export interface Interval {
  low: number;
  high: number;
}

export interface Bootstrap {
  /** Samples drawn. */
  samples: number;
  /** By name of the figure; one that some samples do not have is left out. */
  intervals: Record<string, Interval>;
}

type Figures = Record<string, number | null>;

const level = 0.95;
const samplesMax = 1_000;
const samplesMin = 200;
/** Of all samples together: large splits have narrow intervals, which fewer samples tell well enough. */
const drawsMax = 2_000_000;

/**
 * Percentile intervals of figures (Efron 1979): each sample draws as many rows as there are, with replacement. The samples depend
 * on the seed only. The event loop is given free between them.
 * @param figuresOf the figures of a sample, from how often it has each row
 */
export async function bootstrap(
  rows: number,
  seed: number,
  figuresOf: (weights: Uint16Array) => Figures,
  signal: AbortSignal,
): Promise<Bootstrap> {
  const samples = Math.min(samplesMax, Math.max(samplesMin, Math.floor(drawsMax / rows)));
  const drawn: Record<string, number[]> = {};
  // Half the memory of 32 bits: a count of 65,536 does not happen.
  const weights = new Uint16Array(rows);
  for (let sample = 0; sample < samples; sample++) {
    weights.fill(0);
    const draw = generator(randomKey(seed, sample));
    for (let i = 0; i < rows; i++) {
      weights[Math.floor(draw() * rows)]!++;
    }
    for (const [name, value] of Object.entries(figuresOf(weights))) {
      if (value !== null) {
        drawn[name] ??= [];
        drawn[name].push(value);
      }
    }
    await setImmediate();
    signal.throwIfAborted();
  }
  const whole = Object.entries(drawn).filter(([, values]) => values.length === samples);
  return { samples, intervals: Object.fromEntries(whole.map(([name, values]) => [name, intervalOf(values)])) };
}

function intervalOf(values: number[]): Interval {
  const sorted = Float64Array.from(values).sort();
  return { low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2) };
}

/** Linear between the two nearest of sorted values, NumPy's default. */
export function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}

/** Numbers in [0, 1) of 32 random bits: Marsaglia's xorshift with 32 bits of state, which must not be 0. */
export function generator(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}
