import { quote, ServiceError, Violations } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
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
import { DepartedStatistics } from './departed-statistics.js';
import type { Fleet } from './fleet.js';
import { parseLoadConfig } from './load-config.js';
import { ModelCatalog } from './model-catalog.js';
import { explainMissing } from './model-table.js';
import type { RegistryFollower } from './registry-follower.js';
import { changeLogSettings, changeRequestLog, levelOf, requestLogTexts } from './setting-changes.js';
import { uploadedVersions } from './uploaded-version.js';
import { mergeStatistics } from './version-statistics.js';
import type { WorkerCommands } from './worker-commands.js';

export interface CoordinatorOptions {
  fleet: Fleet;
  log: Logger;
  /** Of this process, where workers have others of their own; null where it is the worker. */
  metrics: Metrics | null;
}

/** Decides what the server serves, and answers for all workers together. */
export class Coordinator implements ServerControl {
  readonly catalog: ModelCatalog;
  readonly #fleet: Fleet;
  readonly #departedMetrics = new DepartedMetrics<WorkerCommands>();
  readonly #departedStatistics = new DepartedStatistics<WorkerCommands>();
  #follower: RegistryFollower | null = null;

  constructor(private readonly options: CoordinatorOptions) {
    const { fleet } = options;
    this.#fleet = fleet;
    this.catalog = new ModelCatalog({
      routed: (table) => fleet.route(table),
      removed: (model) => fleet.removeModel(model),
      ready: (isReady) => fleet.setReady(isReady),
    });
  }

  follow(follower: RegistryFollower): void {
    this.#follower = follower;
  }

  /** A worker has ended; what it had counted still counts. */
  lost(worker: WorkerCommands): void {
    this.#departedMetrics.lost(worker);
    this.#departedStatistics.lost(worker);
  }

  /** Hears from every worker what it has counted, so that little is lost with one that is killed. */
  async listen(): Promise<void> {
    await this.#statistics();
    await this.#metrics();
  }

  async index(): Promise<IndexedModel[]> {
    return this.catalog.statuses;
  }

  async load(model: string, { config, files }: LoadRequest): Promise<void> {
    const overrides = parseLoadConfig(model, config);
    const uploaded = files.size > 0 ? uploadedVersions(files) : null;
    await this.#following().load(model, overrides, uploaded);
    await this.#fleet.settled();
  }

  async unload(model: string): Promise<void> {
    await this.#following().unload(model);
    await this.#fleet.settled();
  }

  async statistics(model: string, version: string): Promise<StatisticsEntry[]> {
    const asked = this.#askedVersions(model, version);
    const byWorker = (await this.#statistics()).flat();
    return asked.map(({ model: name, number, id }) => {
      const counted = byWorker.filter((load) => load.id === id);
      const statistics = mergeStatistics([
        ...this.#departedStatistics.of(id),
        ...counted.map((load) => load.statistics),
      ]);
      return { model: name, version: number, statistics, sizeBytes: counted[0]?.sizeBytes ?? 0 };
    });
  }

  async registerRegion(region: SharedRegion): Promise<void> {
    const { name, key, byteSize } = region;
    const violations = new Violations();
    violations.check(name !== '', 'name', 'the name of a region', name);
    violations.check(key !== '', 'key', 'the name of a shared memory object', key);
    violations.check(byteSize >= 1, 'byte_size', 'at least 1', byteSize);
    violations.throwIfAny();
    if (this.#fleet.region(name)) {
      const message = `shared memory region '${name}' already in manager`;
      throw new ServiceError('ALREADY_EXISTS', 'SHARED_MEMORY_EXISTS', message);
    }
    await this.#fleet.registerRegion(region);
  }

  async unregisterRegion(name: string): Promise<void> {
    await this.#fleet.unregisterRegion(name);
  }

  async regions(name: string): Promise<SharedRegion[]> {
    if (name === '') {
      return this.#fleet.regions();
    }
    const region = this.#fleet.region(name);
    if (!region) {
      const message = `Unable to find system shared memory region: '${name}'`;
      throw new ServiceError('NOT_FOUND', 'SHARED_MEMORY_NOT_FOUND', message);
    }
    return [region];
  }

  async traceSettings(model: string, changes: SettingTexts): Promise<SettingTexts> {
    if (model !== '' && !this.catalog.get(model)) {
      throw unknownModel(model);
    }
    const settings = this.#fleet.currentSettings;
    if (changes.size > 0) {
      const requestLog = changeRequestLog(settings.requestLog, model, changes);
      await this.#fleet.configure({ ...settings, requestLog });
    }
    return requestLogTexts(this.#fleet.currentSettings.requestLog, model);
  }

  async logSettings(changes: ReadonlyMap<string, LogSettingValue>): Promise<LogSettings> {
    const settings = this.#fleet.currentSettings;
    if (changes.size > 0) {
      const log = changeLogSettings(settings.log, changes);
      this.options.log.level = levelOf(log);
      await this.#fleet.configure({ ...settings, log });
    }
    return this.#fleet.currentSettings.log;
  }

  async metricsText(): Promise<string> {
    const snapshots = [...this.#departedMetrics.snapshots, ...(await this.#metrics())];
    if (this.options.metrics) {
      snapshots.push(await this.options.metrics.registry.getMetricsAsJSON());
    }
    return mergeMetrics(snapshots);
  }

  async #metrics(): Promise<MetricsSnapshot[]> {
    return (await this.#fleet.metrics()).map(([worker, snapshot]) => {
      this.#departedMetrics.heard(worker, snapshot);
      return snapshot;
    });
  }

  async #statistics() {
    this.#departedStatistics.keep(new Set(this.#allVersions().map(({ id }) => id)));
    return (await this.#fleet.statistics()).map(([worker, statistics]) => {
      this.#departedStatistics.heard(worker, statistics);
      return statistics;
    });
  }

  #allVersions() {
    return this.catalog.names.flatMap((model) =>
      this.catalog.get(model)!.prepared.map(({ id, number }) => ({ model, id, number })),
    );
  }

  #askedVersions(model: string, version: string) {
    if (model === '') {
      return this.#allVersions();
    }
    const served = this.catalog.get(model);
    if (!served) {
      throw unknownModel(model);
    }
    const found = version === '' ? served.prepared : [served.find(version)].filter((one) => one !== null);
    if (found.length === 0 && version !== '') {
      throw explainMissing(served.table, version);
    }
    return found.map(({ id, number }) => ({ model, id, number })).sort((a, b) => a.number - b.number);
  }

  #following(): RegistryFollower {
    if (!this.#follower) {
      throw new ServiceError('UNAVAILABLE', 'SERVER_NOT_READY', 'The server is starting. Try again later.');
    }
    return this.#follower;
  }
}

const unknownModel = (name: string) =>
  new ServiceError('NOT_FOUND', 'MODEL_NOT_FOUND', `Request for unknown model: ${quote(name)} is not found`);
