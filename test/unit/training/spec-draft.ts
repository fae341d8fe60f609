import type { NewJob } from '../../../services/training/job-store.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import type { FittedPipeline, SpecDraft } from '../../../services/training/training-spec.js';

/** A spec that is right in every field. */
export function validDraft(changes: Partial<SpecDraft> = {}): SpecDraft {
  return {
    dataset: 'datasets/mnist',
    pipeline: { labelKind: 'classes', message: { label: { column: 'label', kind: 'KIND_CLASSES' } } },
    split: { message: { column: 'split' } },
    layers: [
      { type: 'dense', units: 128, activation: 'relu' },
      { type: 'dense', units: 10, activation: 'softmax' },
    ],
    loss: 'categoricalCrossEntropy',
    optimizer: { type: 'adam' },
    batchSize: 0,
    epochs: 5,
    seed: 1,
    publish: { model: 'models/mnist', aliases: ['champion'] },
    ...changes,
  };
}

/** What preprocessing answers to `validDraft`. */
export function fittedPipeline(changes: Partial<FittedPipeline> = {}): FittedPipeline {
  return {
    name: 'pipelines/p1',
    digest: `sha256:${'a'.repeat(64)}`,
    datasetVersion: 'datasets/mnist/versions/3',
    datasetDigest: `sha256:${'b'.repeat(64)}`,
    definition: '{}',
    featureCount: 784,
    featureType: 'uint8',
    featureScale: 1 / 255,
    featureOffset: 0,
    classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    rowCounts: { train: 54_000, validation: 6_000, test: 10_000 },
    ...changes,
  };
}

/** A job of `validDraft`. */
export function newJob(changes: Partial<NewJob> = {}): NewJob {
  return {
    ...{
      id: 'a',
      requestId: null,
      requestDigest: '',
      isTrial: false,
      owner: '',
      priority: 0,
      labels: {},
      stepEventsPerSecond: 10,
    },
    spec: resolveSpec(validDraft(), fittedPipeline()),
    pipeline: fittedPipeline(),
    ...changes,
  };
}
