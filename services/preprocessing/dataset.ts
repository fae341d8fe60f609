import { ResourceName } from '../platform/resource-name.js';
import type { Column } from './column.js';

export const datasetName = new ResourceName('datasets/{dataset}');
export const datasetVersionName = new ResourceName('datasets/{dataset}/versions/{version}');

/** Immutable rows, as they stand on disk. */
export interface DatasetVersion {
  dataset: string;
  version: number;
  /** Over schema and values, whatever files or batches they came in. */
  digest: string;
  columns: Column[];
  /** Missing values of each column. */
  nullCounts: number[];
  rowCount: number;
  sizeBytes: number;
  createTimeMs: number;
  /** File names or `flight`. */
  sources: string[];
}

export interface Dataset {
  name: string;
  createTimeMs: number;
  latestVersion: number;
}

export function versionNameOf({ dataset, version }: { dataset: string; version: number }): string {
  return datasetVersionName.format({ dataset, version: String(version) });
}
