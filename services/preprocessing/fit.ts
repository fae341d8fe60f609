import {
  acceptsRange,
  type FittedColumn,
  type FittedLabel,
  isByteMatrix,
  loadNative,
  type PipelineDefinition,
  type PreparedColumn,
  pipelineFormat,
  prepareColumn,
  preparePipeline,
  stepsOnValues,
} from '../pipeline/index.js';
import { Violations } from '../platform/errors.js';
import { ColumnFit, type StoredMoments } from './column-fit.js';
import { fitLabel } from './label-fit.js';
import { type ColumnSpec, checkPipelineSpec, type LabelSpec, type PipelineSpec } from './pipeline-spec.js';
import { checkWeightColumn, checkWeights } from './sample-weights.js';
import { checkSplit, countSplits, type SplitAssignment, type SplitName, type SplitSpec } from './split.js';
import { assignSplits } from './split-assignment.js';
import type { StoredTable } from './stored-table.js';
import { checkTransformable } from './tensors.js';
import { TrainingBatches } from './training-batches.js';
import { assignPart, checkTrainingPart, type TrainingPart } from './training-part.js';

export interface Fit {
  definition: PipelineDefinition;
  rowCounts: Record<SplitName, number>;
  assignment: SplitAssignment;
}

export interface FitOptions {
  /** A column that weights rows in training, which is only checked here; empty: none. */
  sampleWeight: string;
  /** Null: on the whole training split. */
  part: TrainingPart | null;
}

/** Which rows are for what, and the label: with its classes from the whole training split, numbers standardised by the part's. */
export async function assignRows(
  spec: LabelSpec,
  split: SplitSpec,
  part: TrainingPart | null,
  table: StoredTable,
  signal: AbortSignal,
): Promise<{ assignment: SplitAssignment; label: FittedLabel }> {
  const whole = await assignSplits(split, table);
  const label = await fitLabel(spec, table, whole, signal);
  if (!part) {
    return { assignment: whole, label };
  }
  const assignment = await assignPart(part, whole, label, table);
  const isNumeric = spec.kind === 'number' || spec.kind === 'numbers';
  return { assignment, label: isNumeric ? await fitLabel(spec, table, assignment, signal) : label };
}

/** Each may hold some of what it has seen. */
const columnsAtOnce = 32;

/**
 * Learns a pipeline from the training rows of a table. The same arguments give the same definition.
 */
export async function fitPipeline(
  spec: PipelineSpec,
  split: SplitSpec,
  table: StoredTable,
  signal: AbortSignal,
  { sampleWeight = '', part = null }: Partial<FitOptions> = {},
): Promise<Fit> {
  const violations = new Violations();
  checkPipelineSpec(spec, table.columns, violations, split.column);
  checkSplit(split, table.columns, violations);
  checkWeightColumn(sampleWeight, spec, table.columns, violations);
  checkTrainingPart(part, spec.label, violations);
  violations.throwIfAny();
  const { assignment, label } = await assignRows(spec.label!, split, part, table, signal);
  if (sampleWeight !== '') {
    await checkWeights(sampleWeight, table, assignment, signal);
  }
  const columns: FittedColumn[] = [];
  const seen: (StoredMoments | null)[] = [];
  for (let first = 0; first < spec.columns.length; first += columnsAtOnce) {
    const some = spec.columns.slice(first, first + columnsAtOnce);
    for (const { column, stored } of await fitColumns(some, first, { table, assignment, label, signal })) {
      columns.push(column);
      seen.push(stored);
    }
  }
  const count = columns.reduce((sum, column) => sum + prepareColumn(column, 0).featureNames.length, 0);
  const features = { count, ...storageOf(columns) };
  const definition: PipelineDefinition = { format: pipelineFormat, columns, label, features };
  const pipeline = preparePipeline(definition);
  const unchecked = pipeline.columns.filter((column, i) => !isChecked(column, seen[i]!));
  await checkTransformable(pipeline, unchecked, { table, assignment, signal });
  return { definition, rowCounts: countSplits(assignment), assignment };
}

/** A fitted column, and what fitting has seen of it. */
interface SeenColumn {
  column: FittedColumn;
  stored: StoredMoments | null;
}

interface Training {
  table: StoredTable;
  assignment: SplitAssignment;
  label: FittedLabel;
  signal: AbortSignal;
}

/** Side by side, so that each batch is read once for all of them. @param first place of the first of them in the spec */
async function fitColumns(
  specs: readonly ColumnSpec[],
  first: number,
  { table, assignment, label, signal }: Training,
): Promise<SeenColumn[]> {
  // Waited for in a pass over the table, it would part those who need it from those who do not.
  await loadNative();
  const indices = specs.map((spec) => table.columns.findIndex(({ name }) => name === spec.column));
  const batches = new TrainingBatches(table, assignment, [...new Set(indices)]);
  const failure = new AbortController();
  const training = { table, batches, label, signal: AbortSignal.any([signal, failure.signal]) };
  const fits = specs.map(async (spec, i) => {
    try {
      const fit = new ColumnFit(training, spec, first + i);
      return { column: await fit.run(), stored: fit.stored };
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(fits);
  return Promise.all(fits);
}

/** Whether what fitting has seen of the training rows tells that each of them can be transformed. */
function isChecked(column: PreparedColumn, stored: StoredMoments | null): boolean {
  if (column.inEngine && !('steps' in column.inEngine)) {
    // Any value is a category, known or not; without a step before it, it was found that none is missing.
    return true;
  }
  return stored !== null && acceptsRange(column, stored);
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
