/** Logarithm of the standard normal density. */
export function logDensity(x: number): number {
  return -0.5 * x * x - halfLogTwoPi;
}

const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);
/** From here on a series about 0 loses too many digits of the tail. */
const tailBegin = 5;
/** Terms of the fraction that give a double's precision from `tailBegin` on. */
const fractionTerms = 40;

/** Probability below x (Marsaglia 2004: a Taylor series about 0; beyond 5 a continued fraction of the tail). */
export function cumulative(x: number): number {
  if (Math.abs(x) > tailBegin) {
    return x < 0 ? Math.exp(logTail(-x)) : 1 - Math.exp(logTail(x));
  }
  let [term, sum, before] = [x, x, 0];
  for (let i = 3; sum !== before; i += 2) {
    before = sum;
    term *= (x * x) / i;
    sum += term;
  }
  return 0.5 + sum * Math.exp(logDensity(x));
}

/** Logarithm of the probability between a and b, accurate in both tails. */
export function logMass(a: number, b: number): number {
  if (a > 0) {
    return logMass(-b, -a);
  }
  if (b > 0) {
    return Math.log1p(-cumulative(a) - cumulative(-b));
  }
  const [upper, lower] = [logCumulative(b), logCumulative(a)];
  return upper + Math.log1p(-Math.exp(lower - upper));
}

function logCumulative(x: number): number {
  return x < -tailBegin ? logTail(-x) : Math.log(cumulative(x));
}

/** Logarithm of the probability above x, for x of at least `tailBegin`: Laplace's continued fraction of Mills' ratio. */
function logTail(x: number): number {
  if (x === Number.POSITIVE_INFINITY) {
    return Number.NEGATIVE_INFINITY;
  }
  let fraction = x;
  for (let i = fractionTerms; i > 0; i--) {
    fraction = x + i / fraction;
  }
  return logDensity(x) - Math.log(fraction);
}

/** A number of the normal distribution between two bounds. */
export function drawBetween(
  { mean, deviation, low, high }: { mean: number; deviation: number; low: number; high: number },
  draw: () => number,
): number {
  // The mean lies between the bounds, and the deviation is no larger than their distance: a third of all draws fit.
  for (;;) {
    const radius = Math.sqrt(-2 * Math.log(1 - draw()));
    const value = mean + deviation * radius * Math.cos(2 * Math.PI * draw());
    if (value >= low && value <= high) {
      return value;
    }
  }
}
