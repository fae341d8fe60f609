import { Counter, Gauge, Histogram, type Metrics } from '../platform/metrics.js';
import type { LoadedVersion } from './loaded-version.js';
import type { ModelRepository } from './model-repository.js';

/** Upper bounds of rows; a row is one inference. */
const rowBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1_024, 4_096, 16_384];
const secondBuckets = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

interface VersionLabels {
  version: { model: string; version: number };
  success: { model: string; version: number; outcome: string };
  failure: { model: string; version: number; outcome: string };
}

/** What Prometheus is told of inferences, by model and version. A version that is no longer served has no series. */
export class ServingMetrics {
  readonly #requests: Counter<'model' | 'version' | 'outcome'>;
  readonly #seconds: Histogram<'model' | 'version'>;
  readonly #rows: Histogram<'model' | 'version'>;
  readonly #labels = new Map<LoadedVersion, VersionLabels>();

  constructor({ registry }: Metrics, repository: ModelRepository, inFlight: () => number) {
    const registers = [registry];
    const forget = () => this.#forgetRetired(repository);
    // First, so that it forgets before the others are read.
    new Gauge({
      name: 'millrace_inference_versions',
      help: 'Versions of a model by state: LOADING, READY or UNAVAILABLE.',
      labelNames: ['model', 'state'],
      registers,
      collect() {
        forget();
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
  }

  /** @param begin from `performance.now()` */
  succeeded(version: LoadedVersion, rows: number, begin: number): void {
    const labels = this.#labelsOf(version);
    this.#requests.inc(labels.success);
    this.#seconds.observe(labels.version, (performance.now() - begin) / 1_000);
    this.#rows.observe(labels.version, rows);
  }

  failed(version: LoadedVersion): void {
    this.#requests.inc(this.#labelsOf(version).failure);
  }

  #labelsOf(version: LoadedVersion): VersionLabels {
    let labels = this.#labels.get(version);
    if (!labels) {
      const shared = { model: version.model, version: version.number };
      labels = {
        version: shared,
        success: { ...shared, outcome: 'success' },
        failure: { ...shared, outcome: 'failure' },
      };
      this.#labels.set(version, labels);
    }
    return labels;
  }

  #forgetRetired(repository: ModelRepository): void {
    for (const [version, labels] of this.#labels) {
      if (repository.find(version.model, String(version.number)) !== version) {
        this.#labels.delete(version);
        this.#requests.remove(labels.success);
        this.#requests.remove(labels.failure);
        this.#seconds.remove(labels.version);
        this.#rows.remove(labels.version);
      }
    }
  }
}
