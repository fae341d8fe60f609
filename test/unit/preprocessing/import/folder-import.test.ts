import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { AllowedFolders } from '../../../../services/preprocessing/import/allowed-folders.js';
import { listFiles } from '../../../../services/preprocessing/import/import-file.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { readImport } from './read-import.js';

const picture = (format: 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff') =>
  sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
    .toFormat(format)
    .toBuffer();
const wav = Buffer.from('RIFF\x24\0\0\0WAVEfmt ', 'latin1');

describe('openFolder', () => {
  it.each(['png', 'jpeg', 'webp', 'gif', 'tiff'] as const)('keeps pictures as they are: %s', async (format) => {
    const bytes = await picture(format);
    const { columns, rows, bytesDone } = await readImport({
      [`cat/a.${format}`]: bytes,
      [`cat/b.${format}`]: bytes,
      [`dog/a.${format}`]: bytes,
    });
    expect(columns).toEqual([
      ['image', 'Binary'],
      ['label', 'Utf8'],
      ['file', 'Utf8'],
    ]);
    expect(rows.map((row) => row.slice(1))).toEqual([
      ['cat', `cat/a.${format}`],
      ['cat', `cat/b.${format}`],
      ['dog', `dog/a.${format}`],
    ]);
    expect(rows[0]![0]).toBe(bytes.toString('latin1'));
    expect(bytesDone).toBe(3 * bytes.length);
  });

  it('takes folders of splits around those of classes', async () => {
    const { columns, rows } = await readImport({ 'test/a/1.wav': wav, 'Train/a/1.flac': 'fLaC', 'val/b/1.wav': wav });
    expect(columns.map(([name]) => name)).toEqual(['sound', 'label', 'split', 'file']);
    expect(rows.map((row) => row.slice(1))).toEqual([
      ['a', 'test', 'test/a/1.wav'],
      ['a', 'train', 'Train/a/1.flac'],
      ['b', 'validation', 'val/b/1.wav'],
    ]);
  });

  it('takes files without folders for rows without classes', async () => {
    const { columns, rows } = await readImport({ 'a.txt': '\ufeffone\ntwo', 'b.txt': '' });
    expect(columns).toEqual([
      ['text', 'Utf8'],
      ['file', 'Utf8'],
    ]);
    expect(rows).toEqual([
      ['one\ntwo', 'a.txt'],
      ['', 'b.txt'],
    ]);
  });

  it('cuts batches by their bytes', async () => {
    const large = Buffer.concat([wav, Buffer.alloc(3_000_000)]);
    const { batchRows } = await readImport(
      Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`${i}.wav`, large])),
    );
    expect(batchRows).toEqual([3, 3, 1]);
  });

  it.each<[string, Record<string, string | Buffer>, string]>([
    [
      'a table called .png',
      { 'x/a.png': 'a,b\n1,2\n' },
      'a.png: Expected a PNG, JPEG, WebP, GIF or TIFF picture but its first bytes are 97, 44',
    ],
    ['an empty picture', { 'x/a.png': '' }, 'a.png: Expected a PNG, JPEG, WebP, GIF or TIFF picture but it is empty'],
    [
      'a picture called .wav',
      { 'x/a.wav': Buffer.from('\x89PNG\r\n\x1a\n', 'latin1') },
      'a.wav: Expected a WAV, FLAC, MP3 or Ogg file but its first bytes are 137',
    ],
    ['text that is not UTF-8', { 'x/a.txt': Buffer.from('a\nb\xff', 'latin1') }, 'a.txt: Line 2: Expected UTF-8'],
    ['files beside folders', { 'x/a.wav': wav, 'a.wav': wav }, 'a.wav: Expected it 1 folders deep, as'],
    ['folders in classes', { 'x/y/a.wav': wav }, 'Expected a folder for each class, perhaps in folders train'],
    ['files of two kinds', { 'x/a.wav': wav, 'x/a.txt': 'a' }, 'of one format but received sounds and text files'],
    [
      'tables in folders',
      { 'x/a.csv': 'a\n1\n' },
      'Expected no folders in a folder of CSV files but this one is in x.',
    ],
    [
      'files that are too large',
      { 'a.txt': Buffer.alloc(32 * 2 ** 20 + 1) },
      'Expected files of at most 33554432 bytes',
    ],
  ])('refuses %s', async (_, files, message) => {
    await expect(readImport(files)).rejects.toThrow(message);
  });
});

describe('openFolder with a table beside the files', () => {
  const sounds = { 'sounds/b.wav': wav, 'sounds/a.flac': 'fLaC' };

  it('gives each row of the table its file, in the order of the table', async () => {
    const table = 'height,file_name,kind\n1,sounds/b.wav,x\n2.5,./sounds/a.flac,\n';
    const { columns, rows, bytesDone } = await readImport({ ...sounds, 'any.csv': table });
    expect(columns).toEqual([
      ['sound', 'Binary'],
      ['file', 'Utf8'],
      ['height', 'Float64'],
      ['kind', 'Utf8'],
    ]);
    expect(rows).toEqual([
      [wav.toString('latin1'), 'sounds/b.wav', 1, 'x'],
      ['fLaC', 'sounds/a.flac', 2.5, null],
    ]);
    // A header is no row.
    expect(bytesDone).toBe(wav.length + 4 + table.length - 'height,file_name,kind\n'.length);
  });

  it('takes JSON lines, types and missing values that are given, and folders of splits', async () => {
    const files = { 'train/1.txt': 'one', 'test/2.txt': 'two' };
    const lines = '{"file_name": "2.txt", "size": 2}\n{"file_name": "../train/1.txt", "size": 1}\n';
    const fromLines = await readImport({ ...files, 'test/metadata.jsonl': lines }, { size: 'Int32' });
    expect(fromLines.columns.map(([name, type]) => `${name} ${type}`)).toEqual([
      'text Utf8',
      'split Utf8',
      'file Utf8',
      'size Int32',
    ]);
    expect(fromLines.rows).toEqual([
      ['two', 'test', 'test/2.txt', 2],
      ['one', 'train', 'train/1.txt', 1],
    ]);
    const csv = 'file_name,size\ntest/2.txt,none\ntrain/1.txt,1\n';
    const { rows } = await readImport({ ...files, 'metadata.csv': csv }, {}, 'texts', ['none']);
    expect(rows.map((row) => row.at(-1))).toEqual([null, 1n]);
  });

  it('cuts batches by the bytes of the files', async () => {
    const files = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`${i}.txt`, 'x'.repeat(2 ** 20)]));
    const lines = Object.keys(files).map((name, i) => `${name},${i}`);
    const { rows, batchRows } = await readImport({ ...files, 't.csv': ['file_name,n', ...lines].join('\n') });
    expect(batchRows).toEqual([8, 1]);
    expect(rows.map(([, file, n]) => `${file} ${n}`)).toEqual(Object.keys(files).map((name, i) => `${name} ${i}`));
  });

  it.each<[string, Record<string, string>, string]>([
    ['a table without names', { 't.csv': 'filename,n\nsounds/b.wav,1\n' }, 'received filename, n; is it "filename"?'],
    ['names that are numbers', { 't.csv': 'file_name\n1\n2\n' }, 'it lies among other files, but it is Int64.'],
    [
      'a name that is no file, with its row',
      { 't.csv': 'file_name,n\nsounds/b.wav,1\nb.wav,2\n' },
      't.csv: Row 2, column `file_name`: Expected a file of the import, such as "sounds/b.wav", but received "b.wav".',
    ],
    ['a row without a name', { 't.csv': 'file_name,n\n,1\n' }, 'Row 1, column `file_name`'],
    [
      'a file that is named twice',
      { 't.csv': 'file_name\nsounds/b.wav\nsounds/b.wav\n' },
      'each file once, and row 1 has it already, but received "sounds/b.wav"',
    ],
    [
      'a file that no row names',
      { 't.csv': 'file_name\nsounds/b.wav\n' },
      'for every file but "sounds/a.flac" has none.',
    ],
    ['columns that the files give', { 't.csv': 'file_name,file\nsounds/b.wav,1\n' }, 'no column "file"'],
    ['two tables', { 't.csv': 'file_name\n', 'u.csv': 'file_name\n' }, 'Expected one table beside the files'],
    ['no rows', { 't.csv': 'file_name,n\n' }, 't.csv'],
  ])('refuses %s', async (_, files, message) => {
    await expect(readImport({ ...sounds, ...files })).rejects.toThrow(message);
  });
});

describe('listFiles', () => {
  const anywhere = new AllowedFolders([]);

  it('goes through folders in the order of names and leaves hidden files out', async () => {
    const folder = tempFolder();
    mkdirSync(path.join(folder, 'b/c'), { recursive: true });
    for (const name of ['b/c/2', 'b/1', 'a', '.hidden']) {
      writeFileSync(path.join(folder, name), 'x');
    }
    const files = await listFiles([{ given: folder, path: folder, isFetched: false }], anywhere);
    expect(files.map((file) => [path.relative(folder, file.path), file.folders, file.sizeBytes])).toEqual([
      ['a', [], 1],
      ['b/1', ['b'], 1],
      ['b/c/2', ['b', 'c'], 1],
    ]);
  });

  it('ends in a folder that is within itself', async () => {
    const folder = tempFolder();
    symlinkSync(folder, path.join(folder, 'again'));
    await expect(listFiles([{ given: folder, path: folder, isFetched: false }], anywhere)).rejects.toThrow(
      'Expected folders in folders at most 3 deep.',
    );
  });

  it('refuses what is outside the folders that are allowed, by a link too', async () => {
    const [inside, outside] = [tempFolder(), tempFolder()];
    writeFileSync(path.join(outside, 'secret.csv'), 'a\n1\n');
    writeFileSync(path.join(inside, 'open.csv'), 'a\n1\n');
    const allowed = new AllowedFolders([inside]);
    expect(await listFiles([{ given: inside, path: inside, isFetched: false }], allowed)).toHaveLength(1);
    symlinkSync(outside, path.join(inside, 'link'));
    for (const given of [
      outside,
      path.join(outside, 'secret.csv'),
      path.join(outside, 'not-there.csv'),
      path.join(inside, '../x.csv'),
      path.join(inside, 'link/secret.csv'),
      inside,
      `${inside}-beside`,
    ]) {
      await expect(listFiles([{ given: given, path: given, isFetched: false }], allowed)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining('the folders that imports may read, but received'),
      });
    }
  });
});
