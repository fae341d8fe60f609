import { Counter, Gauge, Histogram, type Metrics } from '../platform/metrics.js';
import type { LoadedVersion } from './loaded-version.js';
import type { ModelRepository } from './model-repository.js';

/** Upper bounds of rows; a row is one inference. */
const rowBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1_024, 4_096, 16_384];
const secondBuckets = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** What Prometheus is told of inferences, by model and version. Only versions that answer have series. */
export class ServingMetrics {
  readonly #requests: Counter<'model' | 'version' | 'outcome'>;
  readonly #seconds: Histogram<'model' | 'version'>;
  readonly #rows: Histogram<'model' | 'version'>;

  constructor({ registry }: Metrics, repository: ModelRepository, inFlight: () => number) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'millrace_inference_requests_total',
      help: 'Requests that reached a version, by outcome: success or failure.',
      labelNames: ['model', 'version', 'outcome'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'millrace_inference_seconds',
      help: 'Time from a request to its answer, waiting included; successes only.',
      labelNames: ['model', 'version'],
      buckets: secondBuckets,
      registers,
    });
    this.#rows = new Histogram({
      name: 'millrace_inference_rows',
      help: 'Rows of a request; successes only.',
      labelNames: ['model', 'version'],
      buckets: rowBuckets,
      registers,
    });
    new Gauge({
      name: 'millrace_inference_versions',
      help: 'Versions of a model by state: LOADING, READY or UNAVAILABLE.',
      labelNames: ['model', 'state'],
      registers,
      collect() {
        this.reset();
        for (const { name, versions } of repository.statuses) {
          for (const { state } of versions) {
            this.inc({ model: name, state });
          }
        }
      },
    });
    new Gauge({
      name: 'millrace_inference_in_flight',
      help: 'Requests that wait or compute aside; those answered on the spot never wait.',
      registers,
      collect() {
        this.set(inFlight());
      },
    });
  }

  /** @param begin from `performance.now()` */
  succeeded(version: LoadedVersion, rows: number, begin: number): void {
    const labels = { model: version.model, version: version.number };
    this.#requests.inc({ ...labels, outcome: 'success' });
    this.#seconds.observe(labels, (performance.now() - begin) / 1_000);
    this.#rows.observe(labels, rows);
  }

  failed(version: LoadedVersion): void {
    this.#requests.inc({ model: version.model, version: version.number, outcome: 'failure' });
  }
}
