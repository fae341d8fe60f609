import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseFittedPipeline,
  type RawRecord,
  serialisePipeline,
  stepDefinitions,
  transformColumns,
  transformRecords,
} from '../../../services/pipeline/index.js';
import { fitPipeline } from '../../../services/preprocessing/fit.js';
import type { PipelineSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { byPart, columnSteps, contentOf, drawnKinds, labels, rows } from './random-pipelines.js';
import { openTable, type TableContent } from './table.js';

async function fitOn(content: TableContent, spec: PipelineSpec, batchRows: number) {
  const table = await openTable(content, batchRows);
  try {
    const { definition } = await fitPipeline(spec, byPart, table, new AbortController().signal);
    const bytes = serialisePipeline(definition);
    const pipeline = parseFittedPipeline(bytes);
    const features: Buffer[] = [];
    for (const batch of table.batches) {
      const chunks = await Promise.all(
        pipeline.columns.map(({ column }) =>
          table.readColumn(
            batch,
            table.columns.findIndex(({ name }) => name === column),
          ),
        ),
      );
      const all = Int32Array.from({ length: batch.header.length }, (_, i) => i);
      features.push(Buffer.from((await transformColumns(pipeline, chunks, all)).buffer));
    }
    return { bytes, pipeline, features: Buffer.concat(features) };
  } finally {
    await table.close();
  }
}

describe('random tables and pipelines', () => {
  it('leave out no kind of step', () => {
    expect(drawnKinds.toSorted()).toEqual(stepDefinitions.map(({ kind }) => kind).sort());
  });

  it('give the same bits by batch and by record, and the same pipeline however the rows are cut', async () => {
    const property = fc.asyncProperty(rows, columnSteps, labels, async (table, steps, label) => {
      const spec = { columns: Object.entries(steps).map(([column, chain]) => ({ column, steps: chain })), label };
      const content = contentOf(table);
      const whole = await fitOn(content, spec, 1_000);
      const cut = await fitOn(content, spec, 4);
      expect(cut.bytes.equals(whole.bytes)).toBe(true);
      expect(cut.features.equals(whole.features)).toBe(true);
      const records = table as unknown as RawRecord[];
      const together = await transformRecords(whole.pipeline, records);
      expect(Buffer.from(together.buffer).equals(whole.features)).toBe(true);
      const single = await Promise.all(records.map((record) => transformRecords(whole.pipeline, [record])));
      expect(Buffer.concat(single.map(({ buffer }) => Buffer.from(buffer))).equals(whole.features)).toBe(true);
      expect(whole.pipeline.featureNames).toHaveLength(whole.pipeline.featureCount);
    });
    await fc.assert(property, { numRuns: 40 });
  }, 120_000);
});
