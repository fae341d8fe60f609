import { z } from 'zod';
import { quantileOf, sortedOf } from '../statistics.js';
import { defineStep, mapNumbers } from '../step.js';
import { checkQuantiles } from './quantile-range.js';

export interface ClipSpec {
  kind: 'clip';
  minimum: number | null;
  maximum: number | null;
  lowerQuantile: number | null;
  upperQuantile: number | null;
}

const form = z.strictObject({
  kind: z.literal('clip'),
  /** Null: there is no bound on that side. */
  minimum: z.number().nullable(),
  maximum: z.number().nullable(),
});

export const clip = defineStep<ClipSpec, z.infer<typeof form>>({
  kind: 'clip',
  summary: 'cuts numbers off at bounds that are given, or are quantiles of the training split',
  takes: ['number', 'list'],
  form,
  gives: () => 'same',
  check(spec, _, report) {
    const { minimum, maximum, lowerQuantile, upperQuantile } = spec;
    if ([minimum, maximum, lowerQuantile, upperQuantile].every((bound) => bound === null)) {
      report.add(
        '',
        `Expected \`${report.field}\` to have a bound: minimum, maximum, lower_quantile or upper_quantile.`,
      );
    }
    for (const [name, value] of Object.entries({ minimum, maximum })) {
      report.check(value === null || Number.isFinite(value), name, 'finite', value);
    }
    report.check(minimum === null || lowerQuantile === null, 'minimum', 'unset beside `lower_quantile`', minimum);
    report.check(maximum === null || upperQuantile === null, 'maximum', 'unset beside `upper_quantile`', maximum);
    if (minimum !== null && maximum !== null) {
      report.check(!(maximum < minimum), 'maximum', `at least \`minimum\`, ${minimum},`, maximum);
    }
    checkQuantiles(spec, report, [0, 1]);
  },
  async fit({ minimum, maximum, lowerQuantile, upperQuantile }, column) {
    const sorted = lowerQuantile === null && upperQuantile === null ? null : await sortedOf(() => column.numbers());
    const bound = (given: number | null, share: number | null) =>
      share === null ? given : column.usable(sorted!.length === 0 ? null : quantileOf(sorted!, share));
    const bounds = { minimum: bound(minimum, lowerQuantile), maximum: bound(maximum, upperQuantile) };
    if (bounds.minimum !== null && bounds.maximum !== null && bounds.minimum > bounds.maximum) {
      const message = `Expected \`${column.field}\` to have a lower bound below the upper but they are ${bounds.minimum} and ${bounds.maximum} with the training split's.`;
      throw column.refusal('', message);
    }
    return { kind: 'clip', ...bounds };
  },
  prepare({ minimum, maximum }, input) {
    const [low, high] = [minimum ?? Number.NEGATIVE_INFINITY, maximum ?? Number.POSITIVE_INFINITY];
    return mapNumbers(input, (values) => {
      for (let i = 0; i < values.length; i++) {
        values[i] = Math.min(Math.max(values[i]!, low), high);
      }
    });
  },
});
