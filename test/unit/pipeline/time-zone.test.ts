import { describe, expect, it } from 'vitest';
import { isTimeZone, readTimeZone, wallClock } from '../../../services/pipeline/time-zone.js';

const shown = (zone: string, utc: string) => wallClock(readTimeZone(zone))(Date.parse(utc)).toISOString();

describe('a time zone', () => {
  it('is a name of the IANA database', () => {
    expect(['Europe/Berlin', 'UTC', 'America/Argentina/Ushuaia'].map(isTimeZone)).toEqual([true, true, true]);
    expect(['', 'Europe/Berln', '+02:00', 'Berlin', 'Europe/Berlin '].map(isTimeZone)).toEqual(Array(5).fill(false));
  });

  it('skips an hour in spring and has one twice in autumn', () => {
    expect(shown('Europe/Berlin', '2024-03-31T00:59:59.999Z')).toBe('2024-03-31T01:59:59.999Z');
    expect(shown('Europe/Berlin', '2024-03-31T01:00:00Z')).toBe('2024-03-31T03:00:00.000Z');
    expect(shown('Europe/Berlin', '2024-10-27T00:30:00Z')).toBe('2024-10-27T02:30:00.000Z');
    expect(shown('Europe/Berlin', '2024-10-27T01:30:00Z')).toBe('2024-10-27T02:30:00.000Z');
  });

  it('knows the shortest summer time', () => {
    const days = ['2000-10-08T03:59:59Z', '2000-10-08T04:00:00Z', '2000-10-15T02:59:59Z', '2000-10-15T03:00:00Z'];
    expect(days.map((day) => shown('America/Boa_Vista', day).slice(8, 19))).toEqual([
      '07T23:59:59',
      '08T01:00:00',
      '14T23:59:59',
      '14T23:00:00',
    ]);
  });

  it('reaches from local mean time, which has seconds, to where changes are not foreseen', () => {
    expect(shown('Europe/Berlin', '1700-06-01T12:00:00Z')).toBe('1700-06-01T12:53:28.000Z');
    expect(shown('Europe/Berlin', '2100-07-01T12:00:00Z')).toBe('2100-07-01T14:00:00.000Z');
    expect(shown('Europe/Berlin', '2150-07-01T12:00:00Z')).toBe('2150-07-01T13:00:00.000Z');
  });

  it('refuses offsets that are not in order', () => {
    const offsets: [number, number][] = [
      [5, 0],
      [5, 3_600],
    ];
    expect(() => wallClock({ name: 'X', offsets })).toThrow('must be in order');
  });
});
