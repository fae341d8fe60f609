import { messageBytesMax } from '../platform/server.js';
import type { Signature } from './model-files.js';
import type { RecordTransform } from './record-pipeline.js';

/** What of the engine's `Network` is used. */
export interface PredictingNetwork {
  /** Answers on this thread. */
  predict(values: Float32Array, rows: number): Float32Array;
  /** Answers from another thread; `values` must not change meanwhile. */
  predictAsync(values: Float32Array, rows: number): Promise<Float32Array>;
  dispose(): void;
}

export interface LoadedVersionParts {
  model: string;
  number: number;
  /** Over all artifacts. */
  digest: string;
  signature: Signature;
  network: PredictingNetwork;
  transform: RecordTransform;
  /** Multiplications and additions that one row takes. */
  rowWork: number;
}

/**
 * Multiplications and additions that take about as long as handing work to another thread and hearing back: less is done on
 * the spot.
 */
const onTheSpotWorkMax = 2_000_000;

/** Room in an answer for all that is not the output tensor. */
const answerOverheadBytes = 64 * 1024;

/** A version that can answer. It is freed once it is retired and nobody uses it any more. */
export class LoadedVersion {
  readonly model: string;
  readonly number: number;
  readonly digest: string;
  readonly signature: Signature;
  readonly transform: RecordTransform;
  /** Most rows of one request. */
  readonly rowsMax: number;
  readonly #network: PredictingNetwork;
  readonly #rowsOnTheSpot: number;
  #users = 0;
  #retired = false;

  constructor(parts: LoadedVersionParts, batchRowsMax: number) {
    this.model = parts.model;
    this.number = parts.number;
    this.digest = parts.digest;
    this.signature = parts.signature;
    this.transform = parts.transform;
    this.#network = parts.network;
    this.#rowsOnTheSpot = Math.floor(onTheSpotWorkMax / parts.rowWork);
    const rowBytes = 4 * Math.max(parts.signature.input.width, parts.signature.output.width);
    this.rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor((messageBytesMax - answerOverheadBytes) / rowBytes)));
  }

  /** Whether so few rows are answered faster on the spot than from another thread. */
  isSmall(rows: number): boolean {
    return rows <= this.#rowsOnTheSpot;
  }

  /** @returns rows times `signature.output.width` numbers, row by row */
  predict(values: Float32Array, rows: number): Float32Array {
    return this.#network.predict(values, rows);
  }

  /** As `predict`, from another thread; the version must be in `use`. */
  predictAside(values: Float32Array, rows: number): Promise<Float32Array> {
    return this.#network.predictAsync(values, rows);
  }

  /** Keeps the version from being freed until `work` has ended. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
      this.#freeIfUnused();
    }
  }

  /** No new request will come: frees the version with its last one. */
  retire(): void {
    this.#retired = true;
    this.#freeIfUnused();
  }

  #freeIfUnused(): void {
    if (this.#retired && this.#users === 0) {
      this.#network.dispose();
    }
  }
}
