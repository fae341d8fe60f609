import type { Admission, Caller } from './admission.js';
import type { AnswerForm } from './answer-comparison.js';
import type { BatchTiming } from './batch-queue.js';
import { Batcher, type Urgency } from './batcher.js';
import { type BatchingSettings, defaultBatching } from './batching-settings.js';
import type { Executable } from './executable.js';
import type { OutputMeaning } from './labelled-answer.js';
import type { OutputRequest } from './output-request.js';
import type { RecordTransform } from './record-pipeline.js';
import type { Deployment } from './registry.js';
import { ResponseCache } from './response-cache.js';
import { rowBytes } from './tensor.js';
import { addDuration, versionStatistics } from './version-statistics.js';

export interface LoadedVersionParts extends OutputMeaning {
  model: string;
  number: number;
  /** Over all artifacts. */
  digest: string;
  executable: Executable;
  /** Null: the model takes tensors only. */
  transform: RecordTransform | null;
}

export interface LoadedVersionLimits {
  admission: Admission;
  /** Most rows of one request. */
  batchRowsMax: number;
  /** Largest message taken or sent. */
  messageBytesMax: number;
  batching?: BatchingSettings;
}

/** What is to be computed for one request. */
export interface ComputeRequest {
  /** In the order of the executable's inputs. */
  inputs: readonly Uint8Array[];
  rows: number;
  caller: Caller;
  urgency: Urgency;
  /** Filled when it is computed; null: nobody asks. */
  timing: BatchTiming | null;
}

/** Room in a message for all that is not tensors. */
const messageOverheadBytes = 64 * 1024;

/** A version that can answer. It is freed once it is retired and nobody uses it any more. */
export class LoadedVersion {
  readonly model: string;
  readonly number: number;
  readonly digest: string;
  readonly executable: Executable;
  readonly transform: RecordTransform | null;
  readonly classes: readonly string[] | null;
  readonly multiLabel: boolean;
  readonly numbers: readonly string[] | null;
  readonly batcher: Batcher;
  readonly statistics = versionStatistics();
  /** What a request asks for that names no outputs. */
  readonly allOutputs: readonly OutputRequest[];
  private readonly admission: Admission;
  #cache: ResponseCache | null = null;
  #users = 0;
  #retired = false;

  constructor(parts: LoadedVersionParts, limits: LoadedVersionLimits) {
    const { admission, batchRowsMax, messageBytesMax, batching = defaultBatching } = limits;
    const { executable } = parts;
    this.admission = admission;
    this.model = parts.model;
    this.number = parts.number;
    this.digest = parts.digest;
    this.executable = executable;
    this.transform = parts.transform;
    this.classes = parts.classes;
    this.multiLabel = parts.multiLabel;
    this.numbers = parts.numbers;
    const rowsMax = Math.max(1, Math.min(batchRowsMax, rowsOfMessage(executable, messageBytesMax)));
    this.allOutputs = executable.outputs.map((_, index) => ({ index, part: null, classes: 0 }));
    this.batcher = new Batcher(executable, admission, this.statistics, rowsMax, batching);
  }

  /** Most rows of one request. */
  get rowsMax(): number {
    return this.batcher.rowsMax;
  }

  /** Takes on how the model is deployed now. What is cached stays, as long as there is to be as much of it. */
  configure({ batching, responseCacheBytes }: Pick<Deployment, 'batching' | 'responseCacheBytes'>): void {
    this.batcher.settings = batching;
    if (responseCacheBytes !== (this.#cache?.bytesMax ?? 0)) {
      this.#cache = responseCacheBytes > 0 ? new ResponseCache(responseCacheBytes) : null;
    }
  }

  /**
   * Computes a request together with others, or takes the answer from the cache.
   *
   * @returns the rows of each output
   */
  async compute({ inputs, rows, caller, urgency, timing }: ComputeRequest): Promise<readonly Uint8Array[]> {
    const cache = this.#cache;
    if (!cache) {
      return this.#computeAnew(inputs, rows, caller, urgency, timing);
    }
    const begin = performance.now();
    const key = ResponseCache.key(inputs);
    const cached = cache.get(key);
    if (cached) {
      addDuration(this.statistics.cacheHit, performance.now() - begin);
      return cached;
    }
    const outputs = await this.#computeAnew(inputs, rows, caller, urgency, timing);
    const computed = performance.now();
    cache.set(key, outputs);
    addDuration(this.statistics.cacheMiss, performance.now() - computed);
    return outputs;
  }

  async #computeAnew(
    inputs: readonly Uint8Array[],
    rows: number,
    caller: Caller,
    urgency: Urgency,
    timing: BatchTiming | null,
  ): Promise<Uint8Array[]> {
    let bytes = 0;
    for (const input of inputs) {
      bytes += input.length;
    }
    this.admission.enter(bytes);
    this.enter();
    try {
      return await this.batcher.submit(inputs, rows, caller, urgency, timing);
    } finally {
      this.leave();
      this.admission.leave(bytes);
    }
  }

  /** Keeps the version from being freed until `leave`. */
  enter(): void {
    this.#users++;
  }

  leave(): void {
    this.#users--;
    this.#freeIfUnused();
  }

  /** What its answers are made of. */
  get form(): AnswerForm {
    const { classes, multiLabel, numbers } = this;
    return { outputs: this.executable.outputs, classes, multiLabel, numbers };
  }

  get isRetired(): boolean {
    return this.#retired;
  }

  /** No new request will come: frees the version with its last one. */
  retire(): void {
    this.#retired = true;
    this.#freeIfUnused();
  }

  #freeIfUnused(): void {
    if (this.#retired && this.#users === 0) {
      this.executable.dispose();
    }
  }
}

/** Rows whose tensors fit into a message, in and out. */
function rowsOfMessage({ inputs, outputs }: Executable, messageBytesMax: number): number {
  const bytes = [inputs, outputs].map((specs) => specs.reduce((sum, spec) => sum + (rowBytes(spec) ?? 0), 0));
  return Math.floor((messageBytesMax - messageOverheadBytes) / Math.max(1, ...bytes));
}
