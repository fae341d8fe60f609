import { type BatchingSettings, defaultBatching } from './batching-settings.js';

/** What inference needs to know of the registry. `registry-client.ts` is the one that speaks its contract. */

/** A model as the registry has it at one moment. */
export interface ModelSnapshot {
  name: string;
  /** Version number by alias. */
  aliases: ReadonlyMap<string, number>;
  deployment: Deployment;
}

/** How a model is served: what the registry says is the same for every server. */
export interface Deployment {
  /** Who answers requests that ask for no version. Empty: the alias champion, or the newest. */
  traffic: readonly TrafficTarget[];
  shadow: ShadowTarget | null;
  batching: BatchingSettings;
  /** Bytes of answers to keep; 0: none. */
  responseCacheBytes: number;
}

export interface TrafficTarget {
  /** Number of a version, or an alias; it may be of nothing that is there. */
  target: string;
  /** From 1. */
  weight: number;
}

export interface ShadowTarget {
  /** As of traffic. */
  target: string;
  /** Share of the requests, above 0 and at most 1. */
  fraction: number;
}

/** Of a model of which the registry says nothing else. */
export const defaultDeployment: Deployment = {
  traffic: [],
  shadow: null,
  batching: defaultBatching,
  responseCacheBytes: 0,
};

export interface ArtifactReference {
  digest: string;
  sizeBytes: number;
}

/** An immutable version that could be loaded. */
export interface VersionDescriptor {
  number: number;
  /** Over all artifacts: another digest under the same number is a model that was deleted and made anew. */
  digest: string;
  /** By file name. */
  artifacts: ReadonlyMap<string, ArtifactReference>;
  /** Bytes by digest, of a version that is not the registry's. */
  contents?: ReadonlyMap<string, Uint8Array>;
}

export type RegistryEvent =
  | { kind: 'model'; model: ModelSnapshot }
  | { kind: 'deleted'; name: string }
  /** Every model has been told once. */
  | { kind: 'synced' };

/** The registry. Every method may end in a `RegistryUnavailable`, after which the same call may succeed. */
export interface Registry {
  /** First every model as it stands, then `synced`, then changes, until the connection breaks. */
  watch(signal: AbortSignal): AsyncIterable<RegistryEvent>;
  /** The newest `count` versions, newest first; none when the model is gone. */
  newestVersions(model: string, count: number, signal: AbortSignal): Promise<VersionDescriptor[]>;
  /** One version, or null when it is gone. */
  findVersion(model: string, number: number, signal: AbortSignal): Promise<VersionDescriptor | null>;
  /** The bytes of a blob in order; not verified. */
  download(digest: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** The registry did not answer; asking again later may help. */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
}
