import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValueMap } from '../../../services/pipeline/value-map.js';

describe('ValueMap', () => {
  it('is as a Map, whatever numbers and texts it is asked for', () => {
    const value = fc.oneof(
      fc.integer({ min: -2, max: 300 }),
      fc.double({ noNaN: true }),
      fc.constantFrom(-0, 0.5, 255, 256, '0', '255', ''),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.nat())), fc.array(value), (entries, asked) => {
        const known = new ValueMap<number>();
        const expected = new Map<number | string, number>();
        for (const [key, item] of entries) {
          known.set(key, item);
          expected.set(key, item);
          expect(known.get(key)).toBe(item);
        }
        expect(asked.map((key) => known.get(key))).toEqual(asked.map((key) => expected.get(key)));
        expect([...known]).toEqual([...expected]);
        expect(known.size).toBe(expected.size);
      }),
    );
  });
});
