import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../services/gateway/json.js';

const parse = (text: string) => parseJson(Buffer.from(text));

describe('parseJson', () => {
  it('refuses what is not JSON, with and without long integers', () => {
    expect(() => parse('')).toThrow(/not JSON/);
    expect(() => parse('{"a": NaN}')).toThrow(/not JSON/);
    expect(() => parse('[12345678901234567890, ]')).toThrow(/not JSON/);
    expect(() => parse('[012345678901234567890]')).toThrow(/not JSON/);
  });

  it('keeps integers that a double would round, and nothing else, as bigint', () => {
    expect(parse('[9007199254740993,-18446744073709551616,9007199254740991,0.1234567890123456]')).toEqual([
      9007199254740993n,
      -18446744073709551616n,
      9007199254740991,
      0.1234567890123456,
    ]);
    expect(parse('{"a":1e300,"b":"12345678901234567890","c":12345678901234567890.0}')).toEqual({
      a: 1e300,
      b: '12345678901234567890',
      c: 12345678901234567000,
    });
  });

  it('reads what JSON.stringify writes, beside a long integer too', () => {
    const json = fc.json().filter((text) => !/\d{16}|__proto__/.test(text));
    fc.assert(
      fc.property(json, (text) => {
        expect(parse(text)).toEqual(JSON.parse(text));
        expect(parse(`[9007199254740993,${text}]`)).toEqual([9007199254740993n, JSON.parse(text)]);
      }),
    );
  });
});
