import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import type { Logger } from '../platform/log.js';
import { Metrics, type MetricsSnapshot } from '../platform/metrics.js';
import type { AnyServer, ServerOptions } from '../platform/server.js';
import { Admission } from './admission.js';
import type { BatchPredictions } from './batch-prediction/batch-prediction.js';
import type { InferenceConfig } from './config.js';
import type { ServerControl, SharedRegion } from './control.js';
import { controlMethods } from './control-rpc.js';
import { Inference } from './inference.js';
import { mapMemory } from './mapped-memory.js';
import { ModelRepository } from './model-repository.js';
import type { ModelTable } from './model-table.js';
import { predictionService } from './prediction-rpc.js';
import { RequestSights } from './request-sights.js';
import { inferenceService, toConfig } from './rpc.js';
import { registerServingMetrics } from './serving-metrics.js';
import { levelOf } from './setting-changes.js';
import { Shadowing } from './shadowing.js';
import { SharedMemoryRegions } from './shared-memory.js';
import { loadVersion } from './version-loader.js';
import type { LoadStatistics, ServerSettings, VersionFiles, WorkerCommands } from './worker-commands.js';

const { version } = createRequire(import.meta.url)('#package') as { version: string };

export interface ServingWorkerOptions {
  config: InferenceConfig;
  control: ServerControl;
  jobs: BatchPredictions;
  log: Logger;
}

/** Makes a server of what it is to answer, one that listens or one that is handed its connections. */
export type StartServer<S extends AnyServer> = (options: ServerOptions) => S | Promise<S>;

/** Answers calls with what the coordinator has it serve, in a process of its own or in the coordinator's. */
export class ServingWorker<S extends AnyServer> implements WorkerCommands {
  readonly #repository: ModelRepository;
  /** Versions that were let go of while they were being loaded. */
  readonly #loading = new Map<number, { isReleased: boolean }>();

  private constructor(
    private readonly options: ServingWorkerOptions,
    repository: ModelRepository,
    private readonly admission: Admission,
    private readonly shadowing: Shadowing,
    private readonly regions: SharedMemoryRegions,
    private readonly sights: RequestSights,
    private readonly processMetrics: Metrics,
    readonly server: S,
  ) {
    this.#repository = repository;
  }

  static async start<S extends AnyServer>(
    options: ServingWorkerOptions,
    startServer: StartServer<S>,
  ): Promise<ServingWorker<S>> {
    const { config, control, jobs, log } = options;
    const metrics = new Metrics('inference');
    const repository = new ModelRepository();
    const regions = new SharedMemoryRegions(mapMemory);
    const admission = new Admission({
      requestsMax: config.maxInFlight,
      bytesMax: config.maxInFlightBytes,
      threadsMax: Math.max(1, Math.floor(availableParallelism() / config.workers)),
    });
    registerServingMetrics(metrics, repository, () => admission.requests);
    const sights = new RequestSights(log);
    const shadowing = new Shadowing(() => admission.isBusy, log);
    const inference = new Inference(repository, regions, sights, shadowing);
    const description = { version, loadedVersionsMax: config.loadedVersionsMax };
    const served = (model: string) =>
      repository.loaded
        .filter((loaded) => loaded.model === model)
        .map((loaded) => ({ ...toConfig(loaded, config.loadedVersionsMax) }));
    const server = await startServer({
      log,
      metrics,
      metricsText: () => control.metricsText(),
      messageBytesMax: config.messageBytesMax,
      implementations: [
        inferenceService(inference, description, controlMethods(control, served)),
        predictionService(inference, jobs),
      ],
    });
    return new ServingWorker(options, repository, admission, shadowing, regions, sights, metrics, server);
  }

  async prepare(files: VersionFiles): Promise<void> {
    const loading = { isReleased: false };
    this.#loading.set(files.id, loading);
    try {
      const loaded = await loadVersion(files, {
        admission: this.admission,
        batchRowsMax: this.options.config.batchRowsMax,
        messageBytesMax: this.options.config.messageBytesMax,
      });
      if (loading.isReleased) {
        loaded.retire();
      } else {
        this.#repository.add(files.id, loaded);
      }
    } finally {
      this.#loading.delete(files.id);
    }
  }

  async release(id: number): Promise<void> {
    const loading = this.#loading.get(id);
    if (loading) {
      loading.isReleased = true;
    }
    this.#repository.release(id);
  }

  async route(table: ModelTable): Promise<void> {
    this.#repository.route(table);
  }

  async removeModel(model: string): Promise<void> {
    this.#repository.remove(model);
  }

  async setReady(isReady: boolean): Promise<void> {
    this.#repository.setReady(isReady);
    this.server.setServing(isReady);
  }

  async registerRegion(region: SharedRegion): Promise<void> {
    this.regions.register(region);
  }

  async unregisterRegion(name: string): Promise<void> {
    this.regions.unregister(name);
  }

  async configure({ log, requestLog }: ServerSettings): Promise<void> {
    this.options.log.level = levelOf(log);
    this.sights.settings = requestLog;
  }

  async statistics(): Promise<LoadStatistics[]> {
    return this.#repository.byLoad.map(([id, { statistics, executable }]) => ({
      id,
      statistics,
      sizeBytes: executable.sizeBytes,
    }));
  }

  async metrics(): Promise<MetricsSnapshot> {
    return this.processMetrics.registry.getMetricsAsJSON();
  }

  async stop(graceMs: number): Promise<void> {
    await this.server.stop(graceMs);
    await this.shadowing.close();
    this.#repository.clear();
  }
}
