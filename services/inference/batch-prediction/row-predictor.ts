import { ServiceError } from '../../platform/errors.js';
import type { Caller } from '../admission.js';
import { outputRows } from '../labelled-answer.js';
import type { LoadedVersion } from '../loaded-version.js';
import { toBytes, toFloats } from '../network-executable.js';
import type { OnError } from './batch-prediction.js';
import type { RowReader } from './table-rows.js';

const unhurried = { priority: 0, timeoutUs: 0 };

/** The outputs of each row; null: the row was skipped. */
export type RowAnswers = (Float32Array | null)[];

/** Predicts rows of a dataset, as `Predict` does records. */
export class RowPredictor {
  constructor(
    private readonly version: LoadedVersion,
    private readonly onError: OnError,
    private readonly caller: Caller,
  ) {}

  /** Fails with a `ServiceError` that names the row that cannot be predicted, unless such rows are skipped. */
  async predict(reader: RowReader, begin: number, end: number): Promise<RowAnswers> {
    // An attempt may be given up while these rows are still on their way.
    this.version.enter();
    try {
      return await this.#predictOrSkip(reader, begin, end);
    } finally {
      this.version.leave();
    }
  }

  async #predictOrSkip(reader: RowReader, begin: number, end: number): Promise<RowAnswers> {
    try {
      return await this.#predictAll(reader, begin, end);
    } catch (error) {
      if (this.onError === 'fail' || !isOfRow(error)) {
        throw error;
      }
      if (end - begin === 1) {
        return [null];
      }
      // Somewhere among them is one at fault: the half without it is predicted together.
      const middle = (begin + end) >> 1;
      const first = await this.#predictOrSkip(reader, begin, middle);
      return first.concat(await this.#predictOrSkip(reader, middle, end));
    }
  }

  async #predictAll(reader: RowReader, begin: number, end: number): Promise<RowAnswers> {
    const { version, caller } = this;
    const rows = end - begin;
    const firstIndex = reader.firstRow + begin;
    const records = Array.from({ length: rows }, (_, i) => reader.read(begin + i));
    const values = await version.transform!(records, 'rows', firstIndex);
    const [output] = await version.batcher.submit([toBytes(values)], rows, caller, unhurried);
    return outputRows(toFloats(output!), rows, version, 'rows', firstIndex);
  }
}

function isOfRow(error: unknown): boolean {
  return error instanceof ServiceError && (error.code === 'INVALID_ARGUMENT' || error.code === 'OUT_OF_RANGE');
}
