import { ResourceName } from '../platform/resource-name.js';
import type { StoredDeployment } from './deployment.js';
import type { Promotion, PromotionCondition } from './promotion.js';

export const modelName = new ResourceName('models/{model}');
export const modelVersionName = new ResourceName('models/{model}/versions/{version}');
export const modelAliasName = new ResourceName('models/{model}/aliases/{alias}');

/** A name under which versions are published. */
export interface Model {
  id: string;
  createTimeMs: number;
  /** When its versions or aliases changed last. */
  updateTimeMs: number;
  /** Number of the newest version; 0 without versions. */
  latestVersion: number;
  /** Version number by alias. */
  aliases: Record<string, number>;
  deployment: StoredDeployment;
}

/** An immutable set of files, each a blob. */
export interface ModelVersion {
  model: string;
  version: number;
  /** Sorted by path. */
  artifacts: Artifact[];
  lineage: Lineage | null;
  metrics: Record<string, number>;
  /** Aliases that point to it now, sorted. */
  aliases: string[];
  createTimeMs: number;
  /** Digest of the manifest: see `manifest.ts`. */
  digest: string;
  /** Null: its aliases moved without a condition. */
  promotion: Promotion | null;
}

export interface Artifact {
  path: string;
  digest: string;
  sizeBytes: number;
}

/** Enough to make a version again. Names and digests are empty where unknown. */
export interface Lineage {
  trainingJob: string;
  datasetVersion: string;
  datasetDigest: string;
  pipelineDigest: string;
  /** The resolved training spec as JSON; the registry keeps it and never looks inside. */
  spec: unknown;
  engineVersion: string;
  instructionSet: string;
}

/** What `createVersion` makes a version from. */
export interface NewModelVersion {
  artifacts: { path: string; digest: string }[];
  lineage: Lineage | null;
  metrics: Record<string, number>;
  /** Aliases that move to the new version in the same transaction. */
  aliases: string[];
  /** What must hold for that; null: nothing. */
  condition: PromotionCondition | null;
  /** Makes the call safe to repeat; empty: it is not. */
  requestId: string;
}
