import type { Examples, FeatureBlock, Trainer } from '../../native/index.js';
import { divergence } from './divergence.js';

/** Rows that are measured in one go: a run that is to end waits for no more than these. */
const evaluationRowsMax = 65_536;
/** Gradients are measured on this share of the rows, from so many to so many: it must cost little beside the epoch. */
const probeShare = 1 / 1_000;
const probeRowsMin = 32;
const probeRowsMax = 256;

export interface Measures {
  loss: number;
  accuracy: number | null;
}

/**
 * Means over all rows, in slices so that a cancellation is seen in between. Of what would be published now: of the weights, or with
 * `isAveraged` of their average.
 */
export async function evaluate(
  trainer: Trainer,
  examples: Examples,
  { isAveraged, signal }: { isAveraged: boolean; signal: AbortSignal },
): Promise<Measures> {
  return withPublishedWeights(trainer, isAveraged, () => measure(trainer, examples, signal));
}

/** Does something while the network has the weights that would be published now. */
export async function withPublishedWeights<T>(
  trainer: Trainer,
  isAveraged: boolean,
  body: () => Promise<T>,
): Promise<T> {
  if (!isAveraged) {
    return body();
  }
  const weights = trainer.saveState();
  trainer.useAveragedWeights();
  try {
    return await body();
  } finally {
    trainer.loadState(weights);
  }
}

async function measure(trainer: Trainer, examples: Examples, signal: AbortSignal): Promise<Measures> {
  const sums = { loss: 0, accuracy: 0 };
  for (let begin = 0; begin < examples.rows; begin += evaluationRowsMax) {
    const slice = rowsFrom(examples, begin, Math.min(begin + evaluationRowsMax, examples.rows));
    const { loss, accuracy } = await trainer.evaluate(slice);
    signal.throwIfAborted();
    sums.loss += loss * slice.rows;
    sums.accuracy += (accuracy ?? 0) * slice.rows;
  }
  const loss = sums.loss / examples.rows;
  if (!Number.isFinite(loss)) {
    throw divergence(trainer.step, `the loss on held-out rows is ${loss}`);
  }
  return { loss, accuracy: sums.accuracy / examples.rows };
}

/** Rows `begin` to `end` of examples, not copied. */
export function rowsFrom(examples: Examples, begin: number, end: number): Examples {
  const rowsOf = (block: FeatureBlock) => {
    const data = block.data.subarray(begin * block.columns, end * block.columns);
    return { ...block, data } as FeatureBlock;
  };
  const targetsPerRow = examples.targets.length / examples.rows;
  return {
    ...examples,
    rows: end - begin,
    features: examples.features.map(rowsOf),
    targets: examples.targets.subarray(begin * targetsPerRow, end * targetsPerRow),
    ...(examples.weights ? { weights: examples.weights.subarray(begin, end) } : {}),
  };
}

/** How steep the loss of the first rows is where the network stands, and how large its weights are. */
export async function measureNorms(
  trainer: Trainer,
  train: Examples,
): Promise<{ gradientNorm: number; weightNorm: number }> {
  const share = Math.min(Math.max(Math.ceil(train.rows * probeShare), probeRowsMin), probeRowsMax);
  const { gradient, parameters } = await trainer.norms(rowsFrom(train, 0, Math.min(share, train.rows)));
  return { gradientNorm: gradient, weightNorm: parameters };
}
