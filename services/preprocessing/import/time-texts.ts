import { dayMs, type WrittenTime } from '../../pipeline/index.js';
import type { ColumnType, TimestampUnit } from '../column.js';

export type TimeType = Extract<ColumnType, { kind: 'date' | 'timestamp' }>;

const units: TimestampUnit[] = ['second', 'millisecond', 'microsecond', 'nanosecond'];
const timestamp = (unit: TimestampUnit, timezone: string): TimeType => ({ kind: 'timestamp', unit, timezone });

/** Types that times written as text can be read as. */
export const timeTypes: readonly TimeType[] = [
  { kind: 'date', unit: 'day' },
  ...['', 'UTC'].flatMap((timezone) => units.map((unit) => timestamp(unit, timezone))),
];

export function isTimeType(type: ColumnType): type is TimeType {
  return type.kind === 'date' || type.kind === 'timestamp';
}

/** How times of a type are written, for messages. */
export function timeExample(type: TimeType): string {
  if (type.kind === 'date') {
    return 'like 2024-01-31';
  }
  const digits = 3 * units.indexOf(type.unit);
  const fraction = digits === 0 ? 'no fraction of a second' : `at most ${digits} digits after the second`;
  const offset = type.timezone === '' ? 'no offset' : 'an offset or in UTC';
  return `like 2024-01-31T12:00:00, with ${fraction} and ${offset}`;
}

/** Nanoseconds in 64 bits reach so far on either side of 1970: to 1677 and 2262. */
const nanosecondsReachMs = 9_223_372_036_854;

/**
 * The value of a time, counted as its type does. Null: it is none of that type, or has digits or an offset that the type would lose. A date
 * is midnight where a time of day is wanted, and what has no offset is in UTC where one is.
 */
export function timeValue(type: TimeType, time: WrittenTime | null): number | bigint | null {
  if (!time || (type.kind === 'date' ? time.form !== 'date' : type.timezone === '' && time.form === 'offset')) {
    return null;
  }
  const { ms, nanoseconds } = time;
  switch (type.unit) {
    case 'day':
      return ms / dayMs;
    case 'second':
      return nanoseconds === 0 && ms % 1_000 === 0 ? BigInt(ms / 1_000) : null;
    case 'millisecond':
      return nanoseconds === 0 ? BigInt(ms) : null;
    case 'microsecond':
      return nanoseconds % 1_000 === 0 ? sum(ms, 1_000, nanoseconds / 1_000) : null;
    case 'nanosecond':
      return Math.abs(ms) < nanosecondsReachMs ? sum(ms, 1_000_000, nanoseconds) : null;
  }
}

function sum(ms: number, unitsPerMs: number, units: number): bigint {
  const total = ms * unitsPerMs + units;
  return Number.isSafeInteger(total) ? BigInt(total) : BigInt(ms) * BigInt(unitsPerMs) + BigInt(units);
}

/**
 * Finds the type of a column of texts that are all times: dates; or times of day, dates among them, without an offset; or times with one.
 * With and without an offset they are not the same kind of time, and stay texts.
 */
export class TimeInference {
  readonly #forms = new Set<'date' | 'local' | 'offset'>();
  #reachMs = 0;
  #isFine = false;

  /** Answers whether all may still be of one type. */
  add(time: WrittenTime | null): boolean {
    if (!time) {
      return false;
    }
    this.#forms.add(time.form);
    this.#reachMs = Math.max(this.#reachMs, Math.abs(time.ms));
    this.#isFine ||= time.nanoseconds % 1_000 !== 0;
    const isOneKind = !this.#forms.has('offset') || this.#forms.size === 1;
    return isOneKind && !(this.#isFine && this.#reachMs >= nanosecondsReachMs);
  }

  /** Null: there were no times. */
  get type(): TimeType | null {
    if (this.#forms.size === 0) {
      return null;
    }
    if (this.#forms.has('date') && this.#forms.size === 1) {
      return { kind: 'date', unit: 'day' };
    }
    return timestamp(this.#isFine ? 'nanosecond' : 'microsecond', this.#forms.has('offset') ? 'UTC' : '');
  }
}
