import { readFile } from 'node:fs/promises';
import type { FittedPipeline } from '../../pipeline/index.js';
import { ServiceError } from '../../platform/errors.js';
import { Admission } from '../admission.js';
import type { LoadedVersion } from '../loaded-version.js';
import type { AskedModel } from '../model-name.js';
import { defaultAlias } from '../model-table.js';
import { parsePipelineFile } from '../record-pipeline.js';
import type { Registry, VersionDescriptor } from '../registry.js';
import { HeldFiles, type VersionFilesOptions } from '../version-files.js';
import { loadVersion } from '../version-loader.js';

/** What is asked of the registry. */
export interface ModelDirectory extends Pick<Registry, 'findVersion' | 'newestVersions'> {
  /** Version number by alias, or null when there is no such model. */
  findAliases(model: string, signal: AbortSignal): Promise<ReadonlyMap<string, number> | null>;
}

/**
 * How a version of a job computes: one batch at a time, on one thread, apart from the version that answers calls. So a job's
 * rows never stand in the way of a caller's, and what is served may change under it.
 */
const jobLimits = { requestsMax: 16, bytesMax: Number.POSITIVE_INFINITY, threadsMax: 1 };

/** The versions that jobs predict by: the registry's, whatever is served at the moment. */
export class BatchModels {
  constructor(
    private readonly directory: ModelDirectory,
    private readonly files: VersionFilesOptions & { batchRowsMax: number; messageBytesMax: number },
  ) {}

  /** The version that a name means now. */
  async resolve({ model, asked }: AskedModel, signal: AbortSignal): Promise<VersionDescriptor> {
    const aliases = await this.directory.findAliases(model, signal);
    if (!aliases) {
      throw new ServiceError('NOT_FOUND', 'MODEL_NOT_FOUND', `There is no models/${model}.`);
    }
    const isNumber = /^\d+$/.test(asked);
    const number = isNumber ? Number(asked) : aliases.get(asked || defaultAlias);
    if (number !== undefined) {
      return this.find(model, number, signal);
    }
    if (asked !== '') {
      const known = aliases.size > 0 ? `It has ${[...aliases.keys()].join(', ')}.` : 'It has none.';
      const message = `There is no models/${model}/aliases/${asked}. ${known}`;
      throw new ServiceError('NOT_FOUND', 'MODEL_VERSION_NOT_FOUND', message);
    }
    const [newest] = await this.directory.newestVersions(model, 1, signal);
    if (!newest) {
      throw new ServiceError('FAILED_PRECONDITION', 'NO_VERSION', `models/${model} has no version yet.`);
    }
    return newest;
  }

  async find(model: string, number: number, signal: AbortSignal): Promise<VersionDescriptor> {
    const version = await this.directory.findVersion(model, number, signal);
    if (!version) {
      const message = `There is no models/${model}/versions/${number}.`;
      throw new ServiceError('NOT_FOUND', 'MODEL_VERSION_NOT_FOUND', message);
    }
    return version;
  }

  /** What a version reads of a record, and answers. */
  async pipeline(model: string, version: VersionDescriptor, signal: AbortSignal): Promise<FittedPipeline> {
    if (!version.artifacts.has('pipeline.json')) {
      const message = `Model '${model}' has no pipeline, so it takes no rows of a dataset. Send tensors by ModelInfer.`;
      throw new ServiceError('FAILED_PRECONDITION', 'NO_PIPELINE', message);
    }
    const held = await HeldFiles.hold(this.files, version, signal, ['pipeline.json']);
    try {
      return parsePipelineFile(await readFile(held.paths.get('pipeline.json')!));
    } finally {
      await held.release();
    }
  }

  /** The version, ready to compute; the caller retires it. */
  async load(model: string, version: VersionDescriptor, signal: AbortSignal): Promise<LoadedVersion> {
    const held = await HeldFiles.hold(this.files, version, signal);
    try {
      const { number, digest } = version;
      const { batchRowsMax, messageBytesMax } = this.files;
      const limits = { admission: new Admission(jobLimits), batchRowsMax, messageBytesMax };
      return await loadVersion({ id: 0, model, number, digest, files: held.paths }, limits);
    } finally {
      // What is mapped stays readable.
      await held.release();
    }
  }
}
