import { type AnswerForm, compareAnswers, isComparable, isSameTensor } from './answer-comparison.js';
import type { TensorSpec } from './tensor.js';
import type { EvenSpread } from './traffic.js';

/** What became of a copy of a request. */
export type ShadowOutcome = 'equal' | 'different' | 'failed' | 'dropped';

/** Copies of requests to a version, by what became of them: plain data that processes can send each other and add up. */
export interface ShadowCounts extends Record<ShadowOutcome, number> {
  /** Largest absolute difference between two numbers of the answers. */
  differenceMax: number;
}

export const shadowCounts = (): ShadowCounts => ({ equal: 0, different: 0, failed: 0, dropped: 0, differenceMax: 0 });

export function mergeShadowCounts(into: ShadowCounts, from: ShadowCounts): void {
  for (const outcome of ['equal', 'different', 'failed', 'dropped'] as const) {
    into[outcome] += from[outcome];
  }
  into.differenceMax = Math.max(into.differenceMax, from.differenceMax);
}

/** Says which requests are copied, so that any hundred of them have their share. */
export class ShadowSample {
  constructor(
    readonly fraction: number,
    private readonly spread: EvenSpread,
  ) {}

  takes(): boolean {
    return this.spread.next() < this.fraction;
  }
}

/** A version, as far as copies of requests are concerned. */
export interface ComparedVersion extends AnswerForm {
  inputs: readonly TensorSpec[];
}

/** A version that computes copies. */
export interface ShadowVersion extends ComparedVersion {
  /** True once it is no longer served: what still waits for it is dropped. */
  readonly isRetired: boolean;
  /** On another thread; keeps the version from being freed meanwhile. */
  computeAside(inputs: readonly Uint8Array[], rows: number): Promise<readonly Uint8Array[]>;
}

/** A request that has been answered. */
export interface AnsweredRequest {
  version: ComparedVersion;
  inputs: readonly Uint8Array[];
  rows: number;
  outputs: readonly Uint8Array[];
}

export interface ShadowResult {
  outcome: ShadowOutcome;
  differenceMax: number;
  /** Why it failed. */
  error: unknown;
}

export interface ShadowLimits {
  /** Copies computed at one time. */
  atOnce: number;
  /** Copies that may wait. */
  waitingMax: number;
  /** Bytes of tensors that are held for copies, waiting and being computed. */
  bytesMax: number;
}

interface Copy extends AnsweredRequest {
  shadow: ShadowVersion;
  sizeBytes: number;
  tell: (result: ShadowResult) => void;
}

/** Computes copies of requests aside, and compares. Whatever there is no room or time for is dropped; no request waits for it. */
export class ShadowQueue {
  readonly #waiting: Copy[] = [];
  readonly #running = new Set<Promise<void>>();
  #heldBytes = 0;
  #closed = false;

  constructor(
    private readonly limits: ShadowLimits,
    /** True while requests wait: the processor is theirs then. */
    private readonly isBusy: () => boolean,
    /** Puts work off until the answer is on its way. */
    private readonly later: (work: () => void) => void = setImmediate,
  ) {}

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes a copy of a request that has been answered; its tensors may be reused or freed afterwards. */
  offer(request: AnsweredRequest, shadow: ShadowVersion, tell: (result: ShadowResult) => void): void {
    const { version, rows } = request;
    if (!isComparable(version, shadow) || !isSameSignature(version.inputs, shadow.inputs)) {
      const error = new Error('the versions have other inputs, outputs or classes');
      tell({ outcome: 'failed', differenceMax: 0, error });
      return;
    }
    const sizeBytes = [...request.inputs, ...request.outputs].reduce((sum, { length }) => sum + length, 0);
    const { waitingMax, bytesMax } = this.limits;
    const hasRoom = this.#waiting.length < waitingMax && this.#heldBytes + sizeBytes <= bytesMax;
    if (this.#closed || !hasRoom || this.isBusy()) {
      tell(dropped);
      return;
    }
    this.#heldBytes += sizeBytes;
    const copied = (tensors: readonly Uint8Array[]) => tensors.map((bytes) => new Uint8Array(bytes));
    this.#waiting.push({
      version,
      rows,
      inputs: copied(request.inputs),
      outputs: copied(request.outputs),
      shadow,
      sizeBytes,
      tell,
    });
    this.later(() => this.#startNext());
  }

  /** Drops what waits, and resolves when nothing is being computed any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const copy of this.#waiting.splice(0)) {
      this.#end(copy, dropped);
    }
    await Promise.all(this.#running);
  }

  #startNext(): void {
    while (this.#running.size < this.limits.atOnce) {
      const copy = this.#waiting.shift();
      if (!copy) {
        return;
      }
      if (copy.shadow.isRetired || this.isBusy()) {
        this.#end(copy, dropped);
        continue;
      }
      const run = compute(copy).then((result) => {
        this.#running.delete(run);
        this.#end(copy, result);
        this.#startNext();
      });
      this.#running.add(run);
    }
  }

  #end({ sizeBytes, tell }: Copy, result: ShadowResult): void {
    this.#heldBytes -= sizeBytes;
    tell(result);
  }
}

const dropped: ShadowResult = { outcome: 'dropped', differenceMax: 0, error: null };

function isSameSignature(a: readonly TensorSpec[], b: readonly TensorSpec[]): boolean {
  return a.length === b.length && a.every((input, i) => isSameTensor(input, b[i]!));
}

/** Never fails: what goes wrong is the result. */
async function compute({ version, shadow, inputs, rows, outputs }: Copy): Promise<ShadowResult> {
  try {
    const answer = await shadow.computeAside(inputs, rows);
    const { isEqual, differenceMax } = compareAnswers(outputs, answer, rows, version);
    return { outcome: isEqual ? 'equal' : 'different', differenceMax, error: null };
  } catch (error) {
    return { outcome: 'failed', differenceMax: 0, error };
  }
}
