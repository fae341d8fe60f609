import type { Examples, FeatureBlock } from '../../native/index.js';
import { ServiceError } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
import type { RunnableJob } from './job.js';
import { retryWhileUnavailable } from './retry.js';
import type { Tensors } from './tensor-decoder.js';
import { rowWeights } from './trainer-options.js';
import type { FittedPipeline, LabelKind, Split } from './training-spec.js';

/** What a run needs of preprocessing. */
export interface TensorSource {
  tensors(pipeline: FittedPipeline, labelKind: LabelKind, split: Split, signal: AbortSignal): Promise<Tensors>;
}

/** Rows with their features in one block, in memory. */
export interface JobExamples extends Examples {
  features: [FeatureBlock & { data: Uint8Array | Float32Array }];
  targets: Int32Array | Float32Array;
  /** Of the dataset, as they came, [rows]; `weights` follow from them. */
  sampleWeights?: Float32Array;
}

/** The rows of a split, or null when it has none. Waits while preprocessing is away. */
export async function jobExamples(
  { pipeline, spec }: RunnableJob,
  split: Split,
  preprocessing: TensorSource,
  { signal, log, onWait }: { signal: AbortSignal; log: Logger; onWait: (text: string) => void },
): Promise<JobExamples | null> {
  if (pipeline.rowCounts[split] === 0) {
    return null;
  }
  const tensors = await retryWhileUnavailable(
    () => preprocessing.tensors(pipeline, spec.pipeline.labelKind!, split, signal),
    { signal, log, service: 'preprocessing', onWait },
  );
  const { rows, features: data, targets, weights: sampleWeights } = tensors;
  const { featureCount: columns, featureScale: scale, featureOffset: offset } = pipeline;
  const block: JobExamples['features'][0] =
    data instanceof Uint8Array
      ? { type: 'uint8', columns, data, scale, offset }
      : { type: 'float32', columns, data, scale, offset };
  const examples: JobExamples = { rows, features: [block], targets, ...(sampleWeights ? { sampleWeights } : {}) };
  return weighted(examples, split === 'train' ? rowWeights(spec.classWeights, pipeline.classes, targets) : null);
}

/** Training rows as they are scored: as rows of validation and test are. */
export function withoutClassWeights({ weights: _, ...examples }: JobExamples): JobExamples {
  return weighted(examples, null);
}

/**
 * Rows with the factors of their losses. Sample weights are scaled to a mean of 1, so that the engine's mean over rows is the weighted
 * mean: sum(weight * loss) / sum(weight). Class weights are no part of that, as in Keras.
 * @param classFactors [rows]; null: all 1
 */
export function weighted(examples: JobExamples, classFactors: Float32Array | null): JobExamples {
  const { sampleWeights, rows } = examples;
  if (!sampleWeights) {
    return classFactors ? { ...examples, weights: classFactors } : examples;
  }
  const sum = sampleWeights.reduce((total, weight) => total + weight, 0);
  if (sum === 0) {
    const message = `All ${rows} rows of a part of the training split have a weight of 0: nothing can be learned or told from them.`;
    throw new ServiceError('FAILED_PRECONDITION', 'NO_SAMPLE_WEIGHT', message);
  }
  const factor = rows / sum;
  return { ...examples, weights: sampleWeights.map((weight, row) => weight * factor * (classFactors?.[row] ?? 1)) };
}
