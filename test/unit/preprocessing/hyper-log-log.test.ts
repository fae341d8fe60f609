import { expect, it } from 'vitest';
import { HyperLogLog } from '../../../services/preprocessing/description/hyper-log-log.js';

/** Halves of a good 64-bit hash of a number. */
function hash(value: number): [low: number, high: number] {
  let x = (BigInt(value) + 1n) * 0x9e3779b97f4a7c15n;
  x = BigInt.asUintN(64, x);
  x = BigInt.asUintN(64, (x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n);
  x = BigInt.asUintN(64, (x ^ (x >> 27n)) * 0x94d049bb133111ebn);
  x ^= x >> 31n;
  return [Number(x & 0xffffffffn), Number(x >> 32n)];
}

it.each([0, 1, 100, 20_000, 60_000, 400_000])(
  'estimates %i distinct values within five standard errors',
  (distinct) => {
    const sketch = new HyperLogLog();
    for (let i = 0; i < distinct; i++) {
      sketch.add(...hash(i));
      // Again, which must not count.
      sketch.add(...hash(i >> 1));
    }
    expect(Math.abs(sketch.estimate() - distinct)).toBeLessThanOrEqual(0.041 * distinct);
  },
);
