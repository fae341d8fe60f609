import { describe, expect, it } from 'vitest';
import { readCallHead } from '../../../services/platform/call-head.js';
import type { Header } from '../../../services/platform/http2/hpack.js';
import { StreamError } from '../../../services/platform/http2/protocol.js';

const pseudo: Header[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a.B/C'],
];

describe('headers that RFC 9113 does not allow', () => {
  it.each<[string, Header[]]>([
    ['no method', pseudo.slice(1)],
    ['no scheme', [pseudo[0]!, pseudo[2]!]],
    ['no path', pseudo.slice(0, 2)],
    ['an empty path', [...pseudo.slice(0, 2), [':path', '']]],
    ['one pseudo-header twice', [...pseudo, pseudo[0]!]],
    ['one of a response', [...pseudo, [':status', '200']]],
    ['one that is unknown', [...pseudo, [':x', '1']]],
    ['a pseudo-header after others', [...pseudo.slice(0, 2), ['a', 'b'], pseudo[2]!]],
    ['a name in upper case', [...pseudo, ['Abc', '1']]],
    ['an empty name', [...pseudo, ['', '1']]],
    ['a name with a space', [...pseudo, ['a b', '1']]],
    ['a name with a colon', [...pseudo, ['a:b', '1']]],
    ['a name outside ASCII', [...pseudo, ['\u00e4', '1']]],
    ['a value with NUL', [...pseudo, ['a', '\0']]],
    ['a value with a line', [...pseudo, ['a', 'b\r\nc: d']]],
    ['a path with a line', [...pseudo.slice(0, 2), [':path', '/\n']]],
    ['a header of the connection', [...pseudo, ['connection', 'close']]],
    ['transfer-encoding', [...pseudo, ['transfer-encoding', 'chunked']]],
    ['te other than trailers', [...pseudo, ['te', 'gzip']]],
  ])('are refused: %s', (_, headers) => {
    expect(() => readCallHead(headers)).toThrow(StreamError);
  });
});

describe('grpc-timeout', () => {
  const timeoutOf = (text: string) => readCallHead([...pseudo, ['grpc-timeout', text]]).timeoutMs;

  it.each(['', '1', 'S', '1s', '-1S', '1.5S', ' 1S', '1S ', '123456789S', '1SS', '0x1S', '\u0661S'])(
    'cannot be %j',
    (text) => expect(timeoutOf(text)).toBeNaN(),
  );

  it.each([
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['4S', 4_000],
    ['5m', 5],
    ['6u', 0.006],
    ['7n', 0.000_007],
    ['0n', 0],
    ['99999999H', 99_999_999 * 3_600_000],
  ])('%s is %d ms', (text, ms) => expect(timeoutOf(text)).toBeCloseTo(ms, 12));

  it('is not needed', () => {
    expect(readCallHead([...pseudo]).timeoutMs).toBeNull();
  });
});

describe('content-type', () => {
  it.each([
    ['application/grpc', true],
    ['application/grpc+proto', true],
    ['application/grpc;charset=utf-8', true],
    ['application/grpc-web', false],
    ['application/json', false],
  ])('%s', (type, isGrpc) => {
    expect(readCallHead([...pseudo, ['content-type', type]]).isGrpc).toBe(isGrpc);
  });
});
