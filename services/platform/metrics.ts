import { performance } from 'node:perf_hooks';
import { AggregatorRegistry, collectDefaultMetrics, type MetricObject, Registry } from 'prom-client';
import type { StatusName } from '../../proto/index.js';
import {
  type HistogramCounts,
  histogramCounts,
  histogramSeries,
  observe,
  registerCollected,
} from './histogram-counts.js';

export { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const secondBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The longest time that a timer takes. */
const timerMsMax = 2 ** 31 - 1;

/** Calls of one method that have ended. */
class MethodCounts {
  readonly byCode = new Map<StatusName, number>();
  readonly seconds: HistogramCounts = histogramCounts(secondBounds);

  ended(code: StatusName, ms: number): void {
    this.byCode.set(code, (this.byCode.get(code) ?? 0) + 1);
    observe(this.seconds, ms / 1_000);
  }
}

/** Metrics of one service process; every series carries `service`. */
export class Metrics {
  readonly registry = new Registry();
  readonly #methods = new Map<string, MethodCounts>();

  constructor(service: string) {
    this.registry.setDefaultLabels({ service });
    collectProcessMetrics(this.registry);
    registerCollected(this.registry, {
      name: 'grpc_server_handled_total',
      help: 'Calls that ended, by method and status code.',
      type: 'counter',
      collect: () =>
        [...this.#methods].flatMap(([method, { byCode }]) =>
          [...byCode].map(([code, value]) => ({ labels: { method, code }, value })),
        ),
    });
    const name = 'grpc_server_handling_seconds';
    registerCollected(this.registry, {
      name,
      help: 'Time from the start of a call to its end.',
      type: 'histogram',
      collect: () =>
        [...this.#methods]
          .filter(([, { byCode }]) => byCode.size > 0)
          .flatMap(([method, { seconds }]) => histogramSeries(name, { method }, seconds)),
    });
  }

  /** Where the calls of a method are counted. */
  method(path: string): MethodCounts {
    let counts = this.#methods.get(path);
    if (!counts) {
      counts = new MethodCounts();
      this.#methods.set(path, counts);
    }
    return counts;
  }
}

/**
 * What prom-client tells of a process, but for the delays of its event loop: it finds them with a timer that wakes the process 100
 * times a second. In a mesh at rest that was most of its work, and each time a thread that trains had to make room. The time that
 * the event loop was busy tells the same, and libuv counts it anyway.
 */
function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: timerMsMax });
  for (const { name } of registry.getMetricsAsArray()) {
    if (/^nodejs_eventloop_lag_\w+_seconds$/.test(name)) {
      registry.removeSingleMetric(name);
    }
  }
  registerCollected(registry, {
    name: 'nodejs_eventloop_active_seconds_total',
    help: 'Time that the event loop was busy.',
    type: 'counter',
    collect: () => [{ labels: {}, value: performance.eventLoopUtilization().active / 1_000 }],
  });
}

/** A process's metrics as plain data, which other processes can add to theirs. */
export type MetricsSnapshot = MetricObject[];

export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE;

/** Adds up the metrics of several processes, in Prometheus's text format. */
export function mergeMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate([...snapshots]).metrics();
}
