import { z } from 'zod';
import { defineStep } from '../step.js';
import { cycles, modulo } from '../time.js';
import { timeZoneForm, wallClock } from '../time-zone.js';
import { checkTimeZone, fittedTimeZone } from './time-zone-setting.js';

const cycleNames = ['day', 'week', 'month', 'year'] as const;
type Cycle = (typeof cycleNames)[number];

export interface CyclicSpec {
  kind: 'cyclic';
  cycles: (Cycle | null)[];
  period: number | null;
  /** Of the IANA database; empty: UTC. */
  timeZone: string;
}

const form = z.strictObject({
  kind: z.literal('cyclic'),
  /** Of a time. */
  cycles: z.array(z.enum(cycleNames)),
  /** Of a number; null: it is a time. */
  period: z.number().positive().nullable(),
  /** Unset: UTC. */
  timeZone: timeZoneForm.optional(),
});

export const cyclic = defineStep<CyclicSpec, z.infer<typeof form>>({
  kind: 'cyclic',
  summary: 'sine and cosine of what comes round again: the day, the week, the year, or a number with a period',
  takes: ['number', 'time'],
  form,
  gives: () => 'features',
  check({ cycles: asked, period, timeZone }, input, report) {
    const isSet = asked.every((cycle) => cycle !== null) && new Set(asked).size === asked.length;
    report.check(isSet, 'cycles', `some of ${cycleNames.join(', ')}, each once`, asked);
    report.check(period === null || (Number.isFinite(period) && period > 0), 'period', 'greater than 0', period);
    checkTimeZone(timeZone, report);
    if (input?.kind === 'number') {
      report.check(period !== null, 'period', 'set on a column of numbers', period);
      report.check(asked.length === 0, 'cycles', 'empty on a column of numbers', asked);
      report.check(timeZone === '', 'time_zone', 'unset on a column of numbers', timeZone);
    } else if (input?.kind === 'time') {
      report.check(period === null, 'period', 'unset on a column of times', period);
      report.check(asked.length > 0, 'cycles', `some of ${cycleNames.join(', ')}`, asked);
    }
  },
  fit: ({ cycles: asked, period, timeZone }) => ({
    kind: 'cyclic',
    cycles: asked as Cycle[],
    period,
    ...fittedTimeZone(timeZone),
  }),
  prepare({ cycles: used, period, timeZone }, input) {
    if ((input.kind === 'time') !== (period === null) || used.length > 0 !== (period === null)) {
      throw new Error('a time needs cycles, and a number a period');
    }
    const dateOf = wallClock(timeZone);
    const shares: ((value: number) => number)[] =
      period === null
        ? used.map((cycle) => (value) => cycles[cycle](dateOf(value)))
        : [(value) => modulo(value, period) / period];
    const prefixes = period === null ? used.map((cycle) => `.${cycle}`) : [''];
    return {
      output: null,
      names: prefixes.flatMap((prefix) => [`${prefix}.sin`, `${prefix}.cos`]),
      write({ values }, { values: target, rowWidth, offset }) {
        for (let i = 0; i < values.length; i++) {
          for (const [k, share] of shares.entries()) {
            const angle = 2 * Math.PI * share(values[i] as number);
            target[i * rowWidth + offset + 2 * k] = Math.sin(angle);
            target[i * rowWidth + offset + 2 * k + 1] = Math.cos(angle);
          }
        }
      },
    };
  },
});
