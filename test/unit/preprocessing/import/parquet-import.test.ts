import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../../services/platform/errors.js';
import { fuzzRuns, mutatedBytes } from '../../../support/mutations.js';
import { asGolden, goldenContent, goldenFile } from './import-golden.js';
import { readImport } from './read-import.js';

const plain = () => goldenFile('types-none.parquet');
const readParquet = (content: Uint8Array, types?: Record<string, string>) =>
  readImport({ 'a.parquet': content }, types);

/** A file that says it has a footer of this length, and so many elements in its schema. */
function withSchema(elements: number): Buffer {
  const footer = Buffer.alloc(64);
  footer.set([0x15, 2, 0x19, 0xfc]);
  for (let at = 4, rest = elements; rest > 0; at++, rest = Math.floor(rest / 128)) {
    footer[at] = (rest % 128) | (rest >= 128 ? 0x80 : 0);
  }
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([Buffer.from('PAR1'), footer, length, Buffer.from('PAR1')]);
}

describe('openParquet', () => {
  it.each<[string, () => Uint8Array, string]>([
    ['an empty file', () => Buffer.alloc(0), 'Expected a Parquet file (first bytes PAR1) but its first bytes are .'],
    ['a picture', () => Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1'), 'but its first bytes are 137, 80, 78, 71.'],
    ['a file that is cut off', () => plain().subarray(0, -1), 'to end with its footer and PAR1'],
    ['nothing but the first bytes', () => plain().subarray(0, 4), 'to end with its footer and PAR1'],
    [
      'a file without its beginning',
      () => Buffer.concat([Buffer.from('PAR1'), plain().subarray(-300)]),
      'Is it truncated?',
    ],
    [
      'a footer that is encrypted',
      () => Buffer.concat([plain().subarray(0, -4), Buffer.from('PARE')]),
      'its footer is encrypted',
    ],
    ['ten million columns', () => withSchema(10_000_001), 'at most 10000 columns but its schema has 10000001 elements'],
    ['a schema that is not there', () => withSchema(3), 'It cannot be read as Parquet'],
    ['times of day', () => goldenFile('time-of-day.parquet'), '"time" is TIME'],
    ['names that differ in case only', () => goldenFile('case.parquet'), 'but two are called "A"'],
    [
      'text that is not UTF-8',
      () => Buffer.from(plain().toString('latin1').replaceAll('a longer', 'a l\xffnger'), 'latin1'),
      'It cannot be read as Parquet: Invalid Input Error: Invalid string encoding',
    ],
  ])('refuses %s', async (_, content, message) => {
    await expect(readParquet(content())).rejects.toThrow(message);
  });

  it('refuses types: the file has them', async () => {
    await expect(readParquet(plain(), { int8: 'Int64' })).rejects.toThrow('Parquet states the type of what it holds');
  });

  it('refuses files with other columns', async () => {
    const files = { 'a.parquet': plain(), 'b.parquet': goldenFile('nan.parquet') };
    await expect(readImport(files)).rejects.toThrow('but received bad Float64.');
  });

  it.each(['none', 'snappy', 'gzip', 'zstd', 'lz4', 'brotli'])(
    'reads every type, compressed by %s',
    async (compression) => {
      const { columns, rows, bytesDone } = await readParquet(goldenFile(`types-${compression}.parquet`));
      expect(asGolden(rows)).toEqual(goldenContent.typed);
      expect(Object.fromEntries(columns)).toEqual({
        bool: 'Bool',
        int8: 'Int8',
        uint16: 'Uint16',
        int64: 'Int64',
        uint64: 'Uint64',
        float32: 'Float32',
        float64: 'Float64',
        text: 'Utf8',
        binary: 'Binary',
        date: 'Date32',
        milliseconds: 'Timestamp[us]',
        microseconds: 'Timestamp[us]',
        zoned: 'Timestamp[us, UTC]',
        small: 'Decimal128[3, 1]',
        middle: 'Decimal128[12, 1]',
        large: 'Decimal128[38, 8]',
        vectors: 'FixedSizeList[2]<Float32>',
        lists: 'List<Int32>',
        words: 'List<Utf8>',
        struct: 'Struct<"x": Int64, "y": Utf8>',
      });
      expect(bytesDone).toBe(goldenFile(`types-${compression}.parquet`).length);
    },
  );

  it('answers a broken file by an error of its own, or by what is left of it', async () => {
    await fc.assert(
      fc.asyncProperty(mutatedBytes(plain()), async (broken) => {
        const error = await readParquet(broken).then(
          () => null,
          (reason: unknown) => reason,
        );
        if (error !== null) {
          expect(error).toBeInstanceOf(ServiceError);
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
        }
      }),
      { numRuns: fuzzRuns / 10 },
    );
  });
});
