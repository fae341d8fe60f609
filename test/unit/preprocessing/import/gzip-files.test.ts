import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { unpackFiles } from '../../../../services/preprocessing/import/gzip-files.js';
import type { ImportPath } from '../../../../services/preprocessing/import/import-file.js';
import { tempFolder } from '../../../support/temp-folder.js';

function write(name: string, content: string | Uint8Array) {
  const file = path.join(tempFolder(), name);
  writeFileSync(file, content);
  return { path: file, folders: ['x'], sizeBytes: content.length };
}

const unpack = (files: ReturnType<typeof write>[], sources: ImportPath[] = []) =>
  unpackFiles(files, path.join(tempFolder(), 'unpacked'), sources, new AbortController().signal, () => 100);

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
