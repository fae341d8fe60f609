import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTexts, type FeatureColumn, Moments, type TextColumn, writeFeatures } from '../../native/index.js';

const every = (length: number) => Int32Array.from({ length }, (_, i) => i);

function textsOf(texts: readonly string[], validity: Uint8Array | null = null): TextColumn {
  const offsets = new Int32Array(texts.length + 1);
  for (const [i, text] of texts.entries()) {
    offsets[i + 1] = offsets[i]! + Buffer.byteLength(text);
  }
  return { bytes: Buffer.from(texts.join('')), offsets, validity };
}

describe('writeFeatures', () => {
  const numbers: FeatureColumn = {
    values: Float64Array.of(1, 2, 3),
    validity: null,
    filling: null,
    steps: Float64Array.of(1, 2),
    offset: 0,
  };
  const { bytes: categoryBytes, offsets: categoryOffsets } = textsOf(['a', 'bc']);
  const categories = { ...textsOf(['bc', 'x', 'a']), categoryBytes, categoryOffsets, hasUnseen: true, offset: 1 };

  it.each<[string, FeatureColumn[], Int32Array, Float32Array | null, string]>([
    ['a row beyond a column', [numbers], Int32Array.of(3), null, '`rows`'],
    ['a negative row', [numbers], Int32Array.of(-1), null, '`rows`'],
    ['a target of another size', [numbers], every(3), new Float32Array(11), '`target`'],
    ['a feature beyond the row', [{ ...numbers, offset: 4 }], every(3), null, '`columns[0].offset`'],
    ['categories beyond the row', [{ ...categories, offset: 2 }], every(3), null, '`columns[0].offset`'],
    ['too few bits', [{ ...numbers, validity: new Uint8Array(0) }], every(3), null, '`columns[0].validity`'],
    ['offsets that fall', [{ ...categories, offsets: Int32Array.of(0, 2, 1, 4) }], every(3), null, 'offsets`'],
    ['offsets beyond the bytes', [{ ...categories, offsets: Int32Array.of(0, 2, 3, 9) }], every(3), null, 'offsets`'],
    ['values that are no numbers', [{ ...numbers, values: 'x' as never }], every(3), null, '`columns[0].bytes`'],
  ])('refuses %s', (_, columns, rows, target, field) => {
    expect(() => writeFeatures(columns, rows, target, 4)).toThrow(field);
  });

  it('writes numbers and categories side by side, for the rows asked for', async () => {
    const target = new Float32Array(8).fill(7);
    expect(await writeFeatures([numbers, categories], Int32Array.of(2, 1), target, 4)).toBe(true);
    expect([...target]).toEqual([1, 1, 0, 0, 0.5, 0, 0, 1]);
  });

  it.each<[string, Partial<FeatureColumn>]>([
    ['a missing number', { validity: Uint8Array.of(0b101) }],
    ['a number too large for float32', { values: Float64Array.of(1, 1e300, 1) }],
    ['an integer beyond 2^53', { values: BigInt64Array.of(1n, 2n ** 60n, 1n) }],
    ['one below', { values: BigInt64Array.of(1n, -(2n ** 60n), 1n) }],
    ['an unsigned one', { values: BigUint64Array.of(1n, 2n ** 63n, 1n) }],
  ])('answers that %s cannot be written', async (_, change) => {
    const column = { ...numbers, ...change } as FeatureColumn;
    expect(await writeFeatures([column], every(3), null, 1)).toBe(false);
    expect(await writeFeatures([column], Int32Array.of(0, 2), null, 1)).toBe(true);
  });

  it('answers that a missing text cannot be written', async () => {
    const column = { ...categories, validity: Uint8Array.of(0b110) };
    expect(await writeFeatures([column], every(3), null, 4)).toBe(false);
  });
});

describe('countTexts', () => {
  it('refuses a row beyond the column', () => {
    expect(() => countTexts(textsOf(['a']), Int32Array.of(1))).toThrow('`rows`');
  });

  it('counts short, long and empty texts among the rows that have one', () => {
    const long = 'a category of more than eight bytes';
    const texts = ['b', long, '', 'b', `${long}!`, long, '\0', 'missing', ''];
    const column = textsOf(texts, Uint8Array.of(0b01111111, 1));
    expect([...countTexts(column, every(texts.length))]).toEqual([0, 2, 1, 2, 2, 2, 4, 1, 6, 1]);
    expect([...countTexts(column, Int32Array.of(5, 7, 1))]).toEqual([5, 2]);
  });

  it('counts as many as there are', () => {
    const texts = Array.from({ length: 5_000 }, (_, i) => `${i % 1_000}`);
    const counts = countTexts(textsOf(texts), every(texts.length));
    expect([...counts]).toEqual(Array.from({ length: 1_000 }, (_, i) => [i, 5]).flat());
  });
});

describe('Moments', () => {
  const momentsOf = (...parts: Float64Array[]) => {
    const moments = new Moments();
    for (const part of parts) {
      moments.add(part);
    }
    return moments.finish();
  };

  it('are the same bits however the numbers are cut', () => {
    const numbers = Float64Array.from({ length: 10_000 }, (_, i) => Math.sin(i) * 10 ** (i % 7));
    const whole = momentsOf(numbers);
    fc.assert(
      fc.property(fc.array(fc.nat(numbers.length), { maxLength: 8 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), numbers.length];
        const parts = places.slice(1).map((to, i) => numbers.subarray(places[i], to));
        expect(momentsOf(...parts)).toEqual(whole);
      }),
    );
  });

  it('keep a small spread around a large mean, in blocks and between them', () => {
    const numbers = Float64Array.from({ length: 8_192 }, (_, i) => 1e9 + (i < 4_096 ? i % 2 : 10 + (i % 2)));
    const { count, minimum, maximum, mean, squares } = momentsOf(numbers);
    expect([count, minimum, maximum, mean]).toEqual([8_192, 1e9, 1e9 + 11, 1e9 + 5.5]);
    // Variance: a quarter within the halves, and 25 between them. Both are sums of small multiples of a quarter.
    expect(squares).toBe(8_192 * 25.25);
  });

  it('keep what a sum would lose', () => {
    expect(momentsOf(Float64Array.of(1e16, 1, -1e16, 1, 1, 1, 1, 1, 1, 1)).mean).toBe(0.8);
  });

  it('have no spread where all numbers are the same', () => {
    expect(momentsOf(new Float64Array(5_000).fill(0.1))).toMatchObject({ mean: 0.1, squares: 0 });
  });

  it('of no number are no mean', () => {
    expect(momentsOf()).toEqual({ count: 0, minimum: Infinity, maximum: -Infinity, mean: Number.NaN, squares: 0 });
  });

  it('refuse what is no array of numbers', () => {
    expect(() => new Moments().add([1] as never)).toThrow();
  });
});
