import { ServiceError } from '../platform/errors.js';
import { type Metrics, type MetricsSnapshot, mergeMetrics } from '../platform/metrics.js';
import type {
  IndexedModel,
  LoadRequest,
  LogSettings,
  LogSettingValue,
  ServerControl,
  SettingTexts,
  SharedRegion,
  StatisticsEntry,
} from './control.js';
import { DepartedMetrics } from './departed-metrics.js';
import type { Fleet } from './fleet.js';
import { ModelCatalog } from './model-catalog.js';
import type { WorkerCommands } from './worker-commands.js';

export interface CoordinatorOptions {
  fleet: Fleet;
  /** Of this process, where workers have others of their own; null where it is the worker. */
  metrics: Metrics | null;
}

/** Decides what the server serves, and answers for all workers together. */
export class Coordinator implements ServerControl {
  readonly catalog: ModelCatalog;
  readonly #fleet: Fleet;
  readonly #departedMetrics = new DepartedMetrics<WorkerCommands>();

  constructor(private readonly options: CoordinatorOptions) {
    const { fleet } = options;
    this.#fleet = fleet;
    this.catalog = new ModelCatalog({
      routed: (table) => fleet.route(table),
      removed: (model) => fleet.removeModel(model),
      ready: (isReady) => fleet.setReady(isReady),
    });
  }

  /** A worker has ended; what it had counted still counts. */
  lost(worker: WorkerCommands): void {
    this.#departedMetrics.lost(worker);
  }

  async index(): Promise<IndexedModel[]> {
    return this.catalog.statuses;
  }

  async metricsText(): Promise<string> {
    const snapshots: MetricsSnapshot[] = [...this.#departedMetrics.snapshots];
    for (const [worker, snapshot] of await this.#fleet.metrics()) {
      this.#departedMetrics.heard(worker, snapshot);
      snapshots.push(snapshot);
    }
    if (this.options.metrics) {
      snapshots.push(await this.options.metrics.registry.getMetricsAsJSON());
    }
    return mergeMetrics(snapshots);
  }

  async load(_model: string, _request: LoadRequest): Promise<void> {
    throw missing('RepositoryModelLoad');
  }

  async unload(_model: string): Promise<void> {
    throw missing('RepositoryModelUnload');
  }

  async statistics(_model: string, _version: string): Promise<StatisticsEntry[]> {
    throw missing('ModelStatistics');
  }

  async registerRegion(_region: SharedRegion): Promise<void> {
    throw missing('SystemSharedMemoryRegister');
  }

  async unregisterRegion(_name: string): Promise<void> {
    throw missing('SystemSharedMemoryUnregister');
  }

  async regions(_name: string): Promise<SharedRegion[]> {
    throw missing('SystemSharedMemoryStatus');
  }

  async traceSettings(_model: string, _changes: SettingTexts): Promise<SettingTexts> {
    throw missing('TraceSetting');
  }

  async logSettings(_changes: ReadonlyMap<string, LogSettingValue>): Promise<LogSettings> {
    throw missing('LogSettings');
  }
}

const missing = (method: string) =>
  new ServiceError(
    'UNIMPLEMENTED',
    'UNSUPPORTED',
    `${method} is not supported by this server: ServerMetadata lists the extensions that it has.`,
  );
