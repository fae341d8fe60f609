export const dayMs = 86_400_000;
/** What JavaScript's dates reach on either side of 1970. */
const limitMs = 8.64e15;

/** A time as it is written. */
export interface WrittenTime {
  /** Since 1970 in UTC; without an offset it is taken as UTC, and without a time of day it is midnight. */
  ms: number;
  /** That come to them, from 0 to 999,999. */
  nanoseconds: number;
  /** A day; a time of day on it, wherever that is; or one with its offset from UTC. */
  form: 'date' | 'local' | 'offset';
}

/** Milliseconds since 1970 in UTC of a time. Parts of a millisecond are dropped. Null: it is no such time. */
export function parseTime(text: string): number | null {
  return readTimeText(text)?.ms ?? null;
}

const textBytesMax = 40;
const scratch = new Uint8Array(3 * textBytesMax);
const encoder = new TextEncoder();

/** Reads a time as `readTime` does. */
export function readTimeText(text: string): WrittenTime | null {
  return text.length > textBytesMax ? null : readTime(scratch, 0, encoder.encodeInto(text, scratch).written);
}

const [plus, minus, point, zero, colon, space, upperT, upperZ] = [0x2b, 0x2d, 0x2e, 0x30, 0x3a, 0x20, 0x54, 0x5a];

/**
 * Reads bytes[from .. to] as a time as RFC 3339 writes it, of which offset, seconds and time of day may be left out; a year may have a sign
 * and six digits. Null: it is no such time. A column of a table has many, so nothing is made for what it is not.
 */
export function readTime(bytes: Uint8Array, from: number, to: number): WrittenTime | null {
  const isSigned = bytes[from] === plus || bytes[from] === minus;
  const yearEnd = from + (isSigned ? 7 : 4);
  const year = isSigned ? digits(bytes, from + 1, yearEnd) : digits(bytes, from, yearEnd);
  const dayEnd = yearEnd + 6;
  if (dayEnd > to || bytes[yearEnd] !== minus || bytes[yearEnd + 3] !== minus) {
    return null;
  }
  const day = dayNumber(
    bytes[from] === minus ? -year : year,
    digits(bytes, yearEnd + 1, yearEnd + 3),
    digits(bytes, yearEnd + 4, dayEnd),
  );
  if (dayEnd === to) {
    return timeOf(day * dayMs, 0, 'date');
  }
  const minuteEnd = dayEnd + 6;
  const isSeparated = (bytes[dayEnd] === upperT || bytes[dayEnd] === space) && bytes[dayEnd + 3] === colon;
  const hour = digits(bytes, dayEnd + 1, dayEnd + 3);
  const minute = digits(bytes, dayEnd + 4, minuteEnd);
  if (minuteEnd > to || !isSeparated || !(hour < 24 && minute < 60)) {
    return null;
  }
  const hasSecond = minuteEnd < to && bytes[minuteEnd] === colon;
  const secondEnd = minuteEnd + (hasSecond ? 3 : 0);
  const second = hasSecond ? digits(bytes, minuteEnd + 1, secondEnd) : 0;
  const fractionEnd = hasSecond ? skipFraction(bytes, secondEnd, to) : secondEnd;
  const nanoseconds = nanosecondsOf(bytes, secondEnd + 1, fractionEnd);
  const offset = offsetMinutes(bytes, fractionEnd, to);
  if (secondEnd > to || !(second < 60)) {
    return null;
  }
  const seconds = (hour * 60 + minute - offset) * 60 + second;
  const wholeMs = Math.floor(nanoseconds / 1_000_000);
  const ms = day * dayMs + seconds * 1_000 + wholeMs;
  return timeOf(ms, nanoseconds - wholeMs * 1_000_000, fractionEnd === to ? 'local' : 'offset');
}

function timeOf(ms: number, nanoseconds: number, form: WrittenTime['form']): WrittenTime | null {
  // What was no number has made it none.
  return isTime(ms) ? { ms, nanoseconds, form } : null;
}

/** The number that digits stand for; NaN: one of them is none. */
function digits(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - zero;
    if (!(digit >= 0 && digit <= 9)) {
      return Number.NaN;
    }
    value = 10 * value + digit;
  }
  return value;
}

/** Behind the point and one to nine digits, if there is a point. */
function skipFraction(bytes: Uint8Array, from: number, to: number): number {
  if (from >= to || bytes[from] !== point) {
    return from;
  }
  let at = from + 1;
  while (at < to && bytes[at]! >= zero && bytes[at]! <= zero + 9 && at <= from + 9) {
    at++;
  }
  return at === from + 1 ? from : at;
}

function nanosecondsOf(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    value = 10 * value + (from + i < to ? bytes[from + i]! - zero : 0);
  }
  return value;
}

/** East of UTC; nothing written is none. NaN: it is no offset. */
function offsetMinutes(bytes: Uint8Array, from: number, to: number): number {
  if (from === to || (to === from + 1 && bytes[from] === upperZ)) {
    return 0;
  }
  const isEast = bytes[from] === plus;
  const hours = digits(bytes, from + 1, from + 3);
  const minutes = digits(bytes, from + 4, from + 6);
  if (to !== from + 6 || bytes[from + 3] !== colon || !(isEast || bytes[from] === minus)) {
    return Number.NaN;
  }
  return hours < 24 && minutes < 60 ? (isEast ? 1 : -1) * (60 * hours + minutes) : Number.NaN;
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days from 1970 to a date of the Gregorian calendar, however long ago. NaN: there is no such date. */
function dayNumber(year: number, month: number, day: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (!(day >= 1 && day <= monthDays[month - 1]! + (isLeap && month === 2 ? 1 : 0))) {
    return Number.NaN;
  }
  // Years that begin in March have their leap day at the end (Hinnant, "chrono-compatible low-level date algorithms").
  const marchYear = month <= 2 ? year - 1 : year;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const dayOfMarchYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return 365 * marchYear + leapDays + dayOfMarchYear - 719_468;
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
