import { readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ColumnChunk, everyRow, gatherTexts, isValid } from '../../../../services/pipeline/index.js';
import { typeName } from '../../../../services/preprocessing/column.js';
import type { DatasetVersion } from '../../../../services/preprocessing/dataset.js';
import { DatasetStore } from '../../../../services/preprocessing/dataset-store.js';
import { AllowedFolders } from '../../../../services/preprocessing/import/allowed-folders.js';
import { guessCsv } from '../../../../services/preprocessing/import/csv-guess.js';
import { openCsv } from '../../../../services/preprocessing/import/csv-import.js';
import { sampleCsv } from '../../../../services/preprocessing/import/csv-scan.js';
import { importDataset } from '../../../../services/preprocessing/import/import-dataset.js';
import { type ImportSource, NotAsGuessed } from '../../../../services/preprocessing/import/import-source.js';
import { parseMissingValues } from '../../../../services/preprocessing/import/missing-values.js';
import { Uploads } from '../../../../services/preprocessing/import/uploads.js';
import { tempFolder } from '../../../support/temp-folder.js';

const { signal } = new AbortController();
const missingValues = parseMissingValues([]);
const context = { types: new Map(), missingValues, spillFolder: '', mayGuess: true, signal };

function fileOf(content: string | Buffer) {
  const file = path.join(tempFolder(), 'data.csv');
  writeFileSync(file, content);
  return { path: file, folders: [], sizeBytes: statSync(file).size };
}

async function guess(content: string | Buffer): Promise<ImportSource | null> {
  const file = fileOf(content);
  return guessCsv([file], ',', [await sampleCsv(file, ',', missingValues)], context);
}

/** Names, types, and the values of each column; null: missing. */
async function read({ columns, batches }: ImportSource) {
  const values: unknown[][] = columns.map(() => []);
  for await (const { chunks } of batches) {
    for (const [i, chunk] of chunks.entries()) {
      values[i]!.push(...valuesOf(chunk));
    }
  }
  return { columns: columns.map(({ name, type }) => [name, typeName(type)]), values };
}

function valuesOf(chunk: ColumnChunk): unknown[] {
  if (chunk.kind === 'text') {
    return gatherTexts(chunk, everyRow(chunk.length));
  }
  const { values } = chunk as ColumnChunk & { kind: 'number' };
  return Array.from(values as Float64Array, (value, row) => (isValid(chunk.validity, row) ? value : null));
}

const header = 'number,word,count\n';
/** More than is looked at before the guess. */
const start = header + '12345.25,abc,7\n'.repeat(80_000);

describe('a guess', () => {
  it.each<[string, string]>([
    ['lines that end with a line feed', start],
    ['a last line without an end', `${start}-1e3,,+5`],
    ['lines that end with two characters', `${start}1,x,2`.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${start}`],
    [
      'missing values, and numbers that are not short',
      `${start}${',,\n1234567.8901,ä€,123456789012345678\n'.repeat(999)}`,
    ],
    ['rows that become shorter', `${header}${`1.5,${'x'.repeat(90)},1\n`.repeat(12_000)}${',,1\n'.repeat(300_000)}`],
  ])('reads what the scan reads: %s', async (_, content) => {
    const expected = await read(await openCsv([fileOf(content)], { ...context, mayGuess: false }));
    expect(await read((await guess(content))!)).toEqual(expected);
  });

  it.each<[string, string | Buffer]>([
    ['a text among numbers', 'x,abc,7\n'],
    ['a fraction among integers', '1,abc,7.5\n'],
    ['an integer of more than 18 digits', '1,abc,1234567890123456789\n'],
    ['a word for a missing value', 'NA,abc,7\n'],
    ['a number that is none', 'nan,abc,7\n'],
    ['a quote', '1,"abc",7\n'],
    ['fewer fields', '1,abc\n'],
    ['more fields', '1,abc,7,8\n'],
    ['an empty line', '\n'],
    ['another line end', '1,abc,7\r\n'],
    ['bytes that are no text', Buffer.from([0x31, 0x2c, 0xff, 0x2c, 0x37, 0x0a])],
    ['a long record', `1,${'x'.repeat(100_000)},7\n`],
  ])('fails at %s', async (_, line) => {
    const source = await guess(Buffer.concat([Buffer.from(start), Buffer.from(line), Buffer.from('1,abc,7\n')]));
    await expect(read(source!)).rejects.toThrow(NotAsGuessed);
  });

  it.each<[string, string]>([
    ['a single column', 'a\n1\n2\n'],
    ['no rows', 'a,b\n'],
    ['words for missing values', 'a,b\n1,2\nNA,3\n'],
    ['times', 'a,b\n2024-01-31,2\n'],
    ['a column without values', 'a,b\n1,\n'],
    ['lines that end with a carriage return', 'a,b\r1,2\r'],
  ])('is not made of %s', async (_, content) => {
    expect(await guess(content)).toBeNull();
  });

  it('that fails leaves nothing but what the scan finds', async () => {
    const folder = tempFolder();
    const store = await DatasetStore.open(folder);
    const file = fileOf(`${header}${'12345.25,abc,7\n'.repeat(600_000)}x,abc,7\n`);
    const uploads = new Uploads(() => store.spillFolder(), { bytesMax: 0, keepMs: 0 });
    const access = { folders: new AllowedFolders([]), hosts: [], bytesMax: 0, uploads };
    const request = { dataset: 'table', paths: [file.path], format: null, types: new Map(), missingValues };
    let version: DatasetVersion | null = null;
    for await (const news of importDataset(store, access, request, signal)) {
      version = 'digest' in news ? news : null;
    }
    expect(version!.rowCount).toBe(600_001);
    expect(version!.columns.map(({ type }) => typeName(type))).toEqual(['Utf8', 'Utf8', 'Int64']);
    expect(readdirSync(path.join(folder, 'drafts'))).toEqual([]);
  }, 60_000);
});
