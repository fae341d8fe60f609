import { z } from 'zod';
import { dayMs } from './time.js';

/**
 * A time zone as it stands in a fitted pipeline: what its clocks showed beside UTC, and since when. So a pipeline gives the same bits wherever
 * it is served, though laws change and one machine knows of it before another.
 */
export const timeZoneForm = z.strictObject({
  name: z.string(),
  /** Milliseconds since 1970 and seconds to be added to UTC from then on; ascending. The first counts for all that is before, too. */
  offsets: z.array(z.tuple([z.int(), z.int()])).min(1),
});

export type TimeZone = z.infer<typeof timeZoneForm>;

/** Before, most clocks followed the sun. */
const begin = Date.UTC(1800, 0, 1);
const end = Date.UTC(2101, 0, 1);
/** The shortest time that clocks are known to have been changed for is a week: in three zones of Brazil, October 2000. */
const stepMs = 3 * dayMs;

export function isTimeZone(name: string): boolean {
  // `+02:00` is an offset, not a zone, though some releases of Node take it for one.
  return /^[A-Za-z]/.test(name) && formatOf(name) !== null;
}

function formatOf(name: string): Intl.DateTimeFormat | null {
  const parts = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const clock = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name, ...parts, ...clock });
  } catch (error) {
    if (error instanceof RangeError) {
      return null;
    }
    throw error;
  }
}

const known = new Map<string, TimeZone>();

/** What this machine knows of a zone from 1800 to 2100; later years are taken to keep the last offset. @param name of the IANA database */
export function readTimeZone(name: string): TimeZone {
  let zone = known.get(name);
  if (!zone) {
    zone = { name, offsets: findOffsets(formatOf(name)!) };
    known.set(name, zone);
  }
  return zone;
}

function findOffsets(format: Intl.DateTimeFormat): [number, number][] {
  const offsets: [number, number][] = [[begin, offsetAt(format, begin)]];
  let at = begin;
  while (at < end) {
    const [, offset] = offsets.at(-1)!;
    const next = at + stepMs;
    if (offsetAt(format, next) === offset) {
      at = next;
    } else {
      at = findChange(format, at, next, offset);
      offsets.push([at, offsetAt(format, at)]);
    }
  }
  return offsets;
}

/** The first second with another offset. */
function findChange(format: Intl.DateTimeFormat, from: number, to: number, offset: number): number {
  let [before, after] = [from, to];
  while (after - before > 1_000) {
    const middle = Math.floor((before + after) / 2_000) * 1_000;
    if (offsetAt(format, middle) === offset) {
      before = middle;
    } else {
      after = middle;
    }
  }
  return after;
}

/** @param ms whole seconds */
function offsetAt(format: Intl.DateTimeFormat, ms: number): number {
  const [month, day, year, hour, minute, second] = format.format(ms).match(/\d+/g)!.map(Number);
  return (Date.UTC(year!, month! - 1, day!, hour, minute, second) - ms) / 1_000;
}

/**
 * Turns points in time into what the zone's calendar and clock show then, as a date whose parts in UTC are those.
 * @throws Error for offsets that are not in order
 */
export function wallClock(zone: TimeZone | undefined): (ms: number) => Date {
  if (!zone) {
    return (ms) => new Date(ms);
  }
  const since = Float64Array.from(zone.offsets, ([ms]) => ms);
  const offsetsMs = Float64Array.from(zone.offsets, ([, seconds]) => seconds * 1_000);
  if (since.some((ms, i) => i > 0 && ms <= since[i - 1]!)) {
    throw new Error(`the offsets of the time zone ${zone.name} must be in order`);
  }
  return (ms) => new Date(ms + offsetsMs[lastBefore(since, ms)]!);
}

/** Index of the last that is not after `ms`, or 0. */
function lastBefore(since: Float64Array, ms: number): number {
  let [from, to] = [0, since.length - 1];
  while (from < to) {
    const middle = (from + to + 1) >> 1;
    if (since[middle]! <= ms) {
      from = middle;
    } else {
      to = middle - 1;
    }
  }
  return from;
}
