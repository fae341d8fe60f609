import { fitPipeline } from '../../../services/preprocessing/fit.js';
import type { LabelSpec, StepSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { TargetReader } from '../../../services/preprocessing/target-reader.js';
import { openTable, type TableContent } from './table.js';

/** The fitted label of a table with a column `part` for its split, and the targets of every row, read `batchRows` at a time. */
export async function fitLabel(
  content: TableContent,
  batchRows: number,
  label: LabelSpec,
  steps: StepSpec[] = [],
  column = 'x',
) {
  const table = await openTable(content, batchRows);
  try {
    const spec = { columns: [{ column, steps }], label };
    const split = { ...wholeSplit, column: 'part' };
    const { definition } = await fitPipeline(spec, split, table, new AbortController().signal);
    const reader = new TargetReader(definition.label, table);
    const targets: number[] = [];
    for (const batch of table.batches) {
      const targetsOf = await reader.read(batch);
      targets.push(...targetsOf(Int32Array.from({ length: batch.header.length }, (_, i) => i)));
    }
    return { definition, targets };
  } finally {
    await table.close();
  }
}
