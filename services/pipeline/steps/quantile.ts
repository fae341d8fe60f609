import { z } from 'zod';
import { quantileOf, sortedOf } from '../statistics.js';
import { defineStep, mapNumbers } from '../step.js';
import { normalQuantile } from './normal-quantile.js';

const quantilesDefault = 1_000;
const quantilesLimit = 10_000;

export interface QuantileSpec {
  kind: 'quantile';
  output: 'uniform' | 'normal' | null;
  quantilesMax: number | null;
}

const form = z.strictObject({
  kind: z.literal('quantile'),
  output: z.enum(['uniform', 'normal']),
  /** Ascending, evenly spaced from the share 0 to the share 1. */
  quantiles: z.array(z.number()).min(1),
});

export const quantile = defineStep<QuantileSpec, z.infer<typeof form>>({
  kind: 'quantile',
  summary: 'replaces numbers by their rank among those of the training split, uniform or normal',
  takes: ['number', 'list'],
  form,
  gives: () => 'same',
  check({ quantilesMax }, _, report) {
    const isAllowed =
      quantilesMax === null || (Number.isInteger(quantilesMax) && quantilesMax >= 2 && quantilesMax <= quantilesLimit);
    report.check(isAllowed, 'quantiles_max', `from 2 to ${quantilesLimit}`, quantilesMax);
  },
  async fit({ output, quantilesMax }, column) {
    const sorted = await sortedOf(() => column.numbers());
    column.usable(sorted[0] ?? null);
    const count = Math.min(quantilesMax ?? quantilesDefault, sorted.length);
    const quantiles = new Array<number>(count);
    for (let i = 0; i < count; i++) {
      // By way of percent, as scikit-learn does: where values are frequent, the last bit of a share decides which are equal.
      const share = count === 1 ? 0 : (i * (1 / (count - 1)) * 100) / 100;
      // Interpolation rounds: none may be below the one before.
      quantiles[i] = Math.max(quantileOf(sorted, share), quantiles[i - 1] ?? Number.NEGATIVE_INFINITY);
    }
    return { kind: 'quantile', output: output ?? 'uniform', quantiles };
  },
  prepare({ output, quantiles }, input) {
    if (quantiles.some((value, i) => value < quantiles[i - 1]!)) {
      throw new Error('quantiles need to ascend');
    }
    const shareOf = output === 'normal' ? normalShare : uniformShare;
    return mapNumbers(input, (values) => {
      for (let i = 0; i < values.length; i++) {
        values[i] = shareOf(values[i]!, quantiles);
      }
    });
  },
});

/** A share of less than this is next to none: 0 and 1 would become infinities. As in scikit-learn. */
const shareMin = 1e-7;
const normalMax = -normalQuantile(shareMin - 2 ** -52);

function normalShare(value: number, quantiles: readonly number[]): number {
  const isLowest = value - shareMin < quantiles[0]!;
  const isHighest = value + shareMin > quantiles.at(-1)!;
  const share = isLowest ? 0 : isHighest ? 1 : rankOf(value, quantiles);
  return Math.min(Math.max(normalQuantile(share), -normalMax), normalMax);
}

function uniformShare(value: number, quantiles: readonly number[]): number {
  return value <= quantiles[0]! ? 0 : value >= quantiles.at(-1)! ? 1 : rankOf(value, quantiles);
}

/** Where a value stands within the quantiles. One that is several quantiles at once stands in their middle. */
function rankOf(value: number, quantiles: readonly number[]): number {
  const last = quantiles.length - 1;
  const above = firstAtLeast(value, quantiles);
  let below = above;
  while (below < last && quantiles[below + 1] === value) {
    below++;
  }
  if (quantiles[above] === value) {
    return (above / last + below / last) / 2;
  }
  const [low, high] = [quantiles[above - 1]!, quantiles[above]!];
  return (above - 1) / last + ((value - low) / (high - low)) * (1 / last);
}

/** Index of the first quantile that is not below the value. */
function firstAtLeast(value: number, quantiles: readonly number[]): number {
  let [low, high] = [0, quantiles.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (quantiles[middle]! < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
