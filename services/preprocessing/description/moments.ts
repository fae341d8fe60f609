/** Less than half a unit in the last place of the largest numbers: the distance to it is a float64 whatever the number. */
const originMax = 9e291;

/**
 * Count, extremes, mean and standard deviation of numbers that come in batches, in one pass. Numbers are taken relative to the
 * first one, in a batch the squares around its own mean, and batches are joined as in Chan et al. 1979: a large mean does not
 * swallow a small spread.
 */
export class Moments {
  count = 0;
  minimum = Number.POSITIVE_INFINITY;
  maximum = Number.NEGATIVE_INFINITY;
  #origin = 0;
  /** Mean less origin. */
  #offset = 0;
  #squares = 0;

  add(values: Float64Array): void {
    const { length } = values;
    if (length === 0) {
      return;
    }
    if (this.count === 0 && Math.abs(values[0]!) < originMax) {
      this.#origin = values[0]!;
    }
    const origin = this.#origin;
    const offset = meanOf(values, origin);
    let [squares, rest] = [0, 0];
    for (const value of values) {
      const difference = value - origin - offset;
      squares += difference * difference;
      rest += difference;
      this.minimum = Math.min(this.minimum, value);
      this.maximum = Math.max(this.maximum, value);
    }
    // The differences add up to zero but for rounding; what is left corrects the squares, unless they are beyond float64.
    squares -= Number.isFinite(squares) ? (rest * rest) / length : 0;
    const count = this.count + length;
    const shift = offset - this.#offset;
    this.#squares += squares + shift * (shift * ((this.count * length) / count));
    // Two means may be further apart than float64 reaches; what lies between them is not.
    this.#offset = Number.isFinite(shift)
      ? this.#offset + shift * (length / count)
      : this.#offset * (this.count / count) + offset * (length / count);
    this.count = count;
  }

  /** Rounding never leads it out of the range of the numbers. */
  get mean(): number {
    return Math.min(Math.max(this.#origin + this.#offset, this.minimum), this.maximum);
  }

  /** Population formula, as the step `standardise` has it. */
  get deviation(): number {
    return this.count === 0 ? 0 : Math.sqrt(Math.max(this.#squares, 0) / this.count);
  }
}

function meanOf(values: Float64Array, origin: number): number {
  let sum = 0;
  for (const value of values) {
    sum += value - origin;
  }
  const mean = sum / values.length;
  if (Number.isFinite(mean)) {
    return mean;
  }
  // The sum is beyond float64 although the mean is not.
  return values.reduce((before, value) => before + (value / values.length - origin / values.length), 0);
}
