import { z } from 'zod';
import { defineStep, UntransformableError } from '../step.js';

export interface LogSpec {
  kind: 'log';
  offset: number | null;
}

const form = z.strictObject({ kind: z.literal('log'), offset: z.number() });

export const log = defineStep<LogSpec, z.infer<typeof form>>({
  kind: 'log',
  summary: 'takes the natural logarithm of numbers plus an offset, 1 by default',
  takes: ['number', 'list'],
  form,
  gives: () => 'same',
  check: ({ offset }, _, report) => {
    report.check(offset === null || Number.isFinite(offset), 'offset', 'finite', offset);
  },
  fit: ({ offset }) => ({ kind: 'log', offset: offset ?? 1 }),
  prepare({ offset }, input) {
    return {
      output: input,
      apply(column) {
        const { values, width, missing } = column as Extract<typeof column, { kind: 'numbers' }>;
        for (let i = 0; i < values.length; i++) {
          const value = values[i]!;
          const isMissing = missing !== null && missing[Math.floor(i / width)] === 1;
          if (value + offset <= 0 && !isMissing) {
            const expected = `greater than ${0 - offset}, since its logarithm is taken with the offset ${offset}`;
            throw new UntransformableError(Math.floor(i / width), expected);
          }
          // Small numbers keep their digits.
          values[i] = offset === 1 ? Math.log1p(value) : Math.log(value + offset);
        }
        return column;
      },
    };
  },
});
