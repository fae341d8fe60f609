import { z } from 'zod';
import { defineStep } from '../step.js';
import { calendarParts } from '../time.js';
import { timeZoneForm, wallClock } from '../time-zone.js';
import { numberValues } from '../values.js';
import { checkTimeZone, fittedTimeZone } from './time-zone-setting.js';

const partNames = [
  'year',
  'quarter',
  'month',
  'week',
  'day',
  'weekday',
  'weekend',
  'dayOfYear',
  'hour',
  'minute',
  'second',
] as const;
type Part = (typeof partNames)[number];

export interface CalendarSpec {
  kind: 'calendar';
  parts: (Part | null)[];
  /** Of the IANA database; empty: UTC. */
  timeZone: string;
}

const form = z.strictObject({
  kind: z.literal('calendar'),
  parts: z.array(z.enum(partNames)).min(1),
  /** Unset: UTC. */
  timeZone: timeZoneForm.optional(),
});

export const calendar = defineStep<CalendarSpec, z.infer<typeof form>>({
  kind: 'calendar',
  summary: 'parts of a time as the calendar and the clock of a time zone have them',
  takes: ['time'],
  form,
  gives: ({ parts }) => (parts.length === 1 ? 'number' : 'features'),
  check({ parts, timeZone }, _, report) {
    const isSet = parts.length > 0 && parts.every((part) => part !== null) && new Set(parts).size === parts.length;
    report.check(isSet, 'parts', `some of ${partNames.join(', ')}, each once`, parts);
    checkTimeZone(timeZone, report);
  },
  fit: ({ parts, timeZone }) => ({ kind: 'calendar', parts: parts as Part[], ...fittedTimeZone(timeZone) }),
  prepare({ parts, timeZone }) {
    const dateOf = wallClock(timeZone);
    const readers = parts.map((part) => calendarParts[part]);
    const [only] = readers;
    if (readers.length === 1) {
      return {
        output: { kind: 'number' },
        apply(column) {
          const { values, missing } = column as Extract<typeof column, { kind: 'numbers' }>;
          return numberValues(
            values.map((ms) => only!(dateOf(ms))),
            1,
            missing,
          );
        },
      };
    }
    return {
      output: null,
      names: parts.map((part) => `.${part}`),
      write({ values }, { values: target, rowWidth, offset }) {
        for (let i = 0; i < values.length; i++) {
          const date = dateOf(values[i] as number);
          for (const [k, read] of readers.entries()) {
            target[i * rowWidth + offset + k] = read(date);
          }
        }
      },
    };
  },
});
