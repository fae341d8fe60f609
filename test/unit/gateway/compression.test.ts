import { describe, expect, it } from 'vitest';
import { chooseEncoding } from '../../../services/gateway/compression.js';

describe('chooseEncoding', () => {
  it.each([
    [undefined, null],
    ['', null],
    ['identity', null],
    ['br, zstd', null],
    ['gzip;q=0', null],
    ['gzip;q=x', null],
    ['gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['GZip', 'gzip'],
    ['deflate, gzip', 'deflate'],
    ['deflate;q=0.5, gzip;q=0.8', 'gzip'],
    ['*', 'gzip'],
    ['gzip;q=0, deflate', 'deflate'],
  ])('of %j is %j', (header, encoding) => {
    expect(chooseEncoding(header)).toBe(encoding);
  });
});
