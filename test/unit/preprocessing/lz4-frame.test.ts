import { describe, expect, it } from 'vitest';
import { decodeLz4Frame } from '../../../services/preprocessing/lz4-frame.js';
import { openChecksums } from '../../../services/preprocessing/xxhash.js';

const { xxHash32 } = await openChecksums();
const decode = (bytes: Uint8Array, sizeBytes: number) => decodeLz4Frame(bytes, sizeBytes, xxHash32);

/** A frame of blocks, with the flags that are given. */
function frame(blocks: number[][], { flags = 0x60, sizes = [] as number[], end = [0, 0, 0, 0] } = {}): Uint8Array {
  const parts = blocks.flatMap((block) => [block.length, 0, 0, 0, ...block]);
  const descriptor = [flags, 0x40, ...sizes];
  const checksum = (xxHash32(Uint8Array.from(descriptor)) >>> 8) & 255;
  return Uint8Array.from([0x04, 0x22, 0x4d, 0x18, ...descriptor, checksum, ...parts, ...end]);
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const [a, b, c] = [97, 98, 99];

describe('decodeLz4Frame', () => {
  it('copies literals, and matches that overlap what they write', () => {
    // "abc", then 19 + 10 bytes from 3 before, then "c".
    const block = [0x3f, a, b, c, 3, 0, 10, 0x10, c];
    expect(text(decode(frame([block]), 33))).toBe(`${'abc'.repeat(11).slice(0, 32)}c`);
  });

  it('lets a match begin in a block before, and takes blocks as they are', () => {
    // At the end 4 bytes from 4 before, then one literal.
    const whole = frame([[0x20, a, b]], {
      flags: 0x40,
      end: [2, 0, 0, 0x80, c, c, 5, 0, 0, 0, 0x00, 4, 0, 0x10, c, 0, 0, 0, 0],
    });
    expect(text(decode(whole, 9))).toBe('abccabccc');
  });

  it('reads the length', () => {
    const bytes = frame([[0x20, a, b]], { flags: 0x68, sizes: [2, 0, 0, 0, 0, 0, 0, 0] });
    expect(text(decode(bytes, 2))).toBe('ab');
    expect(() => decode(bytes, 3)).toThrow('it says another length than 3');
  });

  // printf 'millrace millrace millrace\n' | lz4 -B4 -BX --content-size (lz4 1.9.4): a checksum of the block and one of the content.
  const whole = Buffer.from(
    '04224d187c401b000000000000009812000000996d696c6c7261636520090050726163650ac4b7cd02000000001f0fc45e',
    'hex',
  );

  it('finds the checksums right that lz4 has written', () => {
    expect(text(decode(whole, 27))).toBe('millrace millrace millrace\n');
  });

  it.each([
    [6, 'it says another length than 27'],
    [14, 'its beginning does not have its checksum: it is damaged'],
    [20, 'a block does not have its checksum: it is damaged'],
    [37, 'a block does not have its checksum: it is damaged'],
    [48, 'its content does not have its checksum: it is damaged'],
  ])('refuses another byte %i', (place, message) => {
    const damaged = Uint8Array.from(whole);
    damaged[place]! ^= 1;
    expect(() => decode(damaged, 27)).toThrow(message);
  });

  it.each<[string, Uint8Array, number, string]>([
    ['nothing', new Uint8Array(), 0, 'it is no LZ4 frame'],
    ['another magic', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0, 'it is no LZ4 frame'],
    ['another version', frame([], { flags: 0 }), 0, 'it is of another version'],
    ['a dictionary', frame([], { flags: 0x61 }), 0, 'needs a dictionary'],
    ['no end', frame([[0x10, a]]).subarray(0, -4), 1, 'it is cut off'],
    ['a block without its end', frame([[0x10, a]]).subarray(0, -5), 1, 'a block is cut off'],
    ['literals without their end', frame([[0x50, a]]), 5, 'a block is cut off'],
    ['a length without its end', frame([[0xf0, 255]]), 300, 'a block is cut off'],
    ['a match at the end', frame([[0x14, a, 1, 0]]), 9, 'a block is cut off'],
    ['a match before the beginning', frame([[0x10, a, 2, 0, 0x10, a]]), 6, 'before its beginning'],
    ['a match of distance 0', frame([[0x10, a, 0, 0, 0x10, a]]), 6, 'before its beginning'],
    ['too many literals', frame([[0x20, a, b]]), 1, 'more than the 1 bytes'],
    ['a match that is too long', frame([[0x1f, a, 1, 0, 255, 255, 0, 0x10, a]]), 100, 'more than the 100 bytes'],
    ['too few bytes', frame([[0x10, a]]), 2, 'it has 1 bytes where 2 were said'],
  ])('refuses %s', (_, bytes, size, message) => {
    expect(() => decode(bytes, size)).toThrow(message);
  });
});
