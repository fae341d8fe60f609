import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeHeaders, type Header, HeaderDecoder } from '../../../../services/platform/http2/hpack.js';
import { decodeHuffman } from '../../../../services/platform/http2/huffman.js';
import { ConnectionError, errorCode } from '../../../../services/platform/http2/protocol.js';
import { root } from '../../../support/mesh.js';

const bytesMax = 65_536;
const golden = JSON.parse(readFileSync(path.join(root, 'test/golden/hpack.json'), 'utf8'));

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const lines = (text: string): Header[] =>
  text.split('\n').map((line) => {
    const colon = line.indexOf(':', 1);
    return [line.slice(0, colon), line.slice(colon + 2)];
  });

function refusal(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ConnectionError);
    return (error as ConnectionError).code;
  }
  return null;
}

describe('RFC 7541, appendix C', () => {
  it.each([
    ['C.2.1', '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header'],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path'],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret'],
    ['C.2.4', '82', ':method: GET'],
  ])('%s: one header', (_, block, header) => {
    expect(new HeaderDecoder().decode(hex(block), bytesMax)).toEqual(lines(header));
  });

  const requests = [
    ':method: GET\n:scheme: http\n:path: /\n:authority: www.example.com',
    ':method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache',
    ':method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value',
  ];
  const late = 'date: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com';
  const responses = [
    `:status: 302\ncache-control: private\n${late}`,
    `:status: 307\ncache-control: private\n${late}`,
    ':status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\n' +
      'content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ];

  it.each([
    [
      'C.3: requests without Huffman',
      '',
      requests,
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4: requests with Huffman',
      '',
      requests,
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
    [
      'C.5: responses without Huffman, a table of 256 bytes',
      '3fe1 01',
      responses,
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d' +
          '546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f' +
          '6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630' +
          '303b 2076 6572 7369 6f6e 3d31',
      ],
    ],
    [
      'C.6: responses with Huffman, a table of 256 bytes',
      '3fe1 01',
      responses,
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7' +
          '8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335' +
          'dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
    ],
  ])('%s', (_, resize, headers, blocks) => {
    const decoder = new HeaderDecoder();
    decoder.decode(hex(resize), bytesMax);
    for (const [index, block] of blocks.entries()) {
      expect(decoder.decode(hex(block), bytesMax)).toEqual(lines(headers[index]!));
    }
    // What is newest in the table now, and that there is nothing beyond its end.
    const [name, value] = lines(headers.at(-1)!).at(-1)!;
    expect(decoder.decode(Buffer.from([0x80 | 62]), bytesMax)).toEqual([[name, value]]);
    expect(refusal(() => decoder.decode(Buffer.from([0x80 | 66]), bytesMax))).toBe(errorCode.compressionError);
  });
});

describe('the encoder of python-hyper', () => {
  it.each([0, 1])('is understood through evictions and changes of its table (%d)', (number) => {
    const decoder = new HeaderDecoder();
    for (const { bytes, headers } of golden.sequences[number]) {
      expect(decoder.decode(Buffer.from(bytes, 'hex'), bytesMax)).toEqual(headers);
    }
  });

  it('has the same Huffman code for every byte', () => {
    const decoded = golden.symbols.map((code: string) => decodeHuffman(Buffer.from(code, 'hex')).charCodeAt(0));
    expect(decoded).toEqual(Array.from({ length: 256 }, (_, symbol) => symbol));
  });
});

describe('Huffman', () => {
  it.each([
    ['is padded with 8 ones', 'f1e3c2e5f23a6ba0ab90f4ffff'],
    ['is padded with a zero', 'f1e3c2e5f23a6ba0ab90f4fe'],
    ['ends within a code', 'fff0'],
    ['holds the end of a string', 'ffffffff'],
  ])('that %s is refused', (_, bytes) => {
    expect(refusal(() => decodeHuffman(Buffer.from(bytes, 'hex')))).toBe(errorCode.compressionError);
  });

  it('of nothing is nothing', () => {
    expect(decodeHuffman(Buffer.alloc(0))).toBe('');
  });
});

describe('a header block', () => {
  it.each([
    ['refers to index 0', '80'],
    ['refers to nothing in the table', 'be'],
    ['takes its name from nothing in the table', '7f 00 01 61'],
    ['ends within an integer', 'ff'],
    ['has an integer of 5 bytes', 'ff 80 80 80 80 01'],
    ['has an integer that never ends', 'ff 80 80 80 80 80 80 80 80 80'],
    ['ends before its name', '40'],
    ['ends within its name', '40 0a 61 62'],
    ['ends before its value', '40 01 61'],
    ['ends within its value', '40 01 61 05 62'],
    ['has a string longer than there is memory', '40 7f ff ff ff 7f 61'],
    ['makes its table larger than allowed', '3f e2 1f'],
    ['resizes its table between headers', '82 20'],
  ])('that %s is refused', (_, block) => {
    expect(refusal(() => new HeaderDecoder().decode(hex(block), bytesMax))).toBe(errorCode.compressionError);
  });

  it('of any bytes is read or refused, in little time and memory', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HeaderDecoder();
        refusal(() => {
          for (const block of blocks) {
            decoder.decode(Buffer.from(block), bytesMax);
          }
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('that is larger than the limit is not kept, but its changes of the table are', () => {
    const decoder = new HeaderDecoder();
    const long = Buffer.concat([hex('40 01 61 7f 81 0f'), Buffer.alloc(2_048, 'x')]);
    expect(decoder.decode(Buffer.concat([long, Buffer.alloc(40, 0xbe)]), bytesMax)).toBeNull();
    expect(decoder.decode(Buffer.from([0xbe]), bytesMax)).toEqual([['a', 'x'.repeat(2_048)]]);
  });

  it('that clears the table is not taken for the same block before', () => {
    const decoder = new HeaderDecoder();
    const first = hex('40 01 61 01 62');
    const second = hex('40 01 63 01 64');
    decoder.decode(first, bytesMax);
    expect([1, 2].map(() => decoder.decode(hex('be'), bytesMax))).toEqual([[['a', 'b']], [['a', 'b']]]);
    decoder.decode(second, bytesMax);
    expect([1, 2].map(() => decoder.decode(hex('be'), bytesMax))).toEqual([[['c', 'd']], [['c', 'd']]]);
    decoder.decode(hex('20'), bytesMax);
    expect(refusal(() => decoder.decode(hex('be'), bytesMax))).toBe(errorCode.compressionError);
  });

  it('that is larger than the whole table empties it', () => {
    const decoder = new HeaderDecoder();
    decoder.decode(hex('40 01 61 01 62'), bytesMax);
    decoder.decode(Buffer.concat([hex('40 01 61 7f 81 1f'), Buffer.alloc(4_096, 'x')]), bytesMax);
    expect(refusal(() => decoder.decode(hex('be'), bytesMax))).toBe(errorCode.compressionError);
  });

  it('that is written here is read here', () => {
    const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    const lengths = fc.constantFrom(0, 126, 127, 128, 254, 255, 256, 20_000).map((length) => 'v'.repeat(length));
    const pool = fc.constantFrom<Header>([':status', '200'], [':path', '/'], ['content-type', 'application/grpc']);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.tuple(latin1, fc.oneof(latin1, lengths)), pool), { maxLength: 3 }),
        (headers) => {
          expect(new HeaderDecoder().decode(encodeHeaders(headers), bytesMax)).toEqual(headers);
        },
      ),
    );
  });
});
