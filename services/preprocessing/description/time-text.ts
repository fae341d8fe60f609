import type { TimeChunk } from '../../pipeline/index.js';

const digitsAfterSecond = { second: 0, millisecond: 3, microsecond: 6, nanosecond: 9 } as const;
/** Date's own range: 100 million days around 1970. */
const secondsMax = 8_640_000_000_000n;

/**
 * A point in time as ISO 8601, in UTC or the wall clock's time, with as many digits as its unit has: `2026-11-30` for days,
 * `2026-11-30T10:15:00.250` for milliseconds. A year beyond Date's range leaves the bare number.
 */
export function timeText(value: bigint, unit: TimeChunk['unit']): string {
  if (unit === 'day') {
    const milliseconds = Number(value) * 86_400_000;
    return Math.abs(milliseconds) <= 8.64e15 ? new Date(milliseconds).toISOString().replace(/T.*/, '') : String(value);
  }
  const digits = digitsAfterSecond[unit];
  const scale = 10n ** BigInt(digits);
  // Rounded down, before 1970 too.
  const fraction = ((value % scale) + scale) % scale;
  const seconds = (value - fraction) / scale;
  if (seconds > secondsMax || seconds < -secondsMax) {
    return String(value);
  }
  const text = new Date(Number(seconds) * 1_000).toISOString().replace(/\.000Z$/, '');
  return digits === 0 ? text : `${text}.${String(fraction).padStart(digits, '0')}`;
}
