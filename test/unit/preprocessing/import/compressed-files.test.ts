import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../../services/platform/errors.js';
import { unpackFiles } from '../../../../services/preprocessing/import/compressed-files.js';
import type { ImportPath } from '../../../../services/preprocessing/import/import-file.js';
import { fuzzRuns, mutatedBytes } from '../../../support/mutations.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { goldenFile } from './import-golden.js';

/** printf 'millrace millrace millrace\\n' | zstd --check (zstd 1.5.4) */
const checkedZstd = Buffer.from('28b52ffd241b850000506d696c6c72616365200a01009ccb115413cf15', 'hex');

/** With one bit changed. */
function damaged(bytes: Uint8Array, place: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[changed.length + place]! ^= 1;
  return changed;
}

function write(name: string, content: string | Uint8Array) {
  const file = path.join(tempFolder(), name);
  writeFileSync(file, content);
  return { path: file, folders: ['x'], sizeBytes: content.length };
}

const unpack = (files: ReturnType<typeof write>[], sources: ImportPath[] = [], bytesMax = 100) =>
  unpackFiles(files, path.join(tempFolder(), 'unpacked'), sources, new AbortController().signal, () => bytesMax);

describe('unpackFiles', () => {
  it('unpacks files of gzip, also of several parts, and leaves others alone', async () => {
    const plain = write('b.csv', 'a\n');
    const parts = Buffer.concat([gzipSync('a\n1\n'), gzipSync('2\n')]);
    const sources: ImportPath[] = [];
    const files = await unpack([write('A.csv.GZ', parts), plain], sources);
    expect(files).toEqual([{ path: expect.stringMatching(/\/0\/A\.csv$/), folders: ['x'], sizeBytes: 6 }, plain]);
    expect(readFileSync(files[0]!.path, 'utf8')).toBe('a\n1\n2\n');
    expect(sources).toEqual([{ given: expect.stringMatching(/A\.csv\.GZ$/), path: files[0]!.path, isFetched: true }]);
  });

  const unpackZstd = (content: Uint8Array, bytesMax = 1_000_000) => unpack([write('a.csv.zst', content)], [], bytesMax);

  it('unpacks files of zstd, also of several frames, and passes over what is not for us', async () => {
    const whole = goldenFile('rows.csv.zst');
    const skipped = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
    const [file] = await unpackZstd(Buffer.concat([whole, skipped, whole]));
    const text = readFileSync(file!.path, 'utf8');
    expect(text.slice(0, text.length / 2)).toBe(text.slice(text.length / 2));
    expect(text.split('\n').slice(0, 3)).toEqual(['"a","b","c"', '0,0,', '1,4.625,"row 1 of a table"']);
    expect(text.split('\n')).toHaveLength(2 * 2_001 + 1);
  });

  it('finds the checksum right that zstd has written', async () => {
    const [file] = await unpackZstd(checkedZstd);
    expect(readFileSync(file!.path, 'utf8')).toBe('millrace millrace millrace\n');
  });

  it.each<[string, () => Uint8Array, string]>([
    ['an empty file', () => Buffer.alloc(0), 'It cannot be read as a zstd file: it is empty.'],
    ['a file that is none', () => Buffer.from('a,b\n1,2\n'), 'a frame should begin at byte 0.'],
    [
      'content that is damaged',
      () => damaged(checkedZstd, -6),
      'the content of the frame at byte 0 does not have its checksum',
    ],
    ['a checksum that is damaged', () => damaged(checkedZstd, -1), 'does not have its checksum: it is damaged.'],
    ['what is cut off', () => goldenFile('rows.csv.zst').subarray(0, -3), 'it is cut off.'],
    [
      'what is added',
      () => Buffer.concat([goldenFile('rows.csv.zst'), Buffer.alloc(9)]),
      'a frame should begin at byte',
    ],
    [
      'a window of 2 GB',
      () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0]),
      'it needs 2147483648 bytes of memory where at most 134217728 are given.',
    ],
    ['a dictionary', () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 0, 1, 1, 0, 0]), 'it needs a dictionary.'],
    [
      'a bomb',
      // A block of 128 KiB of one byte.
      () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 56, 3, 0, 16, 97]),
      'Expected it to hold at most 100000 bytes, unpacked, but there are more.',
    ],
  ])('refuses of zstd %s', async (_, content, message) => {
    await expect(unpackZstd(content(), 100_000)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });

  it('answers a broken file of zstd by an error of its own, or by what is left of it', async () => {
    await fc.assert(
      fc.asyncProperty(mutatedBytes(goldenFile('rows.csv.zst')), async (broken) => {
        const error = await unpackZstd(broken).then(
          () => null,
          (reason: unknown) => reason,
        );
        expect(error === null || error instanceof ServiceError).toBe(true);
      }),
      { numRuns: fuzzRuns },
    );
  });

  it.each<[string, Uint8Array, string]>([
    [
      'a file that is none',
      Buffer.from('a,b\n1,2\n'),
      'a.csv.gz: It cannot be read as a gzip file: incorrect header check.',
    ],
    [
      'what is cut off',
      gzipSync('x'.repeat(90)).subarray(0, -9),
      'a.csv.gz: It cannot be read as a gzip file: unexpected end of file.',
    ],
    [
      'a wrong checksum',
      Buffer.concat([gzipSync('x').subarray(0, -8), Buffer.alloc(8)]),
      'a.csv.gz: It cannot be read as a gzip file: incorrect data check.',
    ],
    [
      'a bomb',
      gzipSync(Buffer.alloc(1_000)),
      'a.csv.gz: Expected it to hold at most 100 bytes, unpacked, but there are more.',
    ],
  ])('refuses %s', async (_, content, message) => {
    await expect(unpack([write('a.csv.gz', content)])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });
});
