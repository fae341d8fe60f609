import { type FoldScore, foldScores, summarise } from './folds.js';
import type { EpochMetrics, TestMetrics } from './job.js';
import { inLabelUnits } from './label-units.js';
import { layerShapes, toNetworkSpec } from './network-shape.js';
import { learningCurveOf } from './report/learning-curve.js';
import { type Evaluation, findingsIn } from './report/network-evaluation.js';
import type { FittedPipeline, TrainingSpec } from './training-spec.js';

/** Files of a model version by name. Nothing in them depends on when or where the job ran, times in the report aside. */
export type Artifacts = Record<string, Uint8Array>;

export interface ArtifactSources {
  spec: TrainingSpec;
  pipeline: FittedPipeline;
  /** `model.safetensors` */
  weights: Uint8Array;
  epochs: EpochMetrics[];
  /** The epoch that the weights are of. */
  restoredEpoch: number;
  tested: Tested;
}

/** What the test rows said; null where there are none. */
export interface Tested {
  test: TestMetrics | null;
  evaluation: Evaluation | null;
  /** Of the parts of a job, first to last; empty without cross-validation and learning curve. */
  scores: FoldScore[];
}

export function createArtifacts({
  spec,
  pipeline,
  weights,
  epochs,
  restoredEpoch,
  tested,
}: ArtifactSources): Artifacts {
  const network = {
    format: 'millrace.network/1',
    ...toNetworkSpec(pipeline.featureCount, spec.layers),
    loss: spec.loss,
  };
  const { outputs } = layerShapes(pipeline.featureCount, spec.layers).at(-1)!;
  const signature = {
    format: 'millrace.signature/1',
    inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, pipeline.featureCount] }],
    outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, outputs] }],
    classes: pipeline.classes,
    ...(spec.pipeline.labelKind === 'labels' ? { multiLabel: true } : {}),
    ...(spec.pipeline.labelKind === 'numbers' ? { numbers: pipeline.numbers } : {}),
  };
  const folds = foldScores(tested.scores);
  const learningCurve = learningCurveOf(tested.scores);
  const report = {
    format: 'millrace.report/1',
    test: tested.test,
    evaluation: tested.evaluation,
    ...(folds.length > 0 ? { crossValidation: { ...summarise(folds), folds } } : {}),
    ...(learningCurve ? { learningCurve } : {}),
    findings: findingsIn(epochs, tested.evaluation),
    restoredEpoch,
    epochs: epochs.map(withoutForecast),
  };
  return {
    'model.safetensors': pipeline.labelUnits
      ? inLabelUnits(weights, spec.layers.length - 1, pipeline.labelUnits)
      : weights,
    'network.json': toBytes(network),
    'pipeline.json': Buffer.from(pipeline.definition),
    'signature.json': toBytes(signature),
    'report.json': Buffer.from(`${JSON.stringify(report)}\n`),
  };
}

/** Numbers of a version, as the registry lists them. @param epoch that its weights are of */
export function versionMetrics(
  epoch: EpochMetrics | undefined,
  { test, evaluation, scores }: Tested,
): Record<string, number> {
  const figures = Object.entries(evaluation?.figures ?? {}).map(([name, value]) => [`test_${name}`, value]);
  const { mean } = summarise(foldScores(scores));
  const held = Object.entries(epoch?.validationMetrics ?? {}).map(([name, value]) => [`validation_${name}`, value]);
  const named = {
    ...(Object.fromEntries(figures) as Record<string, number | null>),
    train_loss: epoch?.loss,
    train_accuracy: epoch?.accuracy,
    validation_loss: epoch?.validationLoss,
    validation_accuracy: epoch?.validationAccuracy,
    ...Object.fromEntries(held),
    ...Object.fromEntries(Object.entries(mean).map(([name, value]) => [`cross_validation_${name}`, value])),
    test_loss: test?.loss,
    test_accuracy: test?.accuracy,
  };
  const known = Object.entries(named).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return Object.fromEntries(known);
}

function withoutForecast({ remainingSeconds: _, ...metrics }: EpochMetrics): Omit<EpochMetrics, 'remainingSeconds'> {
  return metrics;
}

function toBytes(value: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}
