import type { Averaging, Clipping, Regularization } from '../../native/index.js';
import type { CheckpointRule } from './checkpoint-rule.js';
import type { DivergenceRule } from './divergence.js';
import type { EarlyStopping } from './early-stopping.js';
import { embeddingTables } from './embedding-tables.js';
import { type CrossValidation, foldTrainRows, type LearningCurve } from './folds.js';
import { resolveAugmentation } from './image-augmentation.js';
import { resolveLayer } from './layer-settings.js';
import { resolveOptimizer } from './optimizer-settings.js';
import { resolveSchedule } from './schedule-settings.js';
import { fraction, notNegative, positive, type Settings, unset, withDefaults } from './settings.js';
import {
  checkpointSettings,
  crossValidationSettings,
  divergenceSettings,
  earlyStoppingSettings,
  learningCurveSettings,
  validationSettings,
} from './stopping-settings.js';
import { stepsPerEpoch } from './training-length.js';
import { type FittedPipeline, hasClass, type SpecDraft, type TrainingSpec } from './training-spec.js';

const batchSizeDefault = 32;

/**
 * Fills in the defaults, and what follows from the data. The draft must have passed `checkSpec` and `checkAgainstPipeline`.
 * Fields stand in one order, so that equal specs are equal JSON.
 */
export function resolveSpec(draft: SpecDraft, pipeline: FittedPipeline): TrainingSpec {
  const { pipeline: asked, split, loss, optimizer, publish } = draft;
  if (!asked || !loss || !optimizer || !publish) {
    throw new Error('resolveSpec: the draft was not checked');
  }
  const batchSize = resolveBatchSize(draft, pipeline);
  const resolvedOptimizer = resolveOptimizer(optimizer);
  const end = { epochs: draft.epochs || null, steps: draft.steps || null, seconds: draft.seconds || null };
  const steps = stepsPerEpoch(pipeline.rowCounts.train, batchSize);
  const length = { stepsPerEpoch: steps, steps: trainingSteps(end, steps) };
  return {
    dataset: pipeline.datasetVersion,
    pipeline: asked,
    split: split ?? { message: {} },
    layers: draft.layers.map((layer) => resolveLayer(layer, (tables) => embeddingTables(tables, pipeline))),
    loss,
    labelSmoothing: draft.labelSmoothing ?? 0,
    huberDelta: loss === 'huber' ? (draft.huberDelta ?? 1) : null,
    classWeights: draft.balancedClassWeights ? 'balanced' : { ...draft.classWeights },
    sampleWeight: draft.sampleWeight || null,
    optimizer: resolvedOptimizer,
    schedule: resolveSchedule(draft.schedule ?? null, length, resolvedOptimizer.learningRate!),
    regularization: resolved<Regularization>({ l1: notNegative(0), l2: notNegative(0) }, draft.regularization),
    clipping: resolved<Clipping>(
      { value: positive(unset), norm: positive(unset), globalNorm: positive(unset) },
      draft.clipping,
    ),
    averaging: resolved<Averaging>({ decay: fraction(0.99) }, draft.averaging),
    sampling: draft.sampling ?? 'shuffle',
    augmentation: resolveAugmentation(draft.augmentation ?? null, pipeline),
    batchSize,
    ...end,
    earlyStopping: resolveEarlyStopping(draft, pipeline),
    validation: withDefaults(validationSettings, draft.validation ?? {}) as TrainingSpec['validation'],
    metrics: (draft.metrics ?? []) as TrainingSpec['metrics'],
    checkpoints: resolveCheckpoints(draft),
    crossValidation: resolveFolds<CrossValidation>(draft, crossValidationSettings, draft.crossValidation),
    learningCurve: resolveFolds<LearningCurve>(draft, learningCurveSettings, draft.learningCurve),
    onDivergence: resolved<DivergenceRule>(divergenceSettings, draft.onDivergence),
    seed: draft.seed,
    publish: { model: publish.model, aliases: publish.aliases, promoteIf: publish.promoteIf ?? '' },
  };
}

function resolved<Resolved>(settings: Settings, given: SpecDraft['averaging']): Resolved | null {
  return given ? (withDefaults(settings, given) as Resolved) : null;
}

function resolveBatchSize(draft: SpecDraft, pipeline: FittedPipeline): number | 'full' {
  const { optimizer, fullBatch, batchSize } = draft;
  if (fullBatch || optimizer!.type === 'gradientDescent') {
    return 'full';
  }
  return batchSize || Math.min(batchSizeDefault, trainRowsMin(draft, pipeline));
}

/** Rows of the smallest training of a job: that on all, or on all but a fold. */
export function trainRowsMin({ crossValidation }: SpecDraft, { rowCounts }: FittedPipeline): number {
  if (!crossValidation) {
    return rowCounts.train;
  }
  const { folds } = withDefaults(crossValidationSettings, crossValidation);
  return foldTrainRows(rowCounts.train, folds as number);
}

/** Steps until the spec's numbers end the training; null: only time does. */
export function trainingSteps({ epochs, steps }: Pick<TrainingSpec, 'epochs' | 'steps'>, perEpoch: number) {
  const all = Math.min(
    epochs === null ? Number.POSITIVE_INFINITY : epochs * perEpoch,
    steps ?? Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(all) ? all : null;
}

function resolveCheckpoints({ checkpoints }: SpecDraft): CheckpointRule {
  const given = checkpoints ?? {};
  const isGiven = [given.everyEpochs, given.everySteps, given.everySeconds].some((every) => every !== undefined);
  return withDefaults(checkpointSettings, isGiven ? given : { ...given, everyEpochs: 1 }) as unknown as CheckpointRule;
}

function resolveFolds<Resolved extends CrossValidation>(
  { pipeline, seed }: SpecDraft,
  settings: Settings,
  given: SpecDraft['crossValidation'],
): Resolved | null {
  const stratified = hasClass(pipeline?.labelKind);
  return given ? ({ stratified, seed, ...withDefaults(settings, given) } as unknown as Resolved) : null;
}

function resolveEarlyStopping({ earlyStopping }: SpecDraft, { rowCounts }: FittedPipeline): EarlyStopping | null {
  const metric = rowCounts.validation > 0 ? 'validationLoss' : 'trainLoss';
  return earlyStopping ? ({ metric, ...withDefaults(earlyStoppingSettings, earlyStopping) } as EarlyStopping) : null;
}
