import { z } from 'zod';
import { momentsOf, valuesOf } from '../statistics.js';
import { defineStep, mapNumbers } from '../step.js';
import { minimumWithin } from './bounded-minimum.js';

export interface PowerSpec {
  kind: 'power';
  lambda: number | null;
}

const form = z.strictObject({ kind: z.literal('power'), lambda: z.number() });

export const power = defineStep<PowerSpec, z.infer<typeof form>>({
  kind: 'power',
  summary: 'brings numbers nearer to a normal distribution (Yeo-Johnson), its power by maximum likelihood',
  takes: ['number', 'list'],
  form,
  gives: () => 'same',
  check: ({ lambda }, _, report) => {
    report.check(lambda === null || Number.isFinite(lambda), 'lambda', 'finite', lambda);
  },
  async fit({ lambda }, column) {
    return { kind: 'power', lambda: lambda ?? (await likeliestLambda(await valuesOf(() => column.numbers()))) };
  },
  prepare({ lambda }, input) {
    return mapNumbers(input, (values) => transform(values, lambda, values));
  },
});

/** Yeo and Johnson 2000, equation 2.1. `target` may be `values` itself. */
function transform(values: Float64Array, lambda: number, target: Float64Array): void {
  const isLogAbove = Math.abs(lambda) < Number.EPSILON;
  const isLogBelow = Math.abs(2 - lambda) < Number.EPSILON;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value >= 0) {
      target[i] = isLogAbove ? Math.log1p(value) : Math.expm1(lambda * Math.log1p(value)) / lambda;
    } else {
      target[i] = isLogBelow ? -Math.log1p(-value) : -Math.expm1((2 - lambda) * Math.log1p(-value)) / (2 - lambda);
    }
  }
}

/** Half of the range of float64's exponents: the squares of what is transformed must be numbers, too. */
const logLargest = (Math.log(Number.MAX_VALUE) + Math.log(Number.EPSILON)) / 2;
const logSmallest = (Math.log(2.2250738585072014e-308) - Math.log(Number.EPSILON)) / 2;

/** The power that makes a normal distribution of the values likeliest. Of a constant column it is 1: it stays as it is. */
async function likeliestLambda(values: Float64Array): Promise<number> {
  let largest = 0;
  let hasNegative = false;
  let hasOther = false;
  let logSum = 0;
  for (const value of values) {
    largest = Math.max(largest, Math.abs(value));
    hasNegative ||= value < 0;
    hasOther ||= value >= 0;
    logSum += Math.sign(value) * Math.log1p(Math.abs(value));
  }
  const { mean, deviation } = await momentsOf(once(values));
  if (values.length === 0 || deviation <= 10 * Number.EPSILON * Math.abs(mean)) {
    return 1;
  }
  // As SciPy does it, so that values up to 20 times as large as those seen can be transformed.
  const logRange = Math.log1p(20 * largest);
  let [low, high] = [logSmallest / logRange, logLargest / logRange];
  if (hasNegative) {
    [low, high] = hasOther ? [Math.max(2 - high, low), Math.min(2 - low, high)] : [2 - high, 2 - low];
  }
  const transformed = new Float64Array(values.length);
  return minimumWithin(low, high, async (lambda) => {
    transform(values, lambda, transformed);
    const spread = (await momentsOf(once(transformed))).deviation;
    const likelihood = (lambda - 1) * logSum - (values.length / 2) * Math.log(spread ** 2);
    return Number.isFinite(likelihood) ? -likelihood : Number.POSITIVE_INFINITY;
  });
}

async function* once(values: Float64Array) {
  yield values;
}
