import type {
  Averaging,
  Clipping,
  Activation as EngineActivation,
  Initializer as EngineInitializer,
  LayerSpec as EngineLayer,
  LossName,
  OptimizerSpec,
  Regularization,
  Schedule,
} from '../../native/index.js';
import type { CheckpointRule } from './checkpoint-rule.js';
import type { Metric } from './contract-names.js';
import type { DivergenceRule } from './divergence.js';
import type { EarlyStopping } from './early-stopping.js';
import type { CrossValidation, LearningCurve } from './folds.js';
import type { ImageAugmentation } from './image-augmentation.js';
import type { LayerDraft } from './layer-settings.js';
import type { OptimizerDraft } from './optimizer-settings.js';
import type { ScheduleDraft } from './schedule-settings.js';
import type { Draft } from './settings.js';

/**
 * What decides a training run, in the engine's words: what `TrainingSpec` is on the wire, with every default filled in and
 * every length in steps.
 */
export interface TrainingSpec {
  /** `datasets/NAME/versions/N` in a job; `datasets/NAME` is allowed in a request only. */
  dataset: string;
  pipeline: PipelineRequest;
  split: SplitRequest;
  layers: LayerSpec[];
  loss: Loss;
  labelSmoothing: number;
  /** Null but for huber. */
  huberDelta: number | null;
  /** Of the classes that are named; the others have 1. */
  classWeights: 'balanced' | Record<string, number>;
  /** The column that weights rows; null: all count alike. */
  sampleWeight: string | null;
  optimizer: OptimizerSpec;
  schedule: Schedule | null;
  regularization: Regularization | null;
  clipping: Clipping | null;
  averaging: Averaging | null;
  sampling: Sampling;
  augmentation: ImageAugmentation | null;
  /** Rows a step. */
  batchSize: number | 'full';
  /** Training ends with the first of these four that comes; null: not given. */
  epochs: number | null;
  steps: number | null;
  seconds: number | null;
  earlyStopping: EarlyStopping | null;
  validation: { everyEpochs: number };
  /** Of the validation rows, beside loss and accuracy. */
  metrics: Metric[];
  checkpoints: CheckpointRule;
  /** Null: a training that diverges fails. */
  onDivergence: DivergenceRule | null;
  crossValidation: CrossValidation | null;
  learningCurve: LearningCurve | null;
  seed: number;
  publish: PublishSpec;
}

/** A spec as a caller sent it: `null` and `undefined` stand where a field was left out or names something unknown. */
export interface SpecDraft {
  dataset: string;
  pipeline: PipelineRequest | null;
  split: SplitRequest | null;
  layers: LayerDraft[];
  loss: Loss | null;
  labelSmoothing?: number;
  huberDelta?: number;
  classWeights?: Record<string, number>;
  balancedClassWeights?: boolean;
  /** Empty: not given. */
  sampleWeight?: string;
  optimizer: OptimizerDraft | null;
  schedule?: ScheduleDraft | null;
  regularization?: Draft | null;
  clipping?: Draft | null;
  averaging?: Draft | null;
  sampling?: Sampling | null;
  augmentation?: Draft | null;
  /** 0: not given; so it is for `epochs`, `steps` and `seconds`. */
  batchSize: number;
  fullBatch?: boolean;
  epochs: number;
  steps?: number;
  seconds?: number;
  earlyStopping?: Draft | null;
  validation?: Draft | null;
  /** Words of ours, or what else came. */
  metrics?: unknown[];
  checkpoints?: Draft | null;
  onDivergence?: Draft | null;
  crossValidation?: Draft | null;
  learningCurve?: Draft | null;
  seed: number;
  publish: PublishSpec | null;
}

/** What preprocessing is asked to fit. It alone knows what the message says; training looks at the label's kind only. */
export interface PipelineRequest {
  labelKind: LabelKind | null;
  /** `PipelineSpec` as it came. */
  message: object;
}

/** What preprocessing fits of a dataset. */
export interface FitRequest {
  pipeline: PipelineRequest;
  split: SplitRequest | null;
  /** A column; empty: rows have no weights. */
  sampleWeight: string;
  /** Null: on the whole training split. */
  part: TrainingPart | null;
}

/** Rows to fit on: those of the training split without a fold, or a share of them. The rows of the fold are in the place of the test. */
export interface TrainingPart {
  folds: number;
  /** From 1. */
  fold: number;
  stratified: boolean;
  seed: number;
  /** 0: all of them. */
  trainSize: number;
}

/** Which rows are for what. */
export interface SplitRequest {
  /** `SplitSpec` as it came. */
  message: object;
}

/** Those of the engine that make sense for answers: `logSoftmax` gives none that a client could read. */
export type Activation = Exclude<EngineActivation, 'logSoftmax'>;
export type Initializer = Extract<EngineInitializer, string>;
/** Those of the engine that a single label column can have. */
export type Loss = Exclude<LossName, 'hinge' | 'kullbackLeibler'>;
export type LabelKind = 'classes' | 'binary' | 'number' | 'numbers' | 'labels';
export type Sampling = 'shuffle' | 'sequential' | 'stratified';
export type Annealing = 'cosine' | 'linear';

/** A layer of the engine, but for the columns of an embedding, which have names here. */
export type LayerSpec =
  | Exclude<EngineLayer, { type: 'embedding' | 'residual' }>
  | { type: 'residual'; layers: LayerSpec[] }
  | { type: 'embedding'; tables: EmbeddingTable[] };

export interface EmbeddingTable {
  column: string;
  units: number;
  /** Vectors: one a category of the column, and one for all that are unseen. */
  categories: number;
  /** Which feature the column is. */
  feature: number;
}

export interface PublishSpec {
  /** `models/NAME` */
  model: string;
  aliases: string[];
  /** The aliases move only if this holds, see `promotion-condition.ts`; empty, or in earlier jobs not there: they move. */
  promoteIf?: string;
}

/** A pipeline that preprocessing has fitted. */
export interface FittedPipeline {
  /** `pipelines/ID` */
  name: string;
  digest: string;
  /** `datasets/NAME/versions/N` */
  datasetVersion: string;
  datasetDigest: string;
  /** `pipeline.json` */
  definition: string;
  featureCount: number;
  /** Known when a job is made, and not kept with it. */
  featureNames?: string[];
  featureType: 'uint8' | 'float32';
  featureScale: number;
  featureOffset: number;
  /** Names in the order of the network's outputs; two for one output that tells them apart; empty: the label is a number, or several. */
  classes: string[];
  /** Names of several numbers in the order of the network's outputs; else empty. Jobs made before there was this have none. */
  numbers?: string[];
  rowCounts: Record<Split, number>;
  /** The column that weights rows; empty, or in earlier jobs not there: none does. */
  sampleWeight?: string;
  /** Of a label that is standardised, one a number; null: targets are the labels themselves. Jobs made before there was this have none. */
  labelUnits?: LabelUnits[] | null;
}

/** A network learns (label - offset) / scale. */
export interface LabelUnits {
  scale: number;
  offset: number;
}

/** Whether a row has one class. */
export function hasClass(kind: LabelKind | null | undefined): boolean {
  return kind === 'classes' || kind === 'binary';
}

/** Whether answers are numbers, which are right by degree. */
export function isNumeric(kind: LabelKind | null | undefined): boolean {
  return kind === 'number' || kind === 'numbers';
}

/** Targets of a row; null: there is one, a number by itself. */
export function targetWidth(kind: LabelKind | null, { classes, numbers = [] }: FittedPipeline): number | null {
  return kind === 'labels' ? classes.length : kind === 'numbers' ? numbers.length : null;
}

export type Split = 'train' | 'validation' | 'test';

/** A spec as a job of an earlier release holds it: what came later has its default. */
export function completeSpec(stored: Partial<TrainingSpec>): TrainingSpec {
  const layers = (stored.layers ?? []).map((layer) => ({ ...earlierLayer, ...layer }) as LayerSpec);
  const optimizer = { weightDecay: 0, ...stored.optimizer } as OptimizerSpec;
  return { ...earlierSpec, ...stored, layers, optimizer } as TrainingSpec;
}

const earlierLayer = { type: 'dense' };
const earlierSpec = {
  labelSmoothing: 0,
  huberDelta: null,
  classWeights: {},
  sampleWeight: null,
  schedule: null,
  regularization: null,
  clipping: null,
  averaging: null,
  sampling: 'shuffle',
  steps: null,
  seconds: null,
  earlyStopping: null,
  validation: { everyEpochs: 1 },
  metrics: [],
  checkpoints: { everyEpochs: 1, keepLast: 1 },
  onDivergence: null,
  crossValidation: null,
  learningCurve: null,
  augmentation: null,
} satisfies Partial<TrainingSpec>;
