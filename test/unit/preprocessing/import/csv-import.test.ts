import { readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type ColumnChunk,
  everyRow,
  gatherTexts,
  isValid,
  type NumberChunk,
  type TextChunk,
  type Validity,
} from '../../../../services/pipeline/index.js';
import { typeName } from '../../../../services/preprocessing/column.js';
import { openCsv } from '../../../../services/preprocessing/import/csv-import.js';
import { recordBytesMax } from '../../../../services/preprocessing/import/csv-scan.js';
import { batchBytesMax } from '../../../../services/preprocessing/import/import-source.js';
import { tempFolder } from '../../../support/temp-folder.js';

async function importCsv(content: string) {
  const folder = tempFolder();
  const file = path.join(folder, 'data.csv');
  writeFileSync(file, content);
  const source = await openCsv([{ path: file, sizeBytes: statSync(file).size }], {
    spillFolder: path.join(folder, 'spill'),
    signal: new AbortController().signal,
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
      const room = chunks.reduce((sum, chunk) => sum + (chunk as NumberChunk).values.buffer.byteLength, 0);
      expect(room).toBeLessThanOrEqual(batchBytesMax);
    }
  });
});
