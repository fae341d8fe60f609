import {
  type FittedColumn,
  isByteMatrix,
  type PipelineDefinition,
  pipelineFormat,
  prepareColumn,
  preparePipeline,
  stepsOnValues,
} from '../pipeline/index.js';
import { Violations } from '../platform/errors.js';
import { ColumnFit } from './column-fit.js';
import { fitLabel } from './label-fit.js';
import { checkPipelineSpec, type PipelineSpec } from './pipeline-spec.js';
import { checkSplit, countSplits, type SplitAssignment, type SplitName, type SplitSpec } from './split.js';
import { assignSplits } from './split-assignment.js';
import type { StoredTable } from './stored-table.js';
import { checkTransformable } from './tensors.js';

export interface Fit {
  definition: PipelineDefinition;
  rowCounts: Record<SplitName, number>;
  assignment: SplitAssignment;
}

/** Learns a pipeline from the training rows of a table. The same arguments give the same definition. */
export async function fitPipeline(
  spec: PipelineSpec,
  split: SplitSpec,
  table: StoredTable,
  signal: AbortSignal,
): Promise<Fit> {
  const violations = new Violations();
  checkPipelineSpec(spec, table.columns, violations, split.column);
  checkSplit(split, table.columns, violations);
  violations.throwIfAny();
  const assignment = await assignSplits(split, table);
  const label = await fitLabel(spec.label!, table, assignment, signal);
  const columns: FittedColumn[] = [];
  for (const [i, column] of spec.columns.entries()) {
    columns.push(await new ColumnFit({ table, assignment, label, signal }, column, i).run());
  }
  const count = columns.reduce((sum, column) => sum + prepareColumn(column, 0).featureNames.length, 0);
  const features = { count, ...storageOf(columns) };
  const definition: PipelineDefinition = { format: pipelineFormat, columns, label, features };
  await checkTransformable(preparePipeline(definition), table, assignment, signal);
  return { definition, rowCounts: countSplits(assignment), assignment };
}

/** Bytes stay bytes; scale and offset are rounded to float32 here, so that everybody computes with the same numbers. */
function storageOf(columns: FittedColumn[]): Omit<PipelineDefinition['features'], 'count'> {
  if (!isByteMatrix(columns)) {
    return { type: 'float32', scale: 1, offset: 0 };
  }
  const [step] = stepsOnValues(columns[0]!);
  if (step?.kind !== 'scale') {
    return { type: 'uint8', scale: 1, offset: 0 };
  }
  const { subtract, divide } = step;
  // 0 - x and not -x: minus zero would become another JSON text than zero.
  return { type: 'uint8', scale: Math.fround(1 / divide), offset: Math.fround(0 - subtract / divide) };
}
