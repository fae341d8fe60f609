import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromTimestamp, toTimestamp } from '../../../proto/index.js';

describe('toTimestamp', () => {
  it('counts nanoseconds forward, also before 1970', () => {
    expect(toTimestamp(-1)).toEqual({ seconds: -1, nanos: 999_000_000 });
    expect(toTimestamp(1_500)).toEqual({ seconds: 1, nanos: 500_000_000 });
  });

  it('is undone by fromTimestamp for every millisecond, and keeps nanos in range', () => {
    const day = 86_400_000;
    fc.assert(
      fc.property(fc.integer({ min: -100_000 * day, max: 100_000 * day }), (timeMs) => {
        expect(fromTimestamp(toTimestamp(timeMs))).toBe(timeMs);
      }),
    );
    fc.assert(
      fc.property(fc.double({ min: -1e13, max: 1e13, noNaN: true }), (timeMs) => {
        const { nanos } = toTimestamp(timeMs);
        expect(nanos >= 0 && nanos < 1e9).toBe(true);
      }),
    );
  });

  it('takes an unset timestamp for 1970', () => {
    expect(fromTimestamp({})).toBe(0);
  });
});
