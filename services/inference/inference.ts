import { checkRecordCount } from '../pipeline/index.js';
import { type LabelledAnswer, labelAnswers } from './labelled-answer.js';
import type { LoadedVersion } from './loaded-version.js';
import type { ModelRepository } from './model-repository.js';
import type { RawRecord } from './record-pipeline.js';
import type { ServingMetrics } from './serving-metrics.js';
import { readInput, type TensorRequest } from './tensor-request.js';
import type { Caller, WorkQueue } from './work-queue.js';

/** The rows that a version answered with: `rows` times `version.signature.output.width` numbers. */
export interface TensorAnswer {
  version: LoadedVersion;
  rows: number;
  output: Float32Array;
}

export interface RecordsAnswer {
  version: LoadedVersion;
  answers: LabelledAnswer[];
}

const recordsMax = 10_000;

/** Answers requests with the versions that are loaded. */
export class Inference {
  constructor(
    readonly repository: ModelRepository,
    private readonly queue: WorkQueue,
    private readonly metrics: ServingMetrics,
  ) {}

  /**
   * Answers a few rows on the spot, without so much as a promise; more take their turn in the queue.
   *
   * @param asked version: empty, a number or an alias
   */
  infer(model: string, asked: string, request: TensorRequest, caller: Caller): TensorAnswer | Promise<TensorAnswer> {
    const begin = performance.now();
    caller.throwIfGone();
    const version = this.repository.resolve(model, asked);
    try {
      const { values, rows } = readInput(request, version);
      if (!version.isSmall(rows)) {
        return this.#inferAside(version, values, rows, begin, caller);
      }
      const output = version.predict(values, rows);
      this.metrics.succeeded(version, rows, begin);
      return { version, rows, output };
    } catch (error) {
      this.metrics.failed(version);
      throw error;
    }
  }

  #inferAside(
    version: LoadedVersion,
    values: Float32Array,
    rows: number,
    begin: number,
    caller: Caller,
  ): Promise<TensorAnswer> {
    return this.#aside(version, rows, begin, caller, async () => {
      const output = await version.predictAside(values, rows);
      return { version, rows, output };
    });
  }

  /** Raw records through the version's pipeline and network, answered in the words of its label. */
  async predict(model: string, asked: string, records: readonly RawRecord[], caller: Caller): Promise<RecordsAnswer> {
    const begin = performance.now();
    const version = this.repository.resolve(model, asked);
    const rows = records.length;
    return this.#aside(version, rows, begin, caller, async () => {
      checkRecordCount(rows, Math.min(recordsMax, version.rowsMax));
      const values = await version.transform(records);
      caller.throwIfGone();
      const output = version.isSmall(rows) ? version.predict(values, rows) : await version.predictAside(values, rows);
      return { version, answers: labelAnswers(output, rows, version.signature) };
    });
  }

  /** Work that takes its turn; the version is kept until it has ended. */
  async #aside<T>(
    version: LoadedVersion,
    rows: number,
    begin: number,
    caller: Caller,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      const answer = await version.use(() => this.queue.run(caller, work));
      this.metrics.succeeded(version, rows, begin);
      return answer;
    } catch (error) {
      this.metrics.failed(version);
      throw error;
    }
  }
}
