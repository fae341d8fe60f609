import type { z } from 'zod';
import { quantileOf, sortedOf } from '../statistics.js';
import { defineStep } from '../step.js';
import { affineForm, prepareAffine } from './affine.js';
import { checkQuantiles } from './quantile-range.js';

export interface RobustSpec {
  kind: 'robust';
  lowerQuantile: number | null;
  upperQuantile: number | null;
}

const form = affineForm('robust');

export const robust = defineStep<RobustSpec, z.infer<typeof form>>({
  kind: 'robust',
  summary: 'subtracts the median and divides by the distance of two quantiles, which outliers do not move',
  takes: ['number', 'list'],
  form,
  gives: () => 'same',
  check: (spec, _, report) => checkQuantiles(spec, report),
  async fit({ lowerQuantile, upperQuantile }, column) {
    const sorted = await sortedOf(() => column.numbers());
    if (sorted.length === 0) {
      return { kind: 'robust', subtract: 0, divide: 1 };
    }
    const spread = column.usable(quantileOf(sorted, upperQuantile ?? 0.75) - quantileOf(sorted, lowerQuantile ?? 0.25));
    // What is next to nothing is rounding: a column that is constant between the quantiles is not blown up.
    const divide = spread < 10 * Number.EPSILON ? 1 : spread;
    return { kind: 'robust', subtract: column.usable(quantileOf(sorted, 0.5)), divide };
  },
  prepare: prepareAffine,
});
