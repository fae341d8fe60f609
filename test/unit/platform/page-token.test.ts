import { describe, expect, it } from 'vitest';
import { decodePageToken, encodePageToken, pageSize, toPage } from '../../../services/platform/page-token.js';

describe('pageSize', () => {
  it.each([-1, 1_001, 1.5, Number.NaN])('refuses %d', (size) => {
    expect(() => pageSize(size)).toThrow(/page_size/);
  });

  it('takes what is in range; 0 is the default', () => {
    expect([0, 1, 1_000].map(pageSize)).toEqual([100, 1, 1_000]);
  });
});

describe('decodePageToken', () => {
  it.each(['x', '!', Buffer.from('null').toString('base64url'), Buffer.from('{}').toString('base64url')])(
    'refuses %j, which nobody was given',
    (token) => {
      expect(() => decodePageToken(token, 'number')).toThrow(/page_token/);
    },
  );

  it('refuses the token of another kind of list', () => {
    expect(() => decodePageToken(encodePageToken('mnist'), 'number')).toThrow(/page_token/);
    expect(() => decodePageToken(encodePageToken(7), 'string')).toThrow(/page_token/);
  });

  it('gives back the position, and null for an empty token', () => {
    expect(decodePageToken(encodePageToken('grüße'), 'string')).toBe('grüße');
    expect(decodePageToken(encodePageToken(7), 'number')).toBe(7);
    expect(decodePageToken('', 'number')).toBeNull();
  });
});

describe('toPage', () => {
  it('has no token on the last page', () => {
    expect(toPage([1, 2], 2, (row) => row)).toEqual([[1, 2], '']);
    expect(toPage([], 2, (row) => row)).toEqual([[], '']);
  });

  it('splits off the row that is too many and points to the last one shown', () => {
    const [rows, token] = toPage([1, 2, 3], 2, (row) => row);
    expect(rows).toEqual([1, 2]);
    expect(decodePageToken(token, 'number')).toBe(2);
  });
});
