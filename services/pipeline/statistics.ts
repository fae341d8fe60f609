import { ServiceError } from '../platform/errors.js';
import { loadNative } from './native.js';
import { ValueMap } from './value-map.js';

/** A column's numbers in batches, from the start each time it is called. None is missing. */
export type NumberBatches = () => AsyncIterable<Float64Array>;

/** What is known of numbers, by one reading of them. Without numbers the mean is NaN, and the extremes infinities. */
export class NumberMoments {
  constructor(
    readonly count: number,
    readonly minimum: number,
    readonly maximum: number,
    readonly mean: number,
    /** Sum of squared distances from the mean. */
    readonly squares: number,
  ) {}

  /** Population formula; 0 where there is no number. */
  get deviation(): number {
    return Math.sqrt(this.squares / Math.max(this.count, 1));
  }

  /** Of these numbers and `count` others that are all `value` (Chan, Golub and LeVeque 1983). */
  with(value: number, count: number): NumberMoments {
    if (count === 0) {
      return this;
    }
    if (this.count === 0) {
      return new NumberMoments(count, value, value, value, 0);
    }
    const total = this.count + count;
    const distance = value - this.mean;
    return new NumberMoments(
      total,
      Math.min(this.minimum, value),
      Math.max(this.maximum, value),
      this.mean + distance * (count / total),
      this.squares + distance * (distance * ((this.count * count) / total)),
    );
  }
}

export async function momentsOf(batches: AsyncIterable<Float64Array>): Promise<NumberMoments> {
  const { Moments } = await loadNative();
  const moments = new Moments();
  for await (const batch of batches) {
    moments.add(batch);
  }
  const { count, minimum, maximum, mean, squares } = moments.finish();
  return new NumberMoments(count, minimum, maximum, mean, squares);
}

/** Population mean and deviation of each of the `channels` that follow each other in values. `width`: numbers of one row. */
export async function channelMoments(
  batches: NumberBatches,
  channels: number,
  width: number,
): Promise<{ means: number[]; deviations: number[] }> {
  const moments = Array.from({ length: channels }, () => new Moments());
  for await (const batch of batches()) {
    for (let row = 0; row < batch.length; row += width) {
      for (const [channel, seen] of moments.entries()) {
        seen.add(batch, row + channel, row + width, channels);
      }
    }
  }
  return { means: moments.map(({ mean }) => mean), deviations: moments.map(({ deviation }) => deviation) };
}

/** Of groups of values, each in two passes, and put together by Chan, Golub and LeVeque 1983: one reading of the data. */
class Moments {
  mean = 0;
  #count = 0;
  #squares = 0;

  /** Adds every `stride`th of the values `from` to `to`. */
  add(values: Float64Array, from: number, to: number, stride: number): void {
    const count = Math.ceil((to - from) / stride);
    let sum = 0;
    for (let i = from; i < to; i += stride) {
      sum += values[i]!;
    }
    const mean = sum / count;
    let squares = 0;
    for (let i = from; i < to; i += stride) {
      squares += (values[i]! - mean) ** 2;
    }
    const total = this.#count + count;
    const distance = mean - this.mean;
    this.#squares += squares + (distance ** 2 * this.#count * count) / total;
    this.mean += (distance * count) / total;
    this.#count = total;
  }

  get deviation(): number {
    return Math.sqrt(this.#squares / Math.max(this.#count, 1));
  }
}

export async function extremesOf(batches: NumberBatches): Promise<{ minimum: number; maximum: number }> {
  let minimum = Number.POSITIVE_INFINITY;
  let maximum = Number.NEGATIVE_INFINITY;
  for await (const batch of batches()) {
    for (let i = 0; i < batch.length; i++) {
      minimum = Math.min(minimum, batch[i]!);
      maximum = Math.max(maximum, batch[i]!);
    }
  }
  return minimum > maximum ? { minimum: 0, maximum: 0 } : { minimum, maximum };
}

const valuesMax = 64 * 1024 * 1024;

/** All numbers, in their order. */
export async function valuesOf(batches: NumberBatches): Promise<Float64Array> {
  const parts: Float64Array[] = [];
  let count = 0;
  for await (const batch of batches()) {
    // What a batch lies in is used again for the next.
    parts.push(batch.slice());
    count += batch.length;
    if (count > valuesMax) {
      const message = `A median, a quantile or a power is found among at most ${valuesMax} values. Use a mean, a constant or a range instead.`;
      throw new ServiceError('INVALID_ARGUMENT', 'TOO_MANY_VALUES', message);
    }
  }
  const values = new Float64Array(count);
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return values;
}

/** All numbers, the smallest first. */
export async function sortedOf(batches: NumberBatches): Promise<Float64Array> {
  return (await valuesOf(batches)).sort();
}

/** Of an even count the mean of the middle two. Null: there is no number. */
export async function medianOf(batches: NumberBatches): Promise<number | null> {
  const sorted = await sortedOf(batches);
  const count = sorted.length;
  if (count === 0) {
    return null;
  }
  const upper = sorted[count >> 1]!;
  return count % 2 === 1 ? upper : upper / 2 + sorted[(count >> 1) - 1]! / 2;
}

/**
 * The quantile of sorted numbers, at least one, with linear interpolation (definition 7 of Hyndman and Fan 1996).
 * @param fraction 0 to 1
 */
export function quantileOf(sorted: Float64Array, fraction: number): number {
  const place = fraction * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  const share = place - below;
  // From the nearer end, so that the result does not pass the other.
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

/** How often each value occurs. Once there are more than `distinctMax`, counting ends: the caller has seen enough. */
export async function countsOf(
  batches: () => AsyncIterable<Float64Array | readonly string[]>,
  distinctMax: number,
): Promise<Map<number | string, number>> {
  const counts = new ValueCounts(distinctMax);
  for await (const batch of batches()) {
    if (!counts.addEach(batch)) {
      break;
    }
  }
  return counts.found();
}

/** Counts values until there are more than `distinctMax`. Adding answers whether there are not. */
export class ValueCounts {
  readonly #counts = new ValueMap<{ count: number }>();

  constructor(private readonly distinctMax: number) {}

  addEach(values: Float64Array | readonly string[]): boolean {
    for (let i = 0; i < values.length; i++) {
      if (!this.#add(values[i]!, 1)) {
        return false;
      }
    }
    return true;
  }

  addAll(counts: Iterable<[value: number | string, count: number]>): boolean {
    for (const [value, count] of counts) {
      if (!this.#add(value, count)) {
        return false;
      }
    }
    return true;
  }

  #add(value: number | string, count: number): boolean {
    const known = this.#counts.get(value);
    if (known) {
      known.count += count;
      return true;
    }
    this.#counts.set(value, { count });
    return this.#counts.size <= this.distinctMax;
  }

  /** In the order in which they came first. */
  found(): Map<number | string, number> {
    return new Map(Array.from(this.#counts, ([value, { count }]) => [value, count]));
  }
}
