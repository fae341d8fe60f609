import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../../../services/platform/http2/frame-reader.js';
import { HeaderBlocks } from '../../../../services/platform/http2/header-blocks.js';
import { ConnectionError, errorCode, frameFlag, writeFrameHead } from '../../../../services/platform/http2/protocol.js';
import { cutsOf, cutting } from '../../../support/cuttings.js';

interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

function encode({ type, flags, stream, payload }: Frame): Buffer {
  const head = Buffer.alloc(9);
  writeFrameHead(head, 0, payload.length, type, flags, stream);
  return Buffer.concat([head, payload]);
}

/** Buffers as they are take long to compare. */
function inWords({ type, flags, stream, payload }: Frame): string {
  return `${type} ${flags} ${stream} ${payload.toString('base64')}`;
}

/** @returns the frames, and the code of the error that ended them, if there was one */
function readAll(chunks: readonly Buffer[]): { frames: Frame[]; code: number | null } {
  const frames: Frame[] = [];
  const reader = new FrameReader((type, flags, stream, payload) => {
    frames.push({ type, flags, stream, payload: Buffer.from(payload) });
  });
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(ConnectionError);
    return { frames, code: (error as ConnectionError).code };
  }
  return { frames, code: null };
}

const lengths = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom(16_383, 16_384), fc.nat(16_384));
const frames: fc.Arbitrary<Frame[]> = fc.array(
  fc
    .tuple(fc.nat(255), fc.nat(255), fc.nat(2 ** 31 - 1), lengths, fc.nat(255))
    .map(([type, flags, stream, length, fill]) => ({ type, flags, stream, payload: Buffer.alloc(length, fill) })),
  { maxLength: 6 },
);

describe('a frame', () => {
  it('over 16 KiB is refused as soon as its head is there, after the frames before it', () => {
    const before = encode({ type: 6, flags: 0, stream: 0, payload: Buffer.alloc(8) });
    const head = Buffer.alloc(9);
    writeFrameHead(head, 0, 16_385, 0, 0, 1);
    const bytes = Buffer.concat([before, head]);
    for (const chunks of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
      expect(readAll(chunks)).toMatchObject({ frames: [{ type: 6 }], code: errorCode.frameSizeError });
    }
  });

  it('of a reserved bit is read as without it', () => {
    const bytes = encode({ type: 0, flags: 0, stream: 0x8000_0005, payload: Buffer.alloc(0) });
    expect(readAll([bytes]).frames[0]!.stream).toBe(5);
  });

  it('is the same however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, cutting, (sent, cut) => {
        const read = readAll(cutsOf(Buffer.concat(sent.map(encode)), cut));
        expect(read.frames.map(inWords)).toEqual(sent.map(inWords));
        expect(read.code).toBeNull();
      }),
      { numRuns: 300 },
    );
  });
});

describe('headers in several frames', () => {
  const begin = (blocks: HeaderBlocks, flags: number, payload: string) =>
    blocks.begin(flags, 1, Buffer.from(payload, 'hex'));

  it('are put together', () => {
    const blocks = new HeaderBlocks();
    expect(begin(blocks, frameFlag.endStream, '01')).toBeNull();
    expect(blocks.continue(0, Buffer.from([2]))).toBeNull();
    const block = blocks.continue(frameFlag.endHeaders, Buffer.from([3]));
    expect(block).toEqual({ stream: 1, isLast: true, bytes: Buffer.from([1, 2, 3]) });
    expect(() => blocks.expectContinuation(9, 1)).toThrow('no CONTINUATION without HEADERS');
  });

  it.each([
    ['as padding and priority', 0x2c, '02 80000003 ff 0102 0000', '0102'],
    ['as padding only', 0x0c, '01 0102 00', '0102'],
    ['as nothing', 0x2c, '00 80000003 ff', ''],
  ])('are stripped of what comes beside them, %s', (_, flags, payload, bytes) => {
    const block = begin(new HeaderBlocks(), flags, payload.replaceAll(' ', ''));
    expect(block!.bytes.toString('hex')).toBe(bytes);
  });

  it.each([
    ['are all padding', 0x0c, '05 01020304', errorCode.protocolError],
    ['lack the length of their padding', 0x0c, '', errorCode.protocolError],
    ['lack their priority', 0x24, '00000003', errorCode.frameSizeError],
    ['depend on their own stream', 0x24, '0000000110', errorCode.protocolError],
  ])('that %s end the connection', (_, flags, payload, code) => {
    expect(() => begin(new HeaderBlocks(), flags, payload.replaceAll(' ', ''))).toThrow(
      expect.objectContaining({ code, constructor: ConnectionError }),
    );
  });

  it('that never end are refused, also when their frames are empty', () => {
    const blocks = new HeaderBlocks();
    begin(blocks, 0, '');
    let count = 0;
    expect(() => {
      for (; count < 100_000; count++) {
        blocks.continue(0, Buffer.alloc(0));
      }
    }).toThrow(expect.objectContaining({ code: errorCode.enhanceYourCalm }));
    expect(count).toBeLessThan(10_000);
  });
});
