import type { Metric } from './contract-names.js';
import type { EpochMetrics } from './job.js';
import { isSmallerBetter, measuredOf } from './validation-metric.js';

/** Ends a training once `metric` has got no better by `minimumDelta` for `patience` measurements in a row. */
export interface EarlyStopping {
  metric: Metric;
  patience: number;
  minimumDelta: number;
  /** Whether the weights of the best epoch are what is tested and published. */
  restoreBest: boolean;
}

/** How it stands after some epochs; follows from their metrics alone. */
export interface StoppingState {
  best: number;
  bestEpoch: number;
  /** Measurements since the best. */
  waited: number;
}

/** The state after one more epoch. An epoch in which the metric was not measured changes nothing. */
export function observeEpoch(
  rule: EarlyStopping,
  before: StoppingState | null,
  metrics: EpochMetrics,
): StoppingState | null {
  const value = measuredOf(rule.metric, metrics);
  if (value === null) {
    return before;
  }
  const gain = before === null ? Number.POSITIVE_INFINITY : betterBy(rule.metric, value, before.best);
  return before === null || gain > rule.minimumDelta
    ? { best: value, bestEpoch: metrics.epoch, waited: 0 }
    : { ...before, waited: before.waited + 1 };
}

function betterBy(metric: Metric, value: number, best: number): number {
  return isSmallerBetter(metric) ? best - value : value - best;
}
