import { describe, expect, it } from 'vitest';
import { clip, invalidFields, isDiskFull, quote, ServiceError, Violations } from '../../../services/platform/errors.js';

describe('Violations', () => {
  it('throws nothing when nothing was noted', () => {
    const violations = new Violations();
    expect(violations.check(true, 'seed', 'an integer', 1)).toBe(true);
    violations.throwIfAny();
  });

  it('throws all that was noted, with what was expected and what came', () => {
    const violations = new Violations();
    expect(violations.check(false, 'batch_size', 'a positive integer', -3)).toBe(false);
    violations.add('loss', 'Expected `loss` to be set.');
    expect(() => violations.throwIfAny()).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        reason: 'INVALID_FIELD',
        message: 'Expected `batch_size` to be a positive integer but received -3. Expected `loss` to be set.',
        fieldViolations: [
          { field: 'batch_size', description: 'Expected `batch_size` to be a positive integer but received -3.' },
          { field: 'loss', description: 'Expected `loss` to be set.' },
        ],
      }),
    );
  });
});

describe('invalidFields', () => {
  it('shows the first few in the message and keeps all', () => {
    const error = invalidFields(Array.from({ length: 8 }, (_, i) => ({ field: `f${i}`, description: `D${i}.` })));
    expect(error.message).toBe('D0. D1. D2. D3. D4. And 3 more.');
    expect(error.fieldViolations).toHaveLength(8);
  });
});

describe('quote', () => {
  it.each<[unknown, string]>([
    ['a "b"', '"a \\"b\\""'],
    [Number.NaN, 'NaN'],
    [12n, '12'],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [[1, 'a'], '[1,"a"]'],
  ])('shows %s', (value, text) => {
    expect(quote(value)).toBe(text);
  });

  it('cuts long values', () => {
    expect(quote('x'.repeat(1_000))).toHaveLength(120);
  });
});

describe('clip', () => {
  it('never leaves half a character: grpc-js cannot send one', () => {
    for (const length of [10, 11]) {
      expect(() => encodeURI(clip('\u{1f680}'.repeat(10), length))).not.toThrow();
    }
    expect(clip('a\ud800b', 10)).toBe('a\ufffdb');
    expect(clip('\u{1f680}', 2)).toBe('\u{1f680}');
  });
});

describe('isDiskFull', () => {
  it('knows the codes of the system and of SQLite', () => {
    for (const code of ['ENOSPC', 'EDQUOT', 'SQLITE_FULL']) {
      expect(isDiskFull(Object.assign(new Error(code), { code }))).toBe(true);
    }
    expect(isDiskFull(Object.assign(new Error('x'), { code: 'EIO' }))).toBe(false);
    expect(isDiskFull(new ServiceError('INTERNAL', 'X', 'x'))).toBe(false);
    expect(isDiskFull('ENOSPC')).toBe(false);
  });
});
