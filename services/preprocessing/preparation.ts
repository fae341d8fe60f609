import { LRUCache } from 'lru-cache';
import {
  canonicalJson,
  type FittedPipeline,
  parseFittedPipeline,
  type RawRecord,
  serialisePipeline,
  transformRecords,
} from '../pipeline/index.js';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import { digestOf } from '../platform/blob-store.js';
import { ServiceError } from '../platform/errors.js';
import { versionNameOf } from './dataset.js';
import type { DatasetStore } from './dataset-store.js';
import { assignRows, fitPipeline } from './fit.js';
import type { PipelineSpec } from './pipeline-spec.js';
import { type PipelineStore, pipelineName, type StoredPipeline } from './pipeline-store.js';
import type { SplitAssignment, SplitName, SplitSpec } from './split.js';
import { assignSplits } from './split-assignment.js';
import type { StoredTable } from './stored-table.js';
import { encodeTensors, type TensorPart } from './tensors.js';
import type { TrainingPart } from './training-part.js';

/** Of the splits that are kept at hand, a byte a row. */
const assignmentBytesMax = 16 * 1024 * 1024;

/** What is fitted of a dataset. */
export interface FitRequest {
  spec: PipelineSpec;
  split: SplitSpec;
  /** A column that weights rows in training; empty: none. */
  sampleWeight: string;
  /** Null: the whole training split. */
  part: TrainingPart | null;
}

/** Fits pipelines on stored datasets, and prepares rows with them. */
export class Preparation {
  readonly #parsed = new Map<string, FittedPipeline>();
  /** By pipeline: training asks for one split after the other, as soon as it is fitted. */
  readonly #assignments = new LRUCache<string, SplitAssignment>({
    maxSize: assignmentBytesMax,
    sizeCalculation: ({ byteLength }) => byteLength,
  });

  constructor(
    readonly datasets: DatasetStore,
    readonly pipelines: PipelineStore,
  ) {}

  /** @param dataset `datasets/NAME` or `datasets/NAME/versions/N` */
  async fit(
    dataset: string,
    { spec, split, sampleWeight, part }: FitRequest,
    signal: AbortSignal,
  ): Promise<StoredPipeline> {
    const version = this.datasets.resolve(dataset, 'dataset');
    const table = await this.datasets.openTable(version);
    try {
      const { definition, rowCounts, assignment } = await fitPipeline(spec, split, table, signal, {
        sampleWeight,
        part,
      });
      const bytes = serialisePipeline(definition);
      const digest = digestOf(bytes);
      // Pipelines of before there were weights and parts keep their names.
      const more = part ? [sampleWeight, { ...part }] : sampleWeight ? [sampleWeight] : [];
      const identity = canonicalJson([versionNameOf(version), version.digest, spec, split, digest, ...more]);
      const id = `p${digestOf(identity).slice('sha256:'.length, 'sha256:'.length + 31)}`;
      this.#assignments.set(id, assignment);
      return await this.pipelines.add({
        id,
        digest,
        dataset: version.dataset,
        version: version.version,
        datasetDigest: version.digest,
        spec,
        split,
        sampleWeight,
        part,
        definition: bytes.toString(),
        rowCounts,
      });
    } finally {
      await table.close();
    }
  }

  parsed({ id, definition }: StoredPipeline): FittedPipeline {
    let pipeline = this.#parsed.get(id);
    if (!pipeline) {
      pipeline = parseFittedPipeline(Buffer.from(definition));
      this.#parsed.set(id, pipeline);
    }
    return pipeline;
  }

  async transform(
    id: string,
    records: readonly RawRecord[],
  ): Promise<{ features: Float32Array; featureCount: number }> {
    const pipeline = this.parsed(this.pipelines.get(id));
    return { features: await transformRecords(pipeline, records), featureCount: pipeline.featureCount };
  }

  /** Tensors of one split of a pipeline's dataset version, as Arrow messages. */
  async *tensors(id: string, split: SplitName, part: TensorPart): AsyncGenerator<EncodedMessage> {
    const stored = this.pipelines.get(id);
    const version = this.#versionOf(stored);
    const table = await this.datasets.openTable(version);
    try {
      const assignment = this.#assignments.get(id) ?? (await this.#assign(stored, table));
      this.#assignments.set(id, assignment);
      yield* encodeTensors(this.parsed(stored), table, assignment, split, part, stored.sampleWeight);
    } finally {
      await table.close();
    }
  }

  async #assign({ split, part, spec }: StoredPipeline, table: StoredTable): Promise<SplitAssignment> {
    const { signal } = new AbortController();
    return part ? (await assignRows(spec.label!, split, part, table, signal)).assignment : assignSplits(split, table);
  }

  /** The rows that a pipeline was fitted on; another dataset of that name does not count. */
  #versionOf(stored: StoredPipeline) {
    const name = versionNameOf(stored);
    const version = this.datasets
      .listDatasets()
      .filter((dataset) => dataset.name === stored.dataset)
      .flatMap((dataset) => this.datasets.listVersions(dataset.name))
      .find((one) => one.version === stored.version && one.digest === stored.datasetDigest);
    if (!version) {
      const message = `The rows of ${pipelineName.format({ pipeline: stored.id })} are gone: ${name} was deleted. Import it again and fit anew.`;
      throw new ServiceError('FAILED_PRECONDITION', 'ROWS_DELETED', message);
    }
    return version;
  }
}
