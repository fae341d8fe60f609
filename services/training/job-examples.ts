import type { Examples, FeatureBlock } from '../../native/index.js';
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
  const { rows, features: data, targets } = tensors;
  const { featureCount: columns, featureScale: scale, featureOffset: offset } = pipeline;
  const block: JobExamples['features'][0] =
    data instanceof Uint8Array
      ? { type: 'uint8', columns, data, scale, offset }
      : { type: 'float32', columns, data, scale, offset };
  const examples: JobExamples = { rows, features: [block], targets };
  const weights = split === 'train' ? rowWeights(spec.classWeights, pipeline.classes, targets) : null;
  return weights ? { ...examples, weights } : examples;
}
