import { networkBytes, rowsBytes } from './memory-estimate.js';
import { type LayerShape, layerShapes } from './network-shape.js';
import { trainingSteps } from './spec-resolution.js';
import { stepsPerEpoch } from './training-length.js';
import { type FittedPipeline, type TrainingSpec, targetWidth } from './training-spec.js';

/** What a spec comes to on its dataset. */
export interface TrainingPlan {
  spec: TrainingSpec;
  pipeline: FittedPipeline;
  layers: LayerShape[];
  parameterCount: number;
  stepsPerEpoch: number;
  /** Null: only time ends the training. */
  steps: number | null;
  memoryBytes: number;
}

/** What `spec`, resolved on `pipeline`, comes to. */
export function planTraining(spec: TrainingSpec, pipeline: FittedPipeline): TrainingPlan {
  const layers = layerShapes(pipeline.featureCount, spec.layers);
  const parameterCount = layers.reduce((sum, layer) => sum + layer.parameterCount, 0);
  const perEpoch = stepsPerEpoch(pipeline.rowCounts.train, spec.batchSize);
  const targetCount = targetWidth(spec.pipeline.labelKind, pipeline) ?? 1;
  return {
    ...{ spec, pipeline, layers, parameterCount },
    stepsPerEpoch: perEpoch,
    steps: trainingSteps(spec, perEpoch),
    memoryBytes:
      networkBytes(parameterCount, spec.optimizer, spec.averaging !== null) + rowsBytes(pipeline, targetCount),
  };
}
