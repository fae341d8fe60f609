import { randomKey } from '../pipeline/index.js';
import type { OfFold } from './job.js';
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

/** Trainings on shares of the rows, with folds for each. */
export interface LearningCurve extends CrossValidation {
  trainSizes: number[];
}

/** One of the trainings before that which is published. */
export interface JobPart {
  rule: CrossValidation;
  /** From 1. */
  fold: number;
  /** Of a learning curve: the share of the rows without the fold; null: all of them. */
  trainSize: number | null;
}

/** Those of a job, in their order. */
export function partsOf({ crossValidation, learningCurve }: TrainingSpec): JobPart[] {
  const parts = (rule: CrossValidation, trainSize: number | null) =>
    Array.from({ length: rule.folds }, (_, i) => ({ rule, fold: i + 1, trainSize }));
  return [
    ...(crossValidation ? parts(crossValidation, null) : []),
    ...(learningCurve ? learningCurve.trainSizes.flatMap((size) => parts(learningCurve, size)) : []),
  ];
}

/** What events say of a part. */
export function ofPart(part: JobPart | undefined): OfFold {
  return part ? { fold: part.fold, ...(part.trainSize === null ? {} : { trainSize: part.trainSize }) } : {};
}

/** Rows that a part trains on, of so many in the training split. */
export function partRows(rows: number, { rule, fold, trainSize }: JobPart): number {
  const left = foldTrainRows(rows, rule.folds, fold);
  return trainSize === null ? left : sizeRows(left, trainSize);
}

/** Rows of a share, at least one. */
export function sizeRows(rows: number, share: number): number {
  return Math.max(Math.round(rows * share), 1);
}

/** What a network reaches on the fold that it was not trained on. */
export interface FoldScore {
  /** From 1. */
  fold: number;
  rowCount: number;
  /** Figures of the report by their names, those that the rows leave undefined left out. */
  metrics: Record<string, number>;
  /** Of a learning curve: the share of the rows without the fold that it was trained on. */
  trainSize?: number;
  trainRowCount?: number;
  /** On these rows. */
  trainMetrics?: Record<string, number>;
}

/** Those of a cross-validation alone. */
export function foldScores(scores: readonly FoldScore[]): FoldScore[] {
  return scores.filter(({ trainSize }) => trainSize === undefined);
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

/**
 * The rows without a fold, of which the first `share` is taken: in the order of their keys, each class as evenly as it can be, so that a
 * smaller share is a part of a larger one.
 * @param strata the class of each row; null: rows are all alike
 */
export function takeShare(
  foldOf: Uint8Array,
  { rule: { seed }, fold, trainSize }: JobPart,
  strata: ArrayLike<number> | null,
): (row: number) => boolean {
  if (trainSize === null) {
    return (row) => foldOf[row] !== fold;
  }
  const rows = Uint32Array.from(foldOf.keys()).filter((row) => foldOf[row] !== fold);
  const keys = Float64Array.from(foldOf, (_, row) => randomKey(seed, row));
  const byClass = new Map<number, number[]>();
  for (const row of rows.sort((a, b) => keys[a]! - keys[b]! || a - b)) {
    const stratum = strata?.[row] ?? 0;
    byClass.set(stratum, [...(byClass.get(stratum) ?? []), row]);
  }
  const placed = [...byClass.values()].flatMap((own) => own.map((row, i) => ({ row, place: (i + 0.5) / own.length })));
  placed.sort((a, b) => a.place - b.place || keys[a.row]! - keys[b.row]! || a.row - b.row);
  const taken = new Set(placed.slice(0, sizeRows(rows.length, trainSize)).map(({ row }) => row));
  return (row) => taken.has(row);
}

/** Copies of the rows that a part trains on, of the same without class weights, and of the rows of its fold. */
export function partByFold(
  examples: JobExamples,
  foldOf: Uint8Array,
  fold: number,
  classWeights: (targets: JobExamples['targets']) => Float32Array | null,
  isTaken = (row: number) => foldOf[row] !== fold,
): { train: JobExamples; seen: JobExamples; held: JobExamples } {
  const train = rowsWhere(examples, isTaken);
  const held = rowsWhere(examples, (row) => foldOf[row] === fold);
  return {
    train: weighted(train, classWeights(train.targets)),
    seen: weighted(train, null),
    held: weighted(held, null),
  };
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

/**
 * The spec as a part's training has it: a batch has no more rows than there are, and where epochs end it, a schedule is as much shorter as
 * they are.
 * @param part undefined: the training that is published
 */
export function specOfPart(
  { spec: given, pipeline }: { spec: TrainingSpec; pipeline: FittedPipeline },
  part: JobPart | undefined,
): TrainingSpec {
  if (!part) {
    return given;
  }
  const rows = pipeline.rowCounts.train;
  const own = partRows(rows, part);
  const batchSize = given.batchSize === 'full' ? 'full' : Math.min(given.batchSize, own);
  const spec = { ...given, batchSize } as TrainingSpec;
  const { schedule } = spec;
  if (schedule === null || spec.epochs === null || spec.steps !== null) {
    return spec;
  }
  const perEpoch = stepsPerEpoch(own, batchSize);
  const share = perEpoch / stepsPerEpoch(rows, given.batchSize);
  const shortened = (steps: number, least: number) => Math.max(Math.round(steps * share), least);
  const length = 'steps' in schedule ? { steps: shortened(schedule.steps, schedule.type === 'oneCycle' ? 2 : 1) } : {};
  return { ...spec, schedule: { ...schedule, warmupSteps: shortened(schedule.warmupSteps ?? 0, 0), ...length } };
}
