import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ColumnChunk, NumberChunk, TextChunk } from '../../../services/pipeline/index.js';
import { openCsv } from '../../../services/preprocessing/csv-import.js';
import { recordBytesMax } from '../../../services/preprocessing/csv-scan.js';
import { batchBytesMax } from '../../../services/preprocessing/import-source.js';
import { tempFolder } from '../../support/temp-folder.js';

async function importCsv(content: string) {
  const file = path.join(tempFolder(), 'data.csv');
  writeFileSync(file, content);
  const source = await openCsv([{ path: file, sizeBytes: statSync(file).size }], new AbortController().signal);
  const batches: ColumnChunk[][] = [];
  for await (const { chunks } of source.batches) {
    batches.push(chunks);
  }
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
