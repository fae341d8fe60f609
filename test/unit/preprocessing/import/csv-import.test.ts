import { readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type BooleanChunk,
  type ColumnChunk,
  everyRow,
  gatherBooleans,
  gatherNumbers,
  gatherTexts,
  isValid,
  type NumberChunk,
  type TextChunk,
  type Validity,
} from '../../../../services/pipeline/index.js';
import { typeName } from '../../../../services/preprocessing/column.js';
import { openCsv, openTsv } from '../../../../services/preprocessing/import/csv-import.js';
import { recordBytesMax } from '../../../../services/preprocessing/import/csv-outline.js';
import { parseGivenTypes } from '../../../../services/preprocessing/import/given-types.js';
import { batchBytesMax } from '../../../../services/preprocessing/import/import-source.js';
import { parseMissingValues } from '../../../../services/preprocessing/import/missing-values.js';
import { tempFolder } from '../../../support/temp-folder.js';

async function importCsv(
  content: string,
  types: Record<string, string> = {},
  open = openCsv,
  missing: readonly string[] = [],
) {
  const folder = tempFolder();
  const file = path.join(folder, 'data.csv');
  writeFileSync(file, content);
  const source = await open([{ path: file, folders: [], sizeBytes: statSync(file).size }], {
    spillFolder: path.join(folder, 'spill'),
    mayGuess: false,
    signal: new AbortController().signal,
    types: parseGivenTypes(types),
    missingValues: parseMissingValues(missing),
  });
  const batches: ColumnChunk[][] = [];
  for await (const { chunks } of source.batches) {
    batches.push(chunks);
  }
  expect(readdirSync(folder)).toEqual(['data.csv']);
  return { columns: source.columns, batches };
}

const rowsOf = (batches: ColumnChunk[][]) => batches.reduce((sum, [first]) => sum + first!.length, 0);

describe('openCsv', () => {
  it.each(['yes,no', 'true,false', 'True,False', 't,f'])('keeps %s as words', async (words) => {
    const { columns } = await importCsv(`answer\n${words.split(',').join('\n')}\n`);
    expect(columns[0]!.type).toEqual({ kind: 'text', large: false });
  });

  it('reads records as long as they may be', async () => {
    const text = 'x'.repeat(recordBytesMax - 1);
    const { batches } = await importCsv(`a\n${text}\n`);
    expect((batches[0]![0] as TextChunk).bytes.length).toBe(text.length);
  });

  it('cuts a batch before long texts make it large', async () => {
    const text = 'x'.repeat(20_000);
    const { batches } = await importCsv(`a\n${`${text}\n`.repeat(1_000)}`);
    expect(rowsOf(batches)).toBe(1_000);
    const sizes = batches.map(([chunk]) => (chunk as TextChunk).bytes.length);
    expect(Math.max(...sizes)).toBeLessThan(batchBytesMax + text.length);
  });

  it.each([
    ['a line feed', '\n'],
    ['a carriage return and a line feed', '\r\n'],
    ['a carriage return', '\r'],
  ])('reads every row of a file of several pieces whose lines end with %s', async (_, lineEnd) => {
    const rowCount = 120_000;
    const textOf = (i: number) => (i % 1_000 === 0 ? `"line${lineEnd}""${i}"""` : `text of row ${'x'.repeat(25)}`);
    const lines = Array.from({ length: rowCount }, (_, i) => `${i},${textOf(i)}`);
    const { batches } = await importCsv(`n,t${lineEnd}${lines.join(lineEnd)}${lineEnd}`);
    expect(batches.length).toBeGreaterThan(1);
    const numbers = batches.flatMap(([chunk]) => [...(chunk as NumberChunk).values]);
    expect(numbers).toEqual(Array.from({ length: rowCount }, (_, i) => BigInt(i)));
    const texts = batches.flatMap(([, chunk]) => gatherTexts(chunk as TextChunk, everyRow(chunk!.length)));
    expect(texts[1_000]).toBe(`line${lineEnd}"1000"`);
    expect(texts.filter((text) => text?.startsWith('line')).length).toBe(rowCount / 1_000);
  });

  it('reads the same values wherever chunks and batches are cut', async () => {
    const rowCount = 70_001;
    const rows = Array.from({ length: rowCount }, (_, i) => [
      i % 7 === 0 ? null : BigInt(i) * 131_071n,
      i % 11 === 0 ? null : i / 3,
      i % 13 === 0 ? null : 'ä'.repeat(i % 29) + i,
    ]);
    const { columns, batches } = await importCsv(`i,f,t\n${rows.map((row) => row.join(',')).join('\n')}\n`);
    expect(columns.map(({ type }) => typeName(type))).toEqual(['Int64', 'Float64', 'Utf8']);
    expect(batches.length).toBeGreaterThan(1);
    const read = batches.flatMap((chunks) => {
      const all = everyRow(chunks[0]!.length);
      const [integers, floats] = chunks.slice(0, 2).map(({ validity }) => validity) as Validity[];
      const texts = gatherTexts(chunks[2] as TextChunk, all);
      return Array.from(all, (row) => [
        isValid(integers!, row) ? (chunks[0] as NumberChunk).values[row] : null,
        isValid(floats!, row) ? (chunks[1] as NumberChunk).values[row] : null,
        texts[row],
      ]);
    });
    expect(read).toEqual(rows);
  });

  it('takes no more room for many columns than for few', async () => {
    const line = Array.from({ length: 2_000 }, (_, i) => i);
    const { batches } = await importCsv(`${line.map((i) => `c${i}`)}\n${`${line}\n`.repeat(600)}`);
    expect(rowsOf(batches)).toBe(600);
    for (const chunks of batches) {
      const buffers = new Set(chunks.map((chunk) => (chunk as NumberChunk).values.buffer));
      const room = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(room).toBeLessThanOrEqual(batchBytesMax);
    }
  });

  it.each<[string, string, string]>([
    ['Int64', '1.0', 'Line 3: Expected column "a" to hold Int64, as given, but received "1.0".'],
    ['Uint8', 'x', 'Line 3: Expected column "a" to hold Uint8, as given, but received "x".'],
    ['Float32', 'x', 'Line 3: Expected column "a" to hold Float32, as given, but received "x".'],
    ['Uint8', '256', 'Line 3: Error when converting column "a". Could not convert string "256"'],
    ['Bool', 'perhaps', 'Line 3: Error when converting column "a". Could not convert string "perhaps"'],
  ])('refuses what is no %s where that is given: %s', async (type, value, message) => {
    await expect(importCsv(`a\n1\n${value}\n`, { a: type })).rejects.toThrow(message);
  });

  it('refuses types of columns that are not there, and types that are none', async () => {
    await expect(importCsv('age\n1\n', { agee: 'Int64' })).rejects.toThrow('did you mean "age"?');
    await expect(importCsv('age\n1\n', { age: 'int' })).rejects.toThrow('received "int"; did you mean Int8?');
  });

  it('reads every type that can be given', async () => {
    const types = [
      'Bool',
      'Int8',
      'Int16',
      'Int32',
      'Int64',
      'Uint8',
      'Uint16',
      'Uint32',
      'Uint64',
      'Float32',
      'Float64',
      'Utf8',
    ];
    const given = Object.fromEntries(types.map((type) => [`c${type}`, type]));
    const lines = [Object.keys(given), types.map(() => '1'), types.map(() => ''), types.map(() => '0')];
    const { columns, batches } = await importCsv(`${lines.map((line) => line.join(',')).join('\n')}\n`, given);
    expect(columns.map(({ type }) => typeName(type))).toEqual(types);
    const [booleans, ...others] = batches[0]!;
    expect(gatherBooleans(booleans as BooleanChunk, Int32Array.of(0, 2))).toEqual(Float64Array.of(1, 0));
    expect(gatherTexts(others.pop() as TextChunk, everyRow(3))).toEqual(['1', null, '0']);
    for (const chunk of others) {
      expect(gatherNumbers(chunk as NumberChunk, Int32Array.of(0, 2))).toEqual(Float64Array.of(1, 0));
      expect(isValid(chunk.validity, 1)).toBe(false);
    }
  });

  /** Types, and rows with nulls. */
  async function readAll(content: string, types: Record<string, string> = {}, missing: string[] = []) {
    const { columns, batches } = await importCsv(content, types, openCsv, missing);
    const all = everyRow(batches[0]![0]!.length);
    const values = batches[0]!.map((chunk) => {
      const read = chunk.kind === 'text' ? gatherTexts(chunk, all) : [...gatherNumbers(chunk as NumberChunk, all)];
      return read.map((value, row) => (isValid(chunk.validity, row) ? value : null));
    });
    return { types: columns.map(({ type }) => typeName(type)), values };
  }

  it('takes NA and its like for missing in columns of numbers, and for words in others', async () => {
    const words = ['NA', 'N/A', 'n/a', '#N/A', '<NA>', 'NULL', 'Null', 'null', 'None', '"NA"'];
    const rows = words.map((word) => `${word},${word},${word},${word}`);
    const { types, values } = await readAll(`"i ""d",f,t,n\n${rows.join('\n')}\n 1,2.5,x,\n`);
    expect(types).toEqual(['Int64', 'Float64', 'Utf8', 'Utf8']);
    const none = words.map(() => null);
    const unquoted = words.map((word) => word.replaceAll('"', ''));
    expect(values).toEqual([
      [...none, 1],
      [...none, 2.5],
      [...unquoted, 'x'],
      [...unquoted, null],
    ]);
  });

  it('takes what is given for missing in every column, and nothing else', async () => {
    const content = 'a,b,c\n1,?,NaN\n?,x,2\n-99,-99,-99\n,NA,3\n';
    expect(await readAll(content, {}, ['?', '-99', 'NaN'])).toEqual({
      types: ['Int64', 'Utf8', 'Int64'],
      values: [
        [1, null, null, null],
        [null, 'x', null, 'NA'],
        [null, 2, null, 3],
      ],
    });
    expect((await readAll('a\n1\nNA\n', {}, ['?'])).types).toEqual(['Utf8']);
  });

  it('holds to types that are given where values are missing by a word', async () => {
    const content = 'a,b\nNA,NA\n3,4\n';
    expect(await readAll(content, { a: 'Uint8', b: 'Utf8' })).toEqual({
      types: ['Uint8', 'Utf8'],
      values: [
        [null, 3],
        ['NA', '4'],
      ],
    });
    await expect(importCsv('a\nNA\nx\n', { a: 'Int8' })).rejects.toThrow('Line 3: Expected column "a" to hold Int8');
    await expect(importCsv('a\nNA\n300\n', { a: 'Int8' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each(['a,b', '"', 'x\ny', 'x'.repeat(101)])('refuses %j as a spelling', (word) => {
    expect(() => parseMissingValues(['?', word])).toThrow(
      'Expected `missing_values[1]` to be at most 100 bytes without',
    );
  });

  it('reads tabs between fields where they are asked for, and commas as text', async () => {
    const { columns, batches } = await importCsv('a\tb,c\n1\t"x\ty"\n2\t1,5\n', {}, openTsv);
    expect(columns.map(({ name, type }) => [name, typeName(type)])).toEqual([
      ['a', 'Int64'],
      ['b,c', 'Utf8'],
    ]);
    expect(gatherTexts(batches[0]![1] as TextChunk, everyRow(2))).toEqual(['x\ty', '1,5']);
  });
});
