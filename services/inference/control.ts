import type { VersionStatus } from './model-table.js';
import type { VersionStatistics } from './version-statistics.js';

/** A region of system shared memory that clients may name in requests. */
export interface SharedRegion {
  name: string;
  /** Name of the memory object, as given to shm_open. */
  key: string;
  /** Where the region begins in the object, bytes. */
  offset: number;
  byteSize: number;
}

export interface IndexedModel {
  name: string;
  versions: readonly VersionStatus[];
}

export interface StatisticsEntry {
  model: string;
  version: number;
  statistics: VersionStatistics;
  /** Bytes of the weights; mapped once, whatever the number of workers. */
  sizeBytes: number;
}

/** What a model is loaded with instead of what the registry says of it. */
export interface LoadRequest {
  /** ModelConfig as JSON; empty: none. */
  config: string;
  /** By `VERSION/NAME`. */
  files: ReadonlyMap<string, Uint8Array>;
}

export interface LogSettings {
  logError: boolean;
  logWarning: boolean;
  logInfo: boolean;
  /** 0: nothing beyond `logInfo`. */
  verboseLevel: number;
}

/** Which requests are logged. */
export interface RequestSampling {
  /** False: none. */
  isOn: boolean;
  /** One of so many requests. */
  rate: number;
  /** How many more; null: without end. */
  count: number | null;
}

export interface RequestLogSettings {
  server: RequestSampling;
  /** Models that have settings of their own. */
  models: ReadonlyMap<string, RequestSampling>;
}

/** Settings as Triton's clients know them: every value a list of texts. */
export type SettingTexts = ReadonlyMap<string, readonly string[]>;

/** The value of a log setting as it came. */
export type LogSettingValue = boolean | number | string | null;

/** What is of the whole server, whichever worker took the call. */
export interface ServerControl {
  index(): Promise<IndexedModel[]>;
  /** Serves a model, again or otherwise than the registry says, and waits until it does. */
  load(model: string, request: LoadRequest): Promise<void>;
  /** Serves a model no more until it is loaded. */
  unload(model: string): Promise<void>;
  /** @param model empty: all. @param version empty: all */
  statistics(model: string, version: string): Promise<StatisticsEntry[]>;
  registerRegion(region: SharedRegion): Promise<void>;
  /** @param name empty: all */
  unregisterRegion(name: string): Promise<void>;
  /** @param name empty: all */
  regions(name: string): Promise<SharedRegion[]>;
  /** Changes and answers the settings by which requests are logged. @param model empty: of the server */
  traceSettings(model: string, changes: SettingTexts): Promise<SettingTexts>;
  logSettings(changes: ReadonlyMap<string, LogSettingValue>): Promise<LogSettings>;
  /** In Prometheus's text format, of all processes together. */
  metricsText(): Promise<string>;
}

export const serverControl = [
  'index',
  'load',
  'unload',
  'statistics',
  'registerRegion',
  'unregisterRegion',
  'regions',
  'traceSettings',
  'logSettings',
  'metricsText',
] as const satisfies (keyof ServerControl)[];
