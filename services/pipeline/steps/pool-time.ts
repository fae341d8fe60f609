import { z } from 'zod';
import { defineStep } from '../step.js';
import type { ListType, ValueType } from '../values.js';
import { mapLists } from './lists.js';

/** Of the values of one band over time, which are used up. */
const pools = {
  mean: (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length,
  deviation(values: Float64Array) {
    const mean = pools.mean(values);
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  },
  minimum: (values: Float64Array) => values.reduce((least, value) => Math.min(least, value)),
  maximum: (values: Float64Array) => values.reduce((most, value) => Math.max(most, value)),
  median(values: Float64Array) {
    values.sort();
    const middle = values.length / 2;
    return (values[Math.ceil(middle) - 1]! + values[Math.floor(middle)]!) / 2;
  },
};

type Statistic = keyof typeof pools;
const statisticNames = Object.keys(pools) as [Statistic, ...Statistic[]];
const usual: Statistic[] = ['mean', 'deviation'];

export interface PoolTimeSpec {
  kind: 'poolTime';
  /** Null within: one that there is not. */
  statistics: (Statistic | null)[];
}

const form = z.strictObject({ kind: z.literal('poolTime'), statistics: z.array(z.enum(statisticNames)).min(1) });

export const poolTime = defineStep<PoolTimeSpec, z.infer<typeof form>>({
  kind: 'poolTime',
  summary: 'statistics over time of each band of a sound: its mean, deviation, minimum, maximum or median',
  takes: ['list'],
  form,
  gives: (spec, _, input) => (hasTime(input) ? outputOf(input, asked(spec)) : 'same'),
  check({ statistics }, input, report) {
    if (input?.kind === 'list' && !hasTime(input)) {
      report.add('', `Expected \`${report.field}\` to follow a step that gives a sound, like log_mel or mfcc.`);
    }
    const isOnce = new Set(statistics).size === statistics.length && !statistics.includes(null);
    const rule =
      'STATISTIC_MEAN, STATISTIC_DEVIATION, STATISTIC_MINIMUM, STATISTIC_MAXIMUM or STATISTIC_MEDIAN, each once,';
    report.check(isOnce, 'statistics', rule, statistics.join(', '));
  },
  fit: (spec) => ({ kind: 'poolTime', statistics: asked(spec) }),
  prepare({ statistics }, input) {
    if (!hasTime(input)) {
      throw new Error('the step poolTime needs to follow a sound');
    }
    const [moments, bands] = layoutOf(input);
    const values = new Float64Array(moments);
    const names = statistics.flatMap((statistic) => Array.from({ length: bands }, (_, i) => `.${statistic}[${i}]`));
    return mapLists(input, { ...outputOf(input, statistics), names }, (list, target, at) => {
      for (let band = 0; band < bands; band++) {
        for (const [i, statistic] of statistics.entries()) {
          for (let k = 0; k < moments; k++) {
            values[k] = list[k * bands + band]!;
          }
          target[at + i * bands + band] = pools[statistic](values);
        }
      }
    });
  },
});

function asked({ statistics }: PoolTimeSpec): Statistic[] {
  return statistics.length > 0 ? (statistics as Statistic[]) : usual;
}

function hasTime(input: ValueType | null): input is ListType {
  return input?.kind === 'list' && input.rateHz !== undefined;
}

/** Moments in time, and numbers of each; samples are one each. */
function layoutOf({ shape }: ListType): [moments: number, bands: number] {
  return [shape[0]!, shape[1] ?? 1];
}

function outputOf(input: ListType, statistics: Statistic[]): ListType {
  const [, bands] = layoutOf(input);
  const width = statistics.length * bands;
  return { kind: 'list', width, shape: [statistics.length, bands], channels: width };
}
