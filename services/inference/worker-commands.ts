import type { MetricsSnapshot } from '../platform/metrics.js';
import type { LogSettings, RequestLogSettings, SharedRegion } from './control.js';
import type { ModelTable } from './model-table.js';
import type { VersionStatistics } from './version-statistics.js';

/** A version to be loaded from files that lie on this machine. */
export interface VersionFiles {
  /** Of this load; no other load of the server has it. */
  id: number;
  model: string;
  number: number;
  /** Over all artifacts. */
  digest: string;
  /** Path by name, for example of `network.json`. */
  files: ReadonlyMap<string, string>;
}

export interface ServerSettings {
  log: LogSettings;
  requestLog: RequestLogSettings;
}

/** What one worker has counted for one load of a version. */
export interface LoadStatistics {
  id: number;
  statistics: VersionStatistics;
  /** Of the weights. */
  sizeBytes: number;
}

/**
 * What the coordinator asks of a worker. Commands take effect in the order in which they are given; only `prepare` takes
 * its time while others pass.
 */
export interface WorkerCommands {
  /** Loads and warms a version off the serving path. Fails with `BrokenArtifact` when it cannot be served. */
  prepare(version: VersionFiles): Promise<void>;
  /** Lets go of a version; it is freed when its last request has ended. */
  release(id: number): Promise<void>;
  route(table: ModelTable): Promise<void>;
  removeModel(model: string): Promise<void>;
  /** Whether the server is ready, as `ServerReady` and `grpc.health.v1` say. */
  setReady(isReady: boolean): Promise<void>;
  /** Opens a region of shared memory; fails with INVALID_ARGUMENT where that is not possible. */
  registerRegion(region: SharedRegion): Promise<void>;
  /** Empty: all regions. */
  unregisterRegion(name: string): Promise<void>;
  configure(settings: ServerSettings): Promise<void>;
  statistics(): Promise<LoadStatistics[]>;
  metrics(): Promise<MetricsSnapshot>;
  /** Lets calls finish for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export const workerCommands = [
  'prepare',
  'release',
  'route',
  'removeModel',
  'setReady',
  'registerRegion',
  'unregisterRegion',
  'configure',
  'statistics',
  'metrics',
  'stop',
] as const satisfies (keyof WorkerCommands)[];
