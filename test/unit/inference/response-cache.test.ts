import { describe, expect, it } from 'vitest';
import { ResponseCache } from '../../../services/inference/response-cache.js';

const bytes = (...values: number[]) => Uint8Array.from(values);

describe('ResponseCache', () => {
  it('keeps nothing that is larger than itself', () => {
    const cache = new ResponseCache(300);
    cache.set('a', [new Uint8Array(400)]);
    expect(cache.get('a')).toBeNull();
    expect(cache.sizeBytes).toBe(0);
  });

  it('makes room by what was not asked for longest', () => {
    const cache = new ResponseCache(650);
    for (const key of ['a', 'b', 'c']) {
      cache.set(key, [bytes(1)]);
    }
    cache.get('a');
    cache.set('d', [bytes(1)]);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== null)).toEqual([true, false, true, true]);
  });

  it('keeps a copy, since an answer is a view of a batch', () => {
    const cache = new ResponseCache(1_000);
    const batch = bytes(1, 2, 3);
    cache.set('a', [batch.subarray(1, 2)]);
    batch.fill(9);
    const [kept] = cache.get('a')!;
    expect([...kept!]).toEqual([2]);
    expect(kept!.buffer.byteLength).toBe(1);
  });

  it('tells inputs apart by where one ends and the next begins', () => {
    const keys = [[bytes(1, 2), bytes(3)], [bytes(1), bytes(2, 3)], [bytes(1, 2, 3)], [bytes(3), bytes(1, 2)]].map(
      (inputs) => ResponseCache.key(inputs),
    );
    expect(new Set(keys).size).toBe(4);
  });
});
