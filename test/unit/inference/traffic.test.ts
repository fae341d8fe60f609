import { describe, expect, it } from 'vitest';
import { routingHash } from '../../../services/inference/routing-hash.js';
import { EvenSpread, TrafficSplit } from '../../../services/inference/traffic.js';

const keys = Array.from({ length: 10_000 }, (_, i) => `user-${i}`);

/** Every target answers with its own name. */
function split(weights: Record<string, number>, start = 0): TrafficSplit<string> {
  const targets = Object.entries(weights).map(([target, weight]) => ({ target, weight, version: target }));
  return new TrafficSplit(targets, new EvenSpread(start));
}

function count(choices: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const choice of choices) {
    counts[choice] = (counts[choice] ?? 0) + 1;
  }
  return counts;
}

const choicesOf = (of: TrafficSplit<string>, all = keys) => all.map((key) => of.choose(key));

describe('routingHash', () => {
  // Vectors of MurmurHash3_x86_32 over the bytes of the text in UTF-16LE.
  it.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['\uffff\uffff', 0, 0x76293b50],
    ['\u4321\u8765', 0, 0xf55b516b],
    ['\u4321\u8765', 0x5082edee, 0x2362f9de],
    ['\u4321', 0, 0xa0f7b07a],
    ['\0\0', 0, 0x2362f9de],
    ['\0', 0, 0x30f4c306],
  ])('gives %j with seed %d as others do', (text, seed, hash) => {
    expect(routingHash(text, seed)).toBe(hash);
  });
});

describe('TrafficSplit with a key', () => {
  it.each<Record<string, number>>([
    { champion: 90, candidate: 10 },
    { champion: 1, candidate: 1 },
    { '1': 5, '2': 3, '3': 2 },
    { a: 10_000, b: 1 },
  ])('gives each target its share of 10,000 keys: %j', (weights) => {
    const counts = count(choicesOf(split(weights)));
    const sum = Object.values(weights).reduce((a, b) => a + b);
    for (const [target, weight] of Object.entries(weights)) {
      // Two points: 10,000 keys at 50 % have a standard deviation of half a point.
      expect(Math.abs((counts[target] ?? 0) / keys.length - weight / sum)).toBeLessThan(0.02);
    }
  });

  it.each([
    ['numbers', Array.from({ length: 10_000 }, (_, i) => String(i))],
    [
      'UUIDs',
      Array.from({ length: 10_000 }, (_, i) => `5f0c${String(i).padStart(4, '0')}-7d1e-4a6b-9c3f-0242ac120002`),
    ],
    ['long keys', Array.from({ length: 10_000 }, (_, i) => `${'tenant/'.repeat(20)}${i}`)],
  ])('spreads %s as well', (_, others) => {
    expect(count(choicesOf(split({ a: 80, b: 20 }), others)).b! / others.length).toBeCloseTo(0.2, 1.7);
  });

  it('always gives the same version, whatever came between, in every process', () => {
    const one = choicesOf(split({ champion: 90, candidate: 10 }));
    const other = split({ candidate: 10, champion: 90 }, 0.7);
    other.choose('');
    expect(choicesOf(other, keys.toReversed()).reverse()).toEqual(one);
  });

  it('stays as it is after an upgrade', () => {
    const chosen = choicesOf(split({ champion: 1, candidate: 1 }), keys.slice(0, 16));
    expect(chosen.map((target) => target[1]).join('')).toBe('ahahaaahhhahaaha');
  });

  it.each([
    [{ a: 90, b: 10 }, { a: 80, b: 20 }, 0.1],
    [{ a: 50, b: 30, c: 20 }, { a: 50, b: 30, c: 40 }, 4 / 12 - 2 / 10],
    [{ a: 1, b: 1 }, { a: 1, b: 1, c: 2 }, 0.5],
  ] as [Record<string, number>, Record<string, number>, number][])(
    'moves only the keys that must move: %j to %j',
    (before, after, share) => {
      const [was, is] = [choicesOf(split(before)), choicesOf(split(after))];
      const moves = was.flatMap((from, i) => (from === is[i] ? [] : [{ from, to: is[i]! }]));
      expect(moves.length / keys.length).toBeLessThan(share + 0.02);
      expect(new Set(moves.map(({ to }) => to)).size).toBe(1);
    },
  );

  it('moves no key away from a target that gained weight, or to one that lost', () => {
    const was = choicesOf(split({ a: 50, b: 30, c: 20 }));
    const is = choicesOf(split({ a: 40, b: 30, c: 30 }));
    const moves = was.flatMap((from, i) => (from === is[i] ? [] : [`${from} to ${is[i]}`]));
    expect(new Set(moves)).toEqual(new Set(['a to b', 'a to c', 'b to c']));
    expect(moves.length / keys.length).toBeLessThan(0.15);
  });

  it('shares out the keys of a target that is gone, and moves no others', () => {
    const whole = choicesOf(split({ a: 50, b: 30, c: 20 }));
    const rest = choicesOf(split({ a: 50, c: 20 }));
    const orphans = rest.filter((target, i) => {
      expect(whole[i] === 'b' || whole[i] === target).toBe(true);
      return whole[i] === 'b';
    });
    expect(Math.abs(count(orphans).a! / orphans.length - 5 / 7)).toBeLessThan(0.03);
  });
});

describe('TrafficSplit without a key', () => {
  it.each([0, 0.123, 0.5, 0.999])('is right to two of every hundred requests, begun at %d', (start) => {
    const even = split({ champion: 80, candidate: 15, other: 5 }, start);
    for (let round = 0; round < 50; round++) {
      const counts = count(Array.from({ length: 100 }, () => even.choose('')));
      expect(Math.abs(counts.champion! - 80)).toBeLessThanOrEqual(2);
      expect(Math.abs(counts.candidate! - 15)).toBeLessThanOrEqual(2);
      expect(Math.abs(counts.other! - 5)).toBeLessThanOrEqual(2);
    }
  });

  it('gives callers that take turns their share too', () => {
    const even = split({ a: 1, b: 1 });
    const everySecond = Array.from({ length: 2_000 }, () => even.choose('')).filter((_, i) => i % 2 === 0);
    expect(Math.abs(count(everySecond).a! - 500)).toBeLessThan(10);
  });

  it('gives all to the only target', () => {
    expect(count(choicesOf(split({ a: 3 }), ['', 'x', '']))).toEqual({ a: 3 });
  });
});
