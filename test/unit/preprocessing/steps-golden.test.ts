import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { preparePipeline, type StepSpec, transformColumns } from '../../../services/pipeline/index.js';
import { fitPipeline } from '../../../services/preprocessing/fit.js';
import type { LabelSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { root } from '../../support/mesh.js';
import { openTable, type TableContent, type Values } from './table.js';

interface Golden {
  tables: Record<string, Record<string, Values>>;
  cases: GoldenCase[];
}

interface GoldenCase {
  table: string;
  column: string;
  steps: StepSpec[];
  label?: LabelSpec;
  /** Whether rows of the training split are transformed as such. */
  crossFitted?: boolean;
  width: number;
  rows: number[][];
}

const golden = JSON.parse(readFileSync(path.join(root, 'test/golden/pipeline-steps.json'), 'utf8')) as Golden;
const split = { ...wholeSplit, column: 'part' };

/** Texts, numbers in float64, or milliseconds where the name begins so. A label is added, for those cases that have none. */
function contentOf(columns: Record<string, Values>): TableContent {
  const content: TableContent = {};
  for (const [name, values] of Object.entries(columns)) {
    const time = /^time:(.*)/.exec(name)?.[1];
    const type = values.some((value) => typeof value === 'string') ? 'text' : 'float64';
    content[time ?? name] = [time ? 'time' : type, values];
  }
  return content;
}

/** The features of all rows: [rows, featureCount]. */
async function featuresOf(columns: Record<string, Values>, { column, steps, label, crossFitted }: GoldenCase) {
  const table = await openTable(contentOf(columns), 100);
  try {
    const spec = { columns: [{ column, steps }], label: label ?? { column: 'label', kind: 'number' as const } };
    const { definition } = await fitPipeline(spec, split, table, new AbortController().signal);
    const pipeline = preparePipeline(definition);
    const index = table.columns.findIndex(({ name }) => name === column);
    const rows: Float32Array[] = [];
    for (const batch of table.batches) {
      const chunk = await table.readColumn(batch, index);
      for (let i = 0; i < chunk.length; i++) {
        const row = batch.firstRow + i;
        const isTraining = crossFitted === true && columns.part![row] === 'train';
        const trainingRows = isTraining ? Int32Array.of(row) : null;
        rows.push((await transformColumns(pipeline, [chunk], Int32Array.of(i), trainingRows)) as Float32Array);
      }
    }
    return { rows, width: pipeline.featureCount };
  } finally {
    await table.close();
  }
}

function dense(row: readonly number[], width: number): Float32Array {
  const numbers = new Float32Array(width);
  for (let i = 0; i < row.length; i += 2) {
    numbers[row[i]!] = row[i + 1]!;
  }
  return numbers;
}

describe('every step gives what scikit-learn gives', () => {
  it.each(
    golden.cases.map(
      (one) => [`${one.column}: ${JSON.stringify([one.steps, one.label, one.crossFitted])}`, one] as const,
    ),
  )('%s', async (_, one) => {
    const { table, width, rows } = one;
    const found = await featuresOf(golden.tables[table]!, one);
    expect(found.width).toBe(width);
    expect(found.rows).toHaveLength(rows.length);
    // Gathered: to expect each of them costs more than to compute it.
    const wrong: string[] = [];
    for (const [i, row] of found.rows.entries()) {
      const expected = dense(rows[i]!, width);
      for (let k = 0; k < width; k++) {
        // Both compute in float64 and differ in the order of sums; then ours is rounded to float32.
        const tolerance = 1e-6 * Math.max(1, Math.abs(expected[k]!));
        if (!(Math.abs(row[k]! - expected[k]!) < tolerance)) {
          wrong.push(`row ${i}, feature ${k}: ${row[k]}, not ${expected[k]}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
