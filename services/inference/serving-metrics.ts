import type { HistogramCounts } from '../platform/histogram-counts.js';
import { histogramSeries, registerCollected } from '../platform/histogram-counts.js';
import type { Metrics } from '../platform/metrics.js';
import type { ModelRepository } from './model-repository.js';
import type { VersionState, VersionStatus } from './model-table.js';
import { shadowOutcomes } from './shadow.js';
import type { VersionStatistics } from './version-statistics.js';

/** What Prometheus is told of inferences, by model and version. A version that is no longer served has no series. */
export function registerServingMetrics(
  { registry }: Metrics,
  repository: ModelRepository,
  inFlight: () => number,
): void {
  const versions = () =>
    repository.loaded.map(({ model, number, statistics }) => ({ labels: { model, version: number }, statistics }));
  const counter = (name: string, help: string, read: (statistics: VersionStatistics) => Record<string, number>) =>
    registerCollected(registry, {
      name,
      help,
      type: 'counter',
      collect: () =>
        versions().flatMap(({ labels, statistics }) =>
          Object.entries(read(statistics)).map(([outcome, value]) => ({
            labels: outcome ? { ...labels, outcome } : labels,
            value,
          })),
        ),
    });
  const histogram = (name: string, help: string, read: (statistics: VersionStatistics) => HistogramCounts) =>
    registerCollected(registry, {
      name,
      help,
      type: 'histogram',
      collect: () => versions().flatMap(({ labels, statistics }) => histogramSeries(name, labels, read(statistics))),
    });

  registerCollected(registry, {
    name: 'millrace_inference_in_flight',
    help: 'Requests that wait or are computed.',
    type: 'gauge',
    collect: () => [{ labels: {}, value: inFlight() }],
  });
  registerCollected(registry, {
    name: 'millrace_inference_versions',
    help: 'Versions of a model by state: LOADING, READY or UNAVAILABLE.',
    type: 'gauge',
    aggregator: 'max',
    collect: () => repository.statuses.flatMap(({ name, versions }) => countStates(name, versions)),
  });
  counter('millrace_inference_requests_total', 'Requests that reached a version, by outcome.', ({ success, fail }) => ({
    success: success.count,
    failure: fail.count,
  }));
  counter('millrace_inference_rows_total', 'Rows computed.', ({ inferenceCount }) => ({ '': inferenceCount }));
  registerCollected(registry, {
    name: 'millrace_inference_shadow_total',
    help: 'Copies of requests to a shadow, by how its answer compares with that of the version: equal, different, failed (no answer, or none that compares) or dropped (no room or time).',
    type: 'counter',
    collect: () =>
      versions().flatMap(({ labels, statistics }) =>
        Object.entries(statistics.shadows).flatMap(([shadow, counts]) =>
          shadowOutcomes.map((outcome) => ({ labels: { ...labels, shadow, outcome }, value: counts[outcome] })),
        ),
      ),
  });
  histogram(
    'millrace_inference_seconds',
    'Time from a request to its answer, waiting included; successes only.',
    ({ requestSeconds }) => requestSeconds,
  );
  histogram(
    'millrace_inference_queue_seconds',
    'Time that a request waited to be computed.',
    ({ queueSeconds }) => queueSeconds,
  );
  histogram(
    'millrace_inference_compute_seconds',
    'Time that a batch took, putting it together and apart included.',
    ({ computeSeconds }) => computeSeconds,
  );
  histogram('millrace_inference_batch_rows', 'Rows of a batch.', ({ batchRows }) => batchRows);
}

function countStates(model: string, versions: readonly VersionStatus[]) {
  const states = new Map<VersionState, number>();
  for (const { state } of versions) {
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  return [...states].map(([state, value]) => ({ labels: { model, state }, value }));
}
