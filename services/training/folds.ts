import { randomKey } from '../pipeline/index.js';
import { type JobExamples, weighted } from './job-examples.js';
import { rowWeights } from './trainer-options.js';
import { stepsPerEpoch } from './training-length.js';
import type { FittedPipeline, TrainingSpec } from './training-spec.js';

/** How the training rows are shared out. */
export interface CrossValidation {
  folds: number;
  stratified: boolean;
  seed: number;
}

/** What a network reaches on the fold that it was not trained on. */
export interface FoldScore {
  /** From 1. */
  fold: number;
  rowCount: number;
  /** Figures of the report by their names, those that the rows leave undefined left out. */
  metrics: Record<string, number>;
}

/** What the folds come to; of measures that each of them has. */
export interface CrossValidationScore {
  mean: Record<string, number>;
  /** As numpy's `std`: over the folds, not of an estimate. */
  deviation: Record<string, number>;
}

/**
 * The fold of each row, from 1. Rows are shuffled, class by class if `strata` tells classes, and dealt out one by one: folds differ by at
 * most a row in size, and at most a row in each class.
 * @param strata the class of each row; null: rows are all alike
 */
export function assignFolds(
  rows: number,
  { folds, seed }: CrossValidation,
  strata: ArrayLike<number> | null,
): Uint8Array {
  const keys = Float64Array.from({ length: rows }, (_, row) => randomKey(seed, row));
  const order = Uint32Array.from(keys.keys()).sort(
    (a, b) => (strata === null ? 0 : strata[a]! - strata[b]!) || keys[a]! - keys[b]! || a - b,
  );
  const foldOf = new Uint8Array(rows);
  for (const [place, row] of order.entries()) {
    foldOf[row] = 1 + (place % folds);
  }
  return foldOf;
}

/** Copies of the rows within a fold and of those without. */
export function partByFold(
  examples: JobExamples,
  foldOf: Uint8Array,
  fold: number,
  classWeights: (targets: JobExamples['targets']) => Float32Array | null,
): { train: JobExamples; held: JobExamples } {
  const train = rowsWhere(examples, (row) => foldOf[row] !== fold);
  const held = rowsWhere(examples, (row) => foldOf[row] === fold);
  return { train: weighted(train, classWeights(train.targets)), held: weighted(held, null) };
}

/** Factors of training rows, by the classes among them. */
export function classWeightsOf({ classWeights }: TrainingSpec, { classes }: FittedPipeline) {
  return (targets: JobExamples['targets']) => rowWeights(classWeights, classes, targets);
}

function rowsWhere(
  { rows, features: [block], targets, sampleWeights }: JobExamples,
  isTaken: (row: number) => boolean,
): JobExamples {
  const taken = Uint32Array.from({ length: rows }, (_, row) => row).filter(isTaken);
  const { columns, data } = block;
  const width = targets.length / rows;
  const features = { ...block, data: gather(data, taken, columns) } as typeof block;
  const part = { rows: taken.length, features: [features], targets: gather(targets, taken, width) } as JobExamples;
  return sampleWeights ? { ...part, sampleWeights: gather(sampleWeights, taken, 1) } : part;
}

/** Rows of a matrix, [taken, width]. */
function gather<Values extends JobExamples['features'][0]['data'] | JobExamples['targets']>(
  values: Values,
  taken: Uint32Array,
  width: number,
): Values {
  const gathered = new (values.constructor as new (length: number) => Values)(taken.length * width);
  for (const [i, row] of taken.entries()) {
    gathered.set(values.subarray(row * width, (row + 1) * width), i * width);
  }
  return gathered;
}

/** Rows that a fold leaves to train on. @param fold that of the largest unless another is given */
export function foldTrainRows(rows: number, folds: number, fold = 1): number {
  return rows - Math.floor(rows / folds) - (fold <= rows % folds ? 1 : 0);
}

/** What is to be known before scores of folds are believed. @param strata the class of each row, or null */
export function foldWarnings(
  { definition, classes }: FittedPipeline,
  { folds }: CrossValidation,
  strata: ArrayLike<number> | null,
): string[] {
  const warnings: string[] = [];
  const { columns = [] } = JSON.parse(definition) as { columns?: { steps?: { kind: string }[] }[] };
  if (columns.some(({ steps = [] }) => steps.some(({ kind }) => kind === 'target'))) {
    warnings.push(
      'The step `target` was fitted on the labels of all training rows, those of each fold too: the scores of the folds are better than those of new rows.',
    );
  }
  const counts = new Array<number>(strata === null ? 0 : classes.length).fill(0);
  for (let row = 0; row < (strata?.length ?? 0); row++) {
    counts[strata![row]!]!++;
  }
  const rare = classes.filter((_, k) => counts[k]! < folds && strata !== null);
  if (rare.length > 0) {
    const named = rare.slice(0, 10).join(', ');
    warnings.push(
      `There are fewer rows than folds of ${named}${rare.length > 10 ? ' and others' : ''}: some folds have none.`,
    );
  }
  return warnings;
}

/** What the folds come to, once all of them are scored. */
export function summarise(scores: readonly FoldScore[]): CrossValidationScore {
  const [first] = scores;
  const names = Object.keys(first?.metrics ?? {}).filter((name) => scores.every(({ metrics }) => name in metrics));
  const over = (measure: (values: number[]) => number) =>
    Object.fromEntries(names.map((name) => [name, measure(scores.map(({ metrics }) => metrics[name]!))]));
  return {
    mean: over(mean),
    deviation: over((values) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)))),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The spec as a fold's training has it: where epochs end it, a schedule is as much shorter as they are. */
export function specOfPart(
  { spec, pipeline }: { spec: TrainingSpec; pipeline: FittedPipeline },
  fold: number,
): TrainingSpec {
  const { schedule, crossValidation } = spec;
  if (fold === 0 || !crossValidation || schedule === null || spec.epochs === null || spec.steps !== null) {
    return spec;
  }
  const rows = pipeline.rowCounts.train;
  const perEpoch = stepsPerEpoch(foldTrainRows(rows, crossValidation.folds, fold), spec.batchSize);
  const share = perEpoch / stepsPerEpoch(rows, spec.batchSize);
  const shortened = (steps: number, least: number) => Math.max(Math.round(steps * share), least);
  const length = 'steps' in schedule ? { steps: shortened(schedule.steps, schedule.type === 'oneCycle' ? 2 : 1) } : {};
  return { ...spec, schedule: { ...schedule, warmupSteps: shortened(schedule.warmupSteps ?? 0, 0), ...length } };
}
