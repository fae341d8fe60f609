import { drawBetween, logDensity, logMass } from './normal-distribution.js';
import {
  type Assignment,
  fromScale,
  type NumberRange,
  type Parameter,
  scaleOf,
  stepOf,
  toScale,
  type Value,
} from './search-space.js';

/** As narrow as the range over this, at least, for many observations. */
const kernelsPerRangeMax = 100;
/** The newest observations count in full; of older ones the oldest counts least. */
const fullWeights = 25;

/** One parameter's part of every kernel; the last kernel is the prior. */
interface Factor {
  draw(kernel: number, random: () => number): Value;
  logDensity(kernel: number, value: Value): number;
}

/**
 * A density over some parameters together: a mixture of one kernel an observation, each a product over the parameters, and of one
 * kernel, the prior, that spans the ranges (Bergstra et al. 2011 and 2013; with joint kernels Falkner et al. 2018).
 */
export class ParzenEstimator {
  readonly #logWeights: number[];
  readonly #cumulative: number[] = [];
  readonly #factors: Factor[];

  /**
   * @param observations values of all the parameters, the oldest first
   * @param given how much each of them counts, beside 1 of the prior. Default: all alike, but less of old ones when there are many
   */
  constructor(
    private readonly parameters: readonly Parameter[],
    observations: readonly Assignment[],
    given: readonly number[] = recencyWeights(observations.length),
  ) {
    const weights = [...given, 1];
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#logWeights = weights.map((weight) => Math.log(weight / total));
    let sum = 0;
    for (const weight of weights) {
      sum += weight / total;
      this.#cumulative.push(sum);
    }
    this.#factors = parameters.map(({ name, range }) => {
      const values = observations.map((observation) => observation[name]!);
      return range.type === 'choice' ? choiceFactor(range.options, values) : numberFactor(range, values as number[]);
    });
  }

  draw(random: () => number): Assignment {
    const place = random();
    const found = this.#cumulative.findIndex((sum) => place < sum);
    const kernel = found < 0 ? this.#cumulative.length - 1 : found;
    const drawn = this.parameters.map(({ name }, i) => [name, this.#factors[i]!.draw(kernel, random)] as const);
    return Object.fromEntries(drawn);
  }

  logDensity(values: Assignment): number {
    const logs = this.#logWeights.map((weight, kernel) => {
      const factors = this.parameters.map(({ name }, i) => this.#factors[i]!.logDensity(kernel, values[name]!));
      return factors.reduce((sum, log) => sum + log, weight);
    });
    const most = Math.max(...logs);
    return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
  }
}

function recencyWeights(count: number): number[] {
  const ramp = Math.max(count - fullWeights, 0);
  return Array.from({ length: count }, (_, i) =>
    i >= ramp || ramp === 1 ? 1 : 1 / count + (i / (ramp - 1)) * (1 - 1 / count),
  );
}

/** Each option has the share of one observation among all kernels, beside the observed one. */
function choiceFactor(options: readonly Value[], observed: readonly Value[]): Factor {
  const kernels = observed.length + 1;
  const rest = 1 / kernels;
  const total = 1 + options.length * rest;
  const shareOf = (kernel: number, option: Value) =>
    kernel === observed.length ? 1 / options.length : (rest + (observed[kernel] === option ? 1 : 0)) / total;
  return {
    draw(kernel, random) {
      let left = random();
      const found = options.find((option) => {
        left -= shareOf(kernel, option);
        return left < 0;
      });
      return found ?? options.at(-1)!;
    },
    logDensity: (kernel, value) => Math.log(shareOf(kernel, value)),
  };
}

/** Normal kernels cut at the bounds; of integers the probability of the interval about each. */
function numberFactor(range: NumberRange, observed: readonly number[]): Factor {
  const { low, high } = scaleOf(range);
  const half = stepOf(range) / 2;
  const means = observed.map((value) => toScale(range, value));
  const deviations = [...kernelWidths(means, low, high), high - low];
  means.push((low + high) / 2);
  const logTotals = means.map((mean, i) => logMass((low - mean) / deviations[i]!, (high - mean) / deviations[i]!));
  return {
    draw: (kernel, random) =>
      fromScale(range, drawBetween({ mean: means[kernel]!, deviation: deviations[kernel]!, low, high }, random)),
    logDensity(kernel, value) {
      const [mean, deviation] = [means[kernel]!, deviations[kernel]!];
      if (half === 0) {
        const place = (toScale(range, value as number) - mean) / deviation;
        return logDensity(place) - Math.log(deviation) - logTotals[kernel]!;
      }
      const left = (toScale(range, (value as number) - half) - mean) / deviation;
      const right = (toScale(range, (value as number) + half) - mean) / deviation;
      return logMass(left, right) - logTotals[kernel]!;
    },
  };
}

/** The distance to the farther neighbour, neither too narrow for the number of observations nor wider than the range. */
function kernelWidths(means: readonly number[], low: number, high: number): number[] {
  const order = means.map((_, i) => i).sort((a, b) => means[a]! - means[b]!);
  const sorted = order.map((i) => means[i]!);
  const narrowest = (high - low) / Math.min(kernelsPerRangeMax, means.length + 2);
  const widths: number[] = [];
  for (const [place, i] of order.entries()) {
    const left = sorted[place]! - (sorted[place - 1] ?? low);
    const right = (sorted[place + 1] ?? high) - sorted[place]!;
    // Of several, those at the ends look at their neighbour only: the bound is none.
    const isFirst = place === 0 && order.length > 1;
    const isLast = place === order.length - 1 && order.length > 1;
    const width = isFirst ? right : isLast ? left : Math.max(left, right);
    widths[i] = Math.min(Math.max(width, narrowest), high - low);
  }
  return widths;
}
