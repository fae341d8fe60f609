export const dayMs = 86_400_000;
/** What JavaScript's dates reach on either side of 1970. */
const limitMs = 8.64e15;

const iso = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * Milliseconds since 1970 in UTC of a time as RFC 3339 writes it; without an offset it is taken as UTC, and without a time of day it
 * is midnight. Parts of a millisecond are dropped. Null: it is no such time.
 */
export function parseTime(text: string): number | null {
  const found = iso.exec(text);
  if (!found) {
    return null;
  }
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(year!, month! - 1, day!);
  const isDay = date.getUTCMonth() === month! - 1 && date.getUTCDate() === day;
  if (!isDay || hour! > 23 || minute! > 59 || second! > 59) {
    return null;
  }
  const millisecond = Number((found[7] ?? '').padEnd(3, '0').slice(0, 3));
  const zone = found[8] ?? 'Z';
  const [offsetHours, offsetMinutes] = zone === 'Z' ? [0, 0] : [Number(zone.slice(1, 3)), Number(zone.slice(4))];
  if (offsetHours! > 23 || offsetMinutes! > 59) {
    return null;
  }
  const offsetMs = (offsetHours! * 60 + offsetMinutes!) * 60_000 * (zone.startsWith('-') ? -1 : 1);
  const ms = date.getTime() + ((hour! * 60 + minute!) * 60 + second!) * 1_000 + millisecond - offsetMs;
  return isTime(ms) ? ms : null;
}

export function isTime(ms: number): boolean {
  return Math.abs(ms) <= limitMs;
}

/** A number of days or of other units as whole milliseconds; what is smaller is dropped, towards the past. */
export function toMilliseconds(
  value: number | bigint,
  unit: 'day' | 'second' | 'millisecond' | 'microsecond' | 'nanosecond',
): number {
  switch (unit) {
    case 'day':
      return Number(value) * dayMs;
    case 'second':
      return Number(value) * 1_000;
    case 'millisecond':
      return Number(value);
    case 'microsecond':
      return floorDivide(BigInt(value), 1_000n);
    case 'nanosecond':
      return floorDivide(BigInt(value), 1_000_000n);
  }
}

function floorDivide(value: bigint, divisor: bigint): number {
  const quotient = value / divisor;
  return Number(value < 0n && quotient * divisor !== value ? quotient - 1n : quotient);
}

/** Parts of a date, in UTC. Weekdays count from Monday, 0; weeks are those of ISO 8601. */
export const calendarParts = {
  year: (date: Date) => date.getUTCFullYear(),
  quarter: (date: Date) => Math.floor(date.getUTCMonth() / 3) + 1,
  month: (date: Date) => date.getUTCMonth() + 1,
  week: (date: Date) => {
    // The week belongs to the year of its Thursday.
    const thursday = new Date(date.getTime() + (3 - weekday(date)) * dayMs);
    return Math.floor((dayOfYear(thursday) - 1) / 7) + 1;
  },
  day: (date: Date) => date.getUTCDate(),
  weekday,
  weekend: (date: Date) => (weekday(date) >= 5 ? 1 : 0),
  dayOfYear,
  hour: (date: Date) => date.getUTCHours(),
  minute: (date: Date) => date.getUTCMinutes(),
  second: (date: Date) => date.getUTCSeconds(),
};

function weekday(date: Date): number {
  return (date.getUTCDay() + 6) % 7;
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - yearStart(date)) / dayMs) + 1;
}

function yearStart(date: Date, after = 0): number {
  return new Date(0).setUTCFullYear(date.getUTCFullYear() + after, 0, 1);
}

function monthStart(date: Date, after = 0): number {
  return new Date(0).setUTCFullYear(date.getUTCFullYear(), date.getUTCMonth() + after, 1);
}

/** How much of a cycle has passed, from 0 to 1. */
export const cycles = {
  day: (date: Date) => modulo(date.getTime(), dayMs) / dayMs,
  week: (date: Date) => (weekday(date) * dayMs + modulo(date.getTime(), dayMs)) / (7 * dayMs),
  month: (date: Date) => (date.getTime() - monthStart(date)) / (monthStart(date, 1) - monthStart(date)),
  year: (date: Date) => (date.getTime() - yearStart(date)) / (yearStart(date, 1) - yearStart(date)),
};

/** With the sign of the divisor. */
export function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
