import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineBytesMax } from '../../../../services/preprocessing/import/text-lines.js';
import { readImport } from './read-import.js';

const readJson = (content: string | Uint8Array, types?: Record<string, string>) =>
  readImport({ 'data.jsonl': content }, types);

describe('openJsonLines', () => {
  it.each<[string, string | Buffer, string]>([
    ['no record', '\n\n', 'Expected at least one record with a field but received none.'],
    ['a record that is cut off', '{"a":1}\n{"a":', 'Line 2: Expected "a" to be text, a number, true, false, null'],
    [
      'NaN',
      '{"a":1}\n\n{"a":NaN}',
      'Line 3: Expected "a" to be text, a number, true, false, null, a list of numbers or an object, but received "NaN}" at character 6.',
    ],
    [
      'text after numbers',
      '{"a":1}\n{"a":"x"}',
      'Line 2: Expected column "a" to hold numbers, as before, but received "x". Text is what takes every kind: give the type Utf8.',
    ],
    [
      'lists of two lengths',
      '{"a":[1]}\n{"a":[1,2]}',
      'Line 2: Expected column "a" to hold lists of 1 numbers, as before, but received a list of 2.',
    ],
    [
      'lists among numbers, which no text takes',
      '{"a":1}\n{"a":[1]}',
      'Line 2: Expected column "a" to hold numbers, as before, but received a list of 1.',
    ],
    [
      'an object among numbers',
      '{"a":{"b":1}}\n{"a":{"b":{"c":2}}}',
      'Line 2: Expected column "a.b" to hold numbers, as before, but received an object. The fields of an object are columns, named like "a.b.field", so each record has an object or null here, or leaves it out.',
    ],
    [
      'text among objects',
      '{"a":{"b":1}}\n{"a":"x"}',
      'Line 2: Expected column "a" to hold objects, as before, but received "x". The fields of an object are columns',
    ],
    ['objects that have no field', '{"a":{"b":{}}}', 'Expected at least one record with a field but received none.'],
    [
      'bytes that are not UTF-8',
      Buffer.from('{"a":1}\n{"a":2,"b\\u0041":"x\xff"}\n', 'latin1'),
      'Line 2, column "bA": Expected UTF-8 but received 0xff as byte 20 of the line',
    ],
    ['a name that is not UTF-8', Buffer.from('{"a":1}\n{"a":2,"\xff":1}\n', 'latin1'), 'Line 2: Expected UTF-8'],
    ['a character that is cut off', Buffer.from('{"a":"\xc3', 'latin1'), 'Line 1, column "a": Expected UTF-8'],
    [
      'a line that is too long',
      `{"a":1}\n{"a":"${'x'.repeat(lineBytesMax)}"}`,
      'Expected lines of at most 2097152 bytes',
    ],
    [
      'more columns than a dataset may have',
      Array.from({ length: 10_001 }, (_, i) => `{"c${i}":1}`).join('\n'),
      'Line 10001: Expected at most 10000 columns',
    ],
  ])('refuses %s', async (_, content, message) => {
    await expect(readJson(content)).rejects.toThrow(message);
  });

  it.each<[string, string, string]>([
    ['Int64', '1.0', 'Line 2: Expected column "a" to hold Int64, as given, but received 1.0.'],
    ['Uint8', '256', 'hold Uint8, as given, but received 256.'],
    ['Float32', '"1"', 'hold Float32, as given, but received "1".'],
    ['Bool', '1', 'hold Bool, as given, but received 1.'],
    ['Uint8', '[1,256]', 'hold lists of Uint8, as given, but received 256.'],
    ['Utf8', '[1]', 'hold Utf8, as given, but received a list of 1.'],
    [
      'Utf8',
      '{"b":1}',
      'hold Utf8, as given, but received an object. The fields of an object are columns, named like "a.f',
    ],
  ])('refuses what is no %s where that is given', async (type, value, message) => {
    await expect(readJson(`{}\n{"a":${value}}`, { a: type })).rejects.toThrow(message);
  });

  it('infers types from all records and leaves out what a record leaves out', async () => {
    const lines = [
      '\ufeff{"i":9007199254740993,"f":1,"t":"ä","b":true,"l":[1,2],"n":null}\r\n',
      '{"f":1.0,"x":-9223372036854775808, "l":[0.5,1e3]}\r\n',
      '{"x":9223372036854775808}',
    ];
    const { columns, rows } = await readJson(lines.join(''));
    expect(columns).toEqual([
      ['i', 'Int64'],
      ['f', 'Float64'],
      ['t', 'Utf8'],
      ['b', 'Bool'],
      ['l', 'FixedSizeList[2]<Float64>'],
      ['n', 'Utf8'],
      ['x', 'Float64'],
    ]);
    expect(rows).toEqual([
      [9007199254740993n, 1, 'ä', true, [1, 2], null, null],
      [null, 1, null, null, [0.5, 1000], null, -(2 ** 63)],
      [null, null, null, null, null, null, 2 ** 63],
    ]);
  });

  it('gives the numbers of lists the type that is given', async () => {
    const lines = '{"a":null}\n{"a":[0.1,2]}\n{}';
    const { columns, rows } = await readJson(lines, { a: 'Float32' });
    expect(columns).toEqual([['a', 'FixedSizeList[2]<Float32>']]);
    expect(rows).toEqual([[null], [[Math.fround(0.1), 2]], [null]]);
    await expect(readJson(`${lines}\n{"a":[1]}`, { a: 'Float32' })).rejects.toThrow(
      'Line 4: Expected column "a" to hold lists of 2 numbers, as before, but received a list of 1.',
    );
    await expect(readJson(`${lines}\n{"a":1}`, { a: 'Float32' })).rejects.toThrow(
      'hold lists of numbers, as before, but received 1.',
    );
  });

  it('makes columns of the fields of objects', async () => {
    const lines = [
      '{"user":null,"id":1}',
      '{"user":{"age":30,"home":{"at":[1.5,2],"since":"2020-01-02"}},"id":2}',
      '{"user":{"home":null},"id":3}',
      '{"user":{"home":{"at":null},"age":31}}',
    ];
    const { columns, rows } = await readJson(lines.join('\n'), { 'user.age': 'Uint8' });
    expect(columns).toEqual([
      ['id', 'Int64'],
      ['user.age', 'Uint8'],
      ['user.home.at', 'FixedSizeList[2]<Float64>'],
      ['user.home.since', 'Date32'],
    ]);
    expect(rows).toEqual([
      [1n, null, null, null],
      [2n, 30, [1.5, 2], 18_263],
      [3n, null, null, null],
      [null, 31, null, null],
    ]);
  });

  it('takes any scalar as text where that is given', async () => {
    const { rows } = await readJson('{"a":1.50}\n{"a":"x"}\n{"a":true}\n{"a":null}', { a: 'Utf8' });
    expect(rows).toEqual([['1.50'], ['x'], ['true'], [null]]);
  });

  it('reads records over blocks and batches, and tells how many bytes', async () => {
    const lines = Array.from({ length: 70_000 }, (_, i) => `{"a":${i},"b":"${'y'.repeat(i % 50)}"}\n`).join('');
    const { rows, batchRows, bytesDone } = await readJson(lines);
    expect(batchRows.length).toBeGreaterThan(1);
    expect(rows).toEqual(Array.from({ length: 70_000 }, (_, i) => [BigInt(i), 'y'.repeat(i % 50)]));
    expect(bytesDone).toBeCloseTo(lines.length, -1);
  });
});

describe('openJsonLines, of an array', () => {
  it.each<[string, string | Buffer, string]>([
    ['no record', ' [ ]\n', 'Expected at least one record with a field but received none.'],
    ['what is no record', '[\n{"a":1},\n 1]', 'Line 3: Expected a record, { ... }, but received "1]".'],
    ['a record without a comma before it', '[{"a":1}\n{"a":2}]', 'Line 2: Expected a comma or the end of the array'],
    ['a comma without a record after it', '[{"a":1},\n]', 'Line 2: Expected a record, { ... }, but received "]".'],
    ['what follows the array', '[{"a":1}]\n[]', 'Line 2: Expected nothing after the array, but received "[]".'],
    ['an array that is cut off', '[{"a":1}\n', 'Line 2: Expected a comma or the end of the array, but the file ends.'],
    ['a record that is cut off', '[\n{"a":"}]\n', 'Line 3: Expected the end of the record that begins in line 2, but'],
    ['brackets that do not match', '[{"a":[1}}]', 'Row 1, from line 1 on: Expected a comma or the end of the list'],
    ['NaN', '[{"a":1},\n\n{\n"a":NaN}]', 'Row 2, from line 3 on: Expected "a" to be text, a number, true'],
    [
      'text after numbers',
      '[{"a":1},\n{"a":"x"}]',
      'Row 2, from line 2 on: Expected column "a" to hold numbers, as before',
    ],
    [
      'bytes that are not UTF-8',
      Buffer.from('[{"a":1},\n{"a":2,\n"b":"x\xff"}]', 'latin1'),
      'Line 3, column "b": Expected UTF-8 but received 0xff as byte 7 of the line',
    ],
    ['a record that is too long', `[{"a":"${'x'.repeat(lineBytesMax)}"}]`, 'Expected records of at most 2097152 bytes'],
  ])('refuses %s', async (_, content, message) => {
    await expect(readJson(content)).rejects.toThrow(message);
  });

  it('reads the records that the lines of a file give', async () => {
    const written = fc.record(
      {
        a: fc.maxSafeInteger(),
        b: fc.string({ unit: 'grapheme' }),
        c: fc.array(fc.integer(), { minLength: 2, maxLength: 2 }),
      },
      { requiredKeys: ['b'] },
    );
    const cases = fc.tuple(fc.array(written, { minLength: 1, maxLength: 20 }), fc.constantFrom('', ' ', '\t', '   '));
    await fc.assert(
      fc.asyncProperty(cases, async ([records, indent]) => {
        const lines = await readJson(records.map((record) => JSON.stringify(record)).join('\n'));
        const array = await readImport({ 'data.json': `\ufeff\n${JSON.stringify(records, null, indent)}\n` });
        expect({ ...array, bytesDone: 0 }).toEqual({ ...lines, bytesDone: 0 });
      }),
      { numRuns: 30 },
    );
  });

  it('reads an array of one long line over blocks, and tells how many bytes', async () => {
    const records = Array.from({ length: 30_000 }, (_, i) => ({ a: i, b: `"}${'ü\\'.repeat(i % 20)}` }));
    const content = JSON.stringify(records);
    const { rows, bytesDone } = await readImport({ 'data.json': content });
    expect(rows).toEqual(records.map(({ a, b }) => [BigInt(a), b]));
    expect(Math.abs(bytesDone - Buffer.byteLength(content))).toBeLessThan(10);
  });
});
