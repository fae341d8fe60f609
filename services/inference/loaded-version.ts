import { messageBytesMax } from '../platform/server.js';
import type { Admission } from './admission.js';
import type { AnswerForm } from './answer-comparison.js';
import { Batcher } from './batcher.js';
import { type BatchingSettings, defaultBatching } from './batching-settings.js';
import type { Executable } from './executable.js';
import type { OutputRequest } from './output-request.js';
import type { RecordTransform } from './record-pipeline.js';
import { rowBytes } from './tensor.js';
import { versionStatistics } from './version-statistics.js';

export interface LoadedVersionParts {
  model: string;
  number: number;
  /** Over all artifacts. */
  digest: string;
  executable: Executable;
  /** Null: the model takes tensors only. */
  transform: RecordTransform | null;
  /** In the order of the output's columns; two with a single output, the probability of the second. Null: numbers. */
  classes: readonly string[] | null;
}

export interface LoadedVersionLimits {
  admission: Admission;
  /** Most rows of one request. */
  batchRowsMax: number;
  batching?: BatchingSettings;
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
  /** Most rows of one request. */
  readonly rowsMax: number;
  readonly batcher: Batcher;
  readonly statistics = versionStatistics();
  /** What a request asks for that names no outputs. */
  readonly allOutputs: readonly OutputRequest[];
  #users = 0;
  #retired = false;

  constructor(parts: LoadedVersionParts, { admission, batchRowsMax, batching = defaultBatching }: LoadedVersionLimits) {
    const { executable } = parts;
    this.model = parts.model;
    this.number = parts.number;
    this.digest = parts.digest;
    this.executable = executable;
    this.transform = parts.transform;
    this.classes = parts.classes;
    this.rowsMax = Math.max(1, Math.min(batchRowsMax, rowsOfMessage(executable)));
    this.allOutputs = executable.outputs.map((_, index) => ({ index, part: null, classes: 0 }));
    this.batcher = new Batcher(executable, admission, this.statistics, this.rowsMax, batching);
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
    return { outputs: this.executable.outputs, classes: this.classes };
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
function rowsOfMessage({ inputs, outputs }: Executable): number {
  const bytes = [inputs, outputs].map((specs) => specs.reduce((sum, spec) => sum + (rowBytes(spec) ?? 0), 0));
  return Math.floor((messageBytesMax - messageOverheadBytes) / Math.max(1, ...bytes));
}
