import { embeddingTables } from './embedding-tables.js';
import { resolveAugmentation } from './image-augmentation.js';
import type { OfFold } from './job.js';
import type { Draft } from './settings.js';
import { stepsPerEpoch } from './training-length.js';
import type { EmbeddingTable, FittedPipeline, TrainingPart, TrainingSpec } from './training-spec.js';

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

/** Rows of a share, at least one. */
export function sizeRows(rows: number, share: number): number {
  return Math.max(Math.round(rows * share), 1);
}

/** What preprocessing is asked to fit a part on. */
export function toTrainingPart({ rule, fold, trainSize }: JobPart): TrainingPart {
  const { folds, stratified, seed } = rule;
  return { folds, fold, stratified, seed, trainSize: trainSize ?? 0 };
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

/** Rows that a fold leaves to train on. @param fold that of the largest unless another is given */
export function foldTrainRows(rows: number, folds: number, fold = 1): number {
  return rows - Math.floor(rows / folds) - (fold <= rows % folds ? 1 : 0);
}

/** What is to be known before scores of stratified folds are believed; null: nothing. @param targets the class of each row */
export function foldWarning(
  { classes }: FittedPipeline,
  { folds, stratified }: CrossValidation,
  targets: Iterable<number>,
): string | null {
  const counts = new Array<number>(classes.length).fill(0);
  for (const target of stratified ? targets : []) {
    counts[target]!++;
  }
  const rare = classes.filter((_, k) => stratified && counts[k]! < folds);
  const named = rare.slice(0, 10).join(', ');
  return rare.length === 0
    ? null
    : `There are fewer rows than folds of ${named}${rare.length > 10 ? ' and others' : ''}: some folds have none.`;
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
 * The spec as a part's training has it: places of features are those of its own pipeline, a batch has no more rows than there are, and where
 * epochs end it, a schedule is as much shorter as they are.
 * @param own fitted on the part
 */
export function specOfPart(
  { spec: given, pipeline }: { spec: TrainingSpec; pipeline: FittedPipeline },
  own: FittedPipeline,
): TrainingSpec {
  const rows = own.rowCounts.train;
  const batchSize = given.batchSize === 'full' ? 'full' : Math.min(given.batchSize, rows);
  const spec = { ...withPlaces(given, own), batchSize } as TrainingSpec;
  const { schedule } = spec;
  if (schedule === null || spec.epochs === null || spec.steps !== null) {
    return spec;
  }
  const share = stepsPerEpoch(rows, batchSize) / stepsPerEpoch(pipeline.rowCounts.train, given.batchSize);
  const shortened = (steps: number, least: number) => Math.max(Math.round(steps * share), least);
  const length = 'steps' in schedule ? { steps: shortened(schedule.steps, schedule.type === 'oneCycle' ? 2 : 1) } : {};
  return { ...spec, schedule: { ...schedule, warmupSteps: shortened(schedule.warmupSteps ?? 0, 0), ...length } };
}

/** With embedded columns and images where another pipeline has them. */
function withPlaces(spec: TrainingSpec, pipeline: FittedPipeline): TrainingSpec {
  const layers = spec.layers.map((layer) =>
    layer.type === 'embedding'
      ? {
          ...layer,
          tables: embeddingTables(layer.tables as unknown as Draft[], pipeline) as unknown as EmbeddingTable[],
        }
      : layer,
  );
  const { images: _, ...changes } = spec.augmentation ?? {};
  const augmentation = spec.augmentation && resolveAugmentation(changes as Draft, pipeline);
  return { ...spec, layers, augmentation };
}
