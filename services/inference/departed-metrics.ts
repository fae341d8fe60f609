import type { MetricsSnapshot } from '../platform/metrics.js';

/** What only grows; a gauge of a process that has ended says nothing. */
const counted = new Set(['counter', 'histogram']);

/**
 * Counters of workers that have ended, as they were heard of last, so that the sum over all never falls: Prometheus would take
 * that for a restart, and count everything anew.
 */
export class DepartedMetrics<Worker> {
  readonly #last = new Map<Worker, MetricsSnapshot>();
  readonly #departed: MetricsSnapshot[] = [];

  heard(worker: Worker, snapshot: MetricsSnapshot): void {
    this.#last.set(worker, snapshot);
  }

  lost(worker: Worker): void {
    const snapshot = this.#last.get(worker);
    if (snapshot) {
      this.#last.delete(worker);
      this.#departed.push(snapshot.filter(({ type }) => counted.has(String(type))));
    }
  }

  get snapshots(): readonly MetricsSnapshot[] {
    return this.#departed;
  }
}
