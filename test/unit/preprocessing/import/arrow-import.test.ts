import * as arrow from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../../services/platform/errors.js';
import { splitStream } from '../../../support/arrow-messages.js';
import { fuzzRuns, mutatedBytes } from '../../../support/mutations.js';
import { asGolden, goldenContent, goldenFile } from './import-golden.js';
import { readImport } from './read-import.js';

const inFile = () => goldenFile('types-file.arrow');
const inStream = () => goldenFile('types-stream.arrow');
const inLz4 = () => goldenFile('types-lz4.feather');
const inZstd = () => goldenFile('types-zstd.feather');
const readArrow = (content: Uint8Array, types?: Record<string, string>) => readImport({ 'a.arrow': content }, types);

describe('openArrow', () => {
  it.each<[string, () => Uint8Array, string]>([
    ['an empty file', () => Buffer.alloc(0), 'It is truncated: the message at byte 0'],
    [
      'a picture',
      () => Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1'),
      'Byte 0: Expected an Arrow message (255, 255, 255, 255, then the length of its header) but received 137, 80, 78, 71',
    ],
    ['a stream without its end mark', () => inStream().subarray(0, -8), 'or the end mark is missing'],
    ['a file without its footer', () => inFile().subarray(0, -200), 'to end with its footer and ARROW1'],
    ['a file that lacks a batch', () => withoutLastBatch(inFile()), 'as the footer says, but received'],
    [
      'a header of 2 GB',
      () => Buffer.concat([Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]), Buffer.alloc(64)]),
      'Byte 0: Expected an Arrow message',
    ],
    [
      'a buffer that says it has 2 GB',
      () => withLength(goldenFile('rows-lz4.feather'), 2n ** 31n),
      'a compressed buffer says that it has 2147483648 bytes where at most 536870912 are left',
    ],
    [
      'a buffer of another length than it says',
      () => withLength(goldenFile('rows-lz4.feather'), 15_999n),
      'a compressed buffer cannot be read: it has more than the 15999 bytes that were said',
    ],
    [
      'a buffer of zstd of another length than it says',
      () => withLength(goldenFile('rows-zstd.feather'), 16_001n),
      'a compressed buffer cannot be read: it has 16000 bytes where 16001 were said',
    ],
    [
      'NaN',
      () => arrow.tableToIPC(arrow.tableFromArrays({ a: Float64Array.of(1, Number.NaN) }), 'stream'),
      'column "a" to hold finite numbers but received NaN in row 2',
    ],
  ])('refuses %s', async (_, content, message) => {
    await expect(readArrow(content())).rejects.toThrow(message);
  });

  it('refuses every beginning of a stream', async () => {
    const whole = inStream();
    for (let size = 0; size < whole.length; size += 97) {
      await expect(readArrow(whole.subarray(0, size))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('refuses types, and files with other columns', async () => {
    await expect(readArrow(inFile(), { int8: 'Int64' })).rejects.toThrow('Arrow states the type of what it holds');
    const other = arrow.tableToIPC(arrow.tableFromArrays({ a: Int32Array.of(1) }), 'file');
    await expect(readImport({ 'a.arrow': inFile(), 'b.arrow': other })).rejects.toThrow('but received a Int32.');
  });

  it.each([
    ['the file format', inFile],
    ['the stream format', inStream],
    ['buffers compressed by LZ4', inLz4],
    ['buffers compressed by zstd', inZstd],
  ])('reads every type from %s', async (_, content) => {
    const { columns, rows, bytesDone } = await readArrow(content());
    expect(Object.fromEntries(columns)).toMatchObject({
      milliseconds: 'Timestamp[ms]',
      vectors: 'List<Float32>',
      category: 'Dictionary<Int32, Utf8>',
    });
    // The file format counts milliseconds as they are; the golden rows have microseconds.
    const place = columns.findIndex(([name]) => name === 'milliseconds');
    const inMicroseconds = rows.map((row) => row.with(place, row[place] && (row[place] as bigint) * 1000n));
    expect(asGolden(inMicroseconds)).toEqual(goldenContent.arrowed);
    expect(bytesDone).toBeLessThanOrEqual(content().length);
  });

  it('takes several files of one schema, whatever format each has', async () => {
    const { rows } = await readImport({ 'a.arrow': inFile(), 'b.arrow': inStream() });
    expect(rows.slice(3)).toEqual(rows.slice(0, 3));
  });

  it('cuts a batch that is too large for a message', async () => {
    const values = Float64Array.from({ length: 3_000_000 }, (_, i) => i);
    const { rows, batchRows, bytesDone } = await readArrow(
      arrow.tableToIPC(arrow.tableFromArrays({ values }), 'stream'),
    );
    expect(batchRows.length).toBe(3);
    expect(rows.length).toBe(values.length);
    expect(rows.every(([value], i) => value === i)).toBe(true);
    expect(bytesDone).toBeGreaterThan(24_000_000);
  });

  it('answers a broken file by an error of its own, or by what is left of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(...[inFile, inStream, inLz4, inZstd].map((content) => mutatedBytes(content()))),
        async (broken) => {
          const error = await readArrow(broken).then(
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

/** With another length before the first buffer, that of 2,000 integers. */
function withLength(file: Buffer, length: bigint): Buffer {
  const prefix = Buffer.from(BigInt64Array.of(16_000n).buffer);
  const copy = Buffer.from(file);
  copy.writeBigInt64LE(length, file.indexOf(prefix));
  return copy;
}

/** The end mark where the last message began: the footer knows better. */
function withoutLastBatch(file: Buffer): Buffer {
  const messages = splitStream(inStream());
  const kept = messages.slice(0, -1).reduce((sum, { header, body }) => sum + 8 + header.length + body.length, 8);
  const copy = Buffer.from(file);
  copy.set([255, 255, 255, 255, 0, 0, 0, 0], kept);
  return copy;
}
