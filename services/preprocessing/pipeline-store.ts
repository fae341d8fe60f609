import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder, writeDurably } from '../platform/durable-file.js';
import { ServiceError } from '../platform/errors.js';
import { ResourceName } from '../platform/resource-name.js';
import type { PipelineSpec } from './pipeline-spec.js';
import { type SplitName, type SplitSpec, wholeSplit } from './split.js';
import type { TrainingPart } from './training-part.js';

export const pipelineName = new ResourceName('pipelines/{pipeline}');

/** A fitted pipeline with what it was fitted from. */
export interface StoredPipeline {
  id: string;
  /** Of `definition`. */
  digest: string;
  dataset: string;
  version: number;
  datasetDigest: string;
  spec: PipelineSpec;
  split: SplitSpec;
  /** The column that weights rows in training, which the pipeline does not read; empty: none. */
  sampleWeight: string;
  /** Null: it was fitted on the whole training split. */
  part: TrainingPart | null;
  /** Canonical JSON. */
  definition: string;
  rowCounts: Record<SplitName, number>;
  createTimeMs: number;
}

const format = 'millrace.fitted-pipeline/1';

/** Fitted pipelines, each a file. What `add` has answered survives a crash. */
export class PipelineStore {
  readonly #pipelines = new Map<string, StoredPipeline>();
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    private readonly now: () => number,
  ) {}

  static async open(parent: string, now: () => number = Date.now): Promise<PipelineStore> {
    const store = new PipelineStore(path.join(parent, 'pipelines'), now);
    await mkdir(store.folder, { recursive: true });
    await syncFolder(parent);
    const found: StoredPipeline[] = [];
    for (const name of await readdir(store.folder)) {
      const file = path.join(store.folder, name);
      if (name.endsWith('.json')) {
        found.push(await readPipeline(file));
      } else {
        // A draft that a crash left behind.
        await rm(file, { force: true });
      }
    }
    found.sort((a, b) => a.createTimeMs - b.createTimeMs || (a.id < b.id ? -1 : 1));
    for (const pipeline of found) {
      store.#pipelines.set(pipeline.id, pipeline);
    }
    return store;
  }

  /** Keeps a pipeline; one with the same id is the same, and is answered as it was. */
  add(pipeline: Omit<StoredPipeline, 'createTimeMs'>): Promise<StoredPipeline> {
    // One after the other: two callers may have fitted the same pipeline, and no two may have the same time.
    const result = this.#lastChange.then(() => this.#add(pipeline));
    this.#lastChange = result.catch(() => undefined);
    return result;
  }

  async #add(pipeline: Omit<StoredPipeline, 'createTimeMs'>): Promise<StoredPipeline> {
    const present = this.#pipelines.get(pipeline.id);
    if (present) {
      return present;
    }
    // Never earlier than the newest: the order is that of the files after a restart, too.
    const newest = [...this.#pipelines.values()].at(-1)?.createTimeMs ?? 0;
    const stored = { ...pipeline, createTimeMs: Math.max(this.now(), newest + 1) };
    await writeDurably(path.join(this.folder, `${pipeline.id}.json`), JSON.stringify({ format, ...stored }));
    this.#pipelines.set(pipeline.id, stored);
    return stored;
  }

  get(id: string): StoredPipeline {
    const pipeline = this.#pipelines.get(id);
    if (!pipeline) {
      const name = pipelineName.format({ pipeline: id });
      throw new ServiceError('NOT_FOUND', 'PIPELINE_NOT_FOUND', `There is no ${name}. Fit it, or see ListPipelines.`);
    }
    return pipeline;
  }

  /** Newest first, without those of parts. */
  list(): StoredPipeline[] {
    return [...this.#pipelines.values()].filter(({ part }) => part === null).reverse();
  }
}

async function readPipeline(file: string): Promise<StoredPipeline> {
  try {
    const { format: found, ...pipeline } = JSON.parse(await readFile(file, 'utf8')) as StoredPipeline & {
      format: string;
    };
    if (found !== format) {
      throw new Error(`expected format ${format} but it is ${found}`);
    }
    // Pipelines of before there were other ways to split, weights or parts, name none of them.
    const { split, sampleWeight = '', part = null } = pipeline;
    return { ...pipeline, split: { ...wholeSplit, ...split }, sampleWeight, part };
  } catch (error) {
    const message = `The file ${file} is damaged: ${(error as Error).message}. Restore it, or remove it and fit again.`;
    throw new ServiceError('DATA_LOSS', 'PIPELINE_DAMAGED', message, { cause: error });
  }
}
