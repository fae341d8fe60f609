import { type HistogramCounts, histogramCounts, mergeHistograms, observe } from '../platform/histogram-counts.js';
import { mergeShadowCounts, type ShadowCounts, shadowCounts } from './shadow.js';

/** How often something was done, and how long that took in all. */
export interface DurationStatistic {
  count: number;
  ns: number;
}

const parts = [
  'success',
  'fail',
  'queue',
  'computeInput',
  'computeInfer',
  'computeOutput',
  'cacheHit',
  'cacheMiss',
] as const;

/** Parts of a request's way, by the names of the protocol's `InferStatistics`. Each is counted once a request. */
export type StatisticPart = (typeof parts)[number];

/** Batches of one number of rows. */
export interface BatchStatistic {
  count: number;
  computeInputNs: number;
  computeInferNs: number;
  computeOutputNs: number;
}

const secondBounds = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const rowBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1_024, 4_096, 16_384];

/** What a version has done since it was loaded: plain data that processes can send each other and add up. */
export interface VersionStatistics extends Record<StatisticPart, DurationStatistic> {
  /** Milliseconds since 1970; 0: never. */
  lastInferenceMs: number;
  /** Rows answered. */
  inferenceCount: number;
  /** Batches computed. */
  executionCount: number;
  /** By rows of the batch. */
  batches: Record<number, BatchStatistic>;
  /** Copies of the requests that it answered, by the version that computed them. */
  shadows: Record<number, ShadowCounts>;
  requestSeconds: HistogramCounts;
  queueSeconds: HistogramCounts;
  computeSeconds: HistogramCounts;
  batchRows: HistogramCounts;
}

export function versionStatistics(): VersionStatistics {
  const durations = Object.fromEntries(parts.map((part) => [part, { count: 0, ns: 0 }]));
  return {
    ...(durations as Record<StatisticPart, DurationStatistic>),
    lastInferenceMs: 0,
    inferenceCount: 0,
    executionCount: 0,
    batches: {},
    shadows: {},
    requestSeconds: histogramCounts(secondBounds),
    queueSeconds: histogramCounts(secondBounds),
    computeSeconds: histogramCounts(secondBounds),
    batchRows: histogramCounts(rowBounds),
  };
}

const nsPerMs = 1e6;

/** @param ms of one request */
export function addDuration(statistic: DurationStatistic, ms: number): void {
  statistic.count++;
  statistic.ns += ms * nsPerMs;
}

/** A batch as it was computed; times in ms. */
export interface BatchTimes {
  requests: number;
  rows: number;
  inputMs: number;
  inferMs: number;
  outputMs: number;
}

export function addBatch(
  statistics: VersionStatistics,
  { requests, rows, inputMs, inferMs, outputMs }: BatchTimes,
): void {
  statistics.executionCount++;
  statistics.inferenceCount += rows;
  statistics.lastInferenceMs = Date.now();
  const computed = [
    [statistics.computeInput, inputMs],
    [statistics.computeInfer, inferMs],
    [statistics.computeOutput, outputMs],
  ] as const;
  for (const [statistic, ms] of computed) {
    statistic.count += requests;
    statistic.ns += requests * ms * nsPerMs;
  }
  statistics.batches[rows] ??= { count: 0, computeInputNs: 0, computeInferNs: 0, computeOutputNs: 0 };
  const batch = statistics.batches[rows];
  batch.count++;
  batch.computeInputNs += inputMs * nsPerMs;
  batch.computeInferNs += inferMs * nsPerMs;
  batch.computeOutputNs += outputMs * nsPerMs;
  observe(statistics.computeSeconds, (inputMs + inferMs + outputMs) / 1_000);
  observe(statistics.batchRows, rows);
}

export function shadowCountsOf({ shadows }: VersionStatistics, shadow: number): ShadowCounts {
  shadows[shadow] ??= shadowCounts();
  return shadows[shadow];
}

/** The sum of what several processes have done with the same version. */
export function mergeStatistics(all: readonly VersionStatistics[]): VersionStatistics {
  const sum = versionStatistics();
  for (const one of all) {
    for (const part of parts) {
      sum[part].count += one[part].count;
      sum[part].ns += one[part].ns;
    }
    sum.lastInferenceMs = Math.max(sum.lastInferenceMs, one.lastInferenceMs);
    sum.inferenceCount += one.inferenceCount;
    sum.executionCount += one.executionCount;
    for (const [rows, batch] of Object.entries(one.batches)) {
      sum.batches[Number(rows)] ??= { count: 0, computeInputNs: 0, computeInferNs: 0, computeOutputNs: 0 };
      const into = sum.batches[Number(rows)]!;
      into.count += batch.count;
      into.computeInputNs += batch.computeInputNs;
      into.computeInferNs += batch.computeInferNs;
      into.computeOutputNs += batch.computeOutputNs;
    }
    for (const [shadow, counts] of Object.entries(one.shadows)) {
      mergeShadowCounts(shadowCountsOf(sum, Number(shadow)), counts);
    }
    for (const histogram of ['requestSeconds', 'queueSeconds', 'computeSeconds', 'batchRows'] as const) {
      mergeHistograms(sum[histogram], one[histogram]);
    }
  }
  return sum;
}
