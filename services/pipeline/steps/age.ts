import { z } from 'zod';
import { extremesOf } from '../statistics.js';
import { defineStep, type MappingStep } from '../step.js';
import { dayMs, parseTime } from '../time.js';

/** Milliseconds. A year is the mean one of the Gregorian calendar. */
const units = { second: 1_000, minute: 60_000, hour: 3_600_000, day: dayMs, year: 365.2425 * dayMs };
type Unit = keyof typeof units;

export interface AgeSpec {
  kind: 'age';
  since: string;
  unit: Unit | null;
}

const form = z.strictObject({
  kind: z.literal('age'),
  /** Milliseconds since 1970. */
  reference: z.number(),
  unit: z.enum(Object.keys(units) as [Unit, ...Unit[]]),
});

export const age = defineStep<AgeSpec, z.infer<typeof form>>({
  kind: 'age',
  summary: 'how long before a given time, or the last one of the training split, a time was',
  takes: ['time'],
  form,
  gives: () => 'number',
  check({ since }, _, report) {
    const rule = 'a time like 2024-01-31 or 2024-01-31T12:00:00Z';
    report.check(since === '' || parseTime(since) !== null, 'since', rule, since);
  },
  async fit({ since, unit }, column) {
    const reference = since === '' ? (await extremesOf(() => column.numbers())).maximum : parseTime(since)!;
    return { kind: 'age', reference: column.usable(reference), unit: unit ?? 'day' };
  },
  prepare({ reference, unit }): MappingStep {
    return {
      output: { kind: 'number' },
      apply(column) {
        const values = column.values as Float64Array;
        for (let i = 0; i < values.length; i++) {
          values[i] = (reference - values[i]!) / units[unit];
        }
        return column;
      },
    };
  },
});
