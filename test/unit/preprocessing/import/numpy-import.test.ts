import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../../services/platform/errors.js';
import { fuzzRuns, mutatedBytes } from '../../../support/mutations.js';
import { asGolden, goldenContent, goldenFile } from './import-golden.js';
import { readImport } from './read-import.js';

/** An array as NumPy writes it, with whatever its header is to say. */
function npy(descr: string, shape: string, content: Uint8Array): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(text), content]);
}

interface Entry {
  name: string;
  content: Buffer;
  /** What the directory says of it, where that is not so. */
  claims?: { sizeBytes?: number; crc?: number };
}

/** A zip file of deflated members. */
function zip(entries: Entry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content, claims } of entries) {
    const packed = deflateRawSync(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(claims?.crc ?? crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(claims?.sizeBytes ?? content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), fields, place, Buffer.from(name));
    const part = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    parts.push(part);
    at += part.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    8,
  );
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, ...directory, Buffer.from('PK\x05\x06'), end]);
}

const two = npy('<i4', '2,', Buffer.alloc(8));
const three = npy('<i4', '3,', Buffer.alloc(12));

describe('openNumpy refuses', () => {
  it.each<[string, string, () => Uint8Array, string]>([
    [
      'an empty file',
      'a.npy',
      () => Buffer.alloc(0),
      'Expected a NumPy array (first bytes 147, NUMPY) but its first bytes are .',
    ],
    ['a picture', 'a.npy', () => Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'but its first bytes are 137, 80'],
    ['a file that is cut off', 'a.npy', () => three.subarray(0, -5), 'in row 2 of 3. Its header promises'],
    ['a header that is cut off', 'a.npy', () => three.subarray(0, 30), 'Is it truncated?'],
    [
      'more bytes than the header says',
      'a.npy',
      () => Buffer.concat([three, Buffer.alloc(1)]),
      'Expected it to end at byte',
    ],
    [
      'a header of 4 GB',
      'a.npy',
      () => Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff', 'latin1'),
      'Expected a NumPy header',
    ],
    [
      'no rows',
      'a.npy',
      () => npy('<i4', '0, 3', Buffer.alloc(0)),
      'Expected an array with rows but its shape is (0, 3).',
    ],
    ['a single number', 'a.npy', () => npy('<i4', '', Buffer.alloc(4)), 'but its shape is ().'],
    [
      'a shape beyond all numbers',
      'a.npy',
      () => npy('<i4', `${2 ** 40}, ${2 ** 40}`, Buffer.alloc(4)),
      'Expected rows of at most',
    ],
    ['Python objects', 'a.npy', () => goldenFile('objects.npy'), 'it holds Python objects, which only Python can load'],
    ['Fortran order', 'a.npy', () => goldenFile('fortran.npy'), 'Save numpy.ascontiguousarray(a).'],
    ['structured arrays', 'a.npy', () => goldenFile('structured.npy'), 'it is a structured one'],
    ['complex numbers', 'a.npy', () => goldenFile('complex.npy'), 'but its type is "<c16".'],
    [
      'text that is not UTF-8',
      'a.npy',
      () => npy('|S2', '2,', Buffer.from('ab\xff\x00', 'latin1')),
      'Row 2: Expected UTF-8',
    ],
    [
      'half of a surrogate pair',
      'a.npy',
      () => npy('<U1', '2,', Buffer.from(Uint32Array.of(65, 0xd800).buffer)),
      'Row 2: Expected Unicode characters but received number 55296',
    ],
    ['a zip file that is none', 'a.npz', () => Buffer.alloc(100), 'a.npz: It cannot be read as a zip file: '],
    [
      'a zip file that is cut off',
      'a.npz',
      () => goldenFile('plain.npz').subarray(0, -30),
      'It cannot be read as a zip file',
    ],
    ['an empty zip file', 'a.npz', () => zip([]), 'Expected at least one array but it has none.'],
    [
      'a member that is no array',
      'a.npz',
      () => zip([{ name: 'x.npy', content: Buffer.from('hello') }]),
      'a.npz: x.npy: Expected a NumPy array',
    ],
    [
      'arrays of different lengths',
      'a.npz',
      () =>
        zip([
          { name: 'x.npy', content: two },
          { name: 'y.npy', content: three },
        ]),
      'a.npz: y.npy: Expected as many rows as',
    ],
    [
      'a zip bomb',
      'a.npz',
      () => zip([{ name: 'x.npy', content: npy('|u1', `${300 * 2 ** 20},`, Buffer.alloc(300 * 2 ** 20)) }]),
      'a.npz: Expected it to hold at most 268435456 bytes, unpacked',
    ],
    [
      'a bomb that says it is small',
      'a.npz',
      () =>
        zip([
          {
            name: 'x.npy',
            content: npy('|u1', '100,', Buffer.alloc(10 ** 7)),
            claims: { sizeBytes: npy('|u1', '100,', Buffer.alloc(100)).length },
          },
        ]),
      'bytes, as the directory says, but it has more.',
    ],
    [
      'a wrong checksum',
      'a.npz',
      () => zip([{ name: 'x.npy', content: two, claims: { crc: 1 } }]),
      'a.npz: x.npy: Expected the content that its checksum was made of',
    ],
    [
      'a member twice',
      'a.npz',
      () =>
        zip([
          { name: 'x.npy', content: two },
          { name: 'x.npy', content: two },
        ]),
      'two are called "x.npy"',
    ],
    [
      'too many members',
      'a.npz',
      () => zip(Array.from({ length: 1_001 }, (_, i) => ({ name: `${i}.npy`, content: two }))),
      'Expected at most 1000 members',
    ],
  ])('%s', async (_, name, content, message) => {
    const error = await readImport({ [name]: content() }).then(
      () => null,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message).toContain(message);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('types: the file has them', async () => {
    await expect(readImport({ 'a.npy': two }, { a: 'Int64' })).rejects.toThrow('NumPy states the type');
  });

  it('tables of other columns', async () => {
    await expect(readImport({ 'a.npz': goldenFile('plain.npz'), 'b.npy': two })).rejects.toThrow(
      'Expected arrays like those before',
    );
  });

  it('or reads what random changes leave', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(mutatedBytes(goldenFile('compressed.npz')), mutatedBytes(goldenFile('plain.npz'))),
        async (broken) => {
          const error = await readImport({ 'a.npz': broken }).then(
            () => null,
            (reason: unknown) => reason,
          );
          if (error !== null) {
            expect(error).toBeInstanceOf(ServiceError);
            expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
          }
        },
      ),
      { numRuns: fuzzRuns },
    );
  });
});

describe('openNumpy', () => {
  it.each(['plain', 'compressed'])('reads every type from a %s zip file', async (name) => {
    const { columns, shapes, rows, bytesDone } = await readImport({ 'a.npz': goldenFile(`${name}.npz`) });
    expect(columns.map(([column, type], i) => [column, type, shapes[i]!.join(' x ')])).toEqual([
      ['bool', 'Bool', ''],
      ['int8', 'Int8', ''],
      ['uint64', 'Uint64', ''],
      ['big', 'Int64', ''],
      ['half', 'FixedSizeList[2]<Float32>', '2'],
      ['single', 'Float32', ''],
      ['images', 'FixedSizeList[12]<Uint16>', '3 x 4'],
      ['column', 'Float64', ''],
      ['unicode', 'Utf8', ''],
      ['bytes', 'Utf8', ''],
    ]);
    expect(asGolden(rows)).toEqual(goldenContent.arrays);
    expect(bytesDone).toBe(goldenFile(`${name}.npz`).length);
  });

  it('takes arrays of splits for the rows of one table', async () => {
    const { columns, rows } = await readImport({ 'mnist.npz': goldenFile('splits.npz') });
    expect(columns.map(([name]) => name)).toEqual(['images', 'int8', 'split']);
    expect(rows.map((row) => row.slice(1))).toEqual([
      [-128, 'train'],
      [127, 'train'],
      [-128, 'test'],
      [127, 'test'],
    ]);
  });

  it('takes files of arrays for the columns of one table', async () => {
    const { columns, rows } = await readImport({ 'x.npy': goldenFile('single.npy'), 'y.npy': two });
    expect(columns).toEqual([
      ['x', 'FixedSizeList[12]<Uint16>'],
      ['y', 'Int32'],
    ]);
    expect(rows.map(([x, y]) => [(x as number[]).at(-1), y])).toEqual([
      [11, 0],
      [23, 0],
    ]);
  });

  it('goes through arrays of more than a batch side by side', async () => {
    const count = 200_000;
    const x = Int32Array.from({ length: count }, (_, i) => i);
    const y = Uint8Array.from(x, (i) => i % 251);
    const content = zip([
      { name: 'x.npy', content: npy('<i4', `${count},`, Buffer.from(x.buffer)) },
      { name: 'y.npy', content: npy('|u1', `${count},`, y) },
    ]);
    const { rows, batchRows } = await readImport({ 'a.npz': content });
    expect(batchRows.length).toBe(4);
    expect(rows.length).toBe(count);
    expect(rows.every(([a, b], i) => a === i && b === i % 251)).toBe(true);
  });
});
