import { type AnswerForm, compareAnswers, isComparable } from './answer-comparison.js';
import type { EvenSpread } from './traffic.js';

export const shadowOutcomes = ['equal', 'different', 'failed', 'dropped'] as const;

/** What became of a copy of a request. */
export type ShadowOutcome = (typeof shadowOutcomes)[number];

/** Copies of requests to a version, by what became of them: plain data that processes can send each other and add up. */
export interface ShadowCounts extends Record<ShadowOutcome, number> {
  /** Largest absolute difference between two numbers of the answers. */
  differenceMax: number;
}

export const shadowCounts = (): ShadowCounts => ({ equal: 0, different: 0, failed: 0, dropped: 0, differenceMax: 0 });

export function mergeShadowCounts(into: ShadowCounts, from: ShadowCounts): void {
  for (const outcome of shadowOutcomes) {
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

/** A request that has been answered. */
export interface AnsweredRequest {
  /** What it was answered with. */
  form: AnswerForm;
  rows: number;
  outputs: readonly Uint8Array[];
  /** Bytes that `compute` holds on to. */
  inputBytes: number;
}

/** A version that computes copies. */
export interface ShadowVersion {
  /** What it answers with. */
  readonly form: AnswerForm;
  /** True once it is no longer served: what still waits for it is dropped. */
  readonly isRetired: boolean;
}

/** Answers the request once more, on another thread, and keeps the version from being freed meanwhile. */
export type ShadowComputation = () => Promise<readonly Uint8Array[]>;

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

interface Copy {
  form: AnswerForm;
  rows: number;
  outputs: readonly Uint8Array[];
  shadow: ShadowVersion;
  compute: ShadowComputation;
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

  /**
   * Compares a request that has been answered with what the shadow makes of it. Its outputs may be reused or freed afterwards.
   *
   * @param keepInputs copies what the computation needs; called only when there is room
   */
  offer(
    { form, rows, outputs, inputBytes }: AnsweredRequest,
    shadow: ShadowVersion,
    keepInputs: () => ShadowComputation,
    tell: (result: ShadowResult) => void,
  ): void {
    if (!isComparable(form, shadow.form)) {
      tell(failed(new Error('the versions have other outputs or classes')));
      return;
    }
    const sizeBytes = inputBytes + outputs.reduce((sum, { length }) => sum + length, 0);
    const { waitingMax, bytesMax } = this.limits;
    const hasRoom = this.#waiting.length < waitingMax && this.#heldBytes + sizeBytes <= bytesMax;
    if (this.#closed || !hasRoom || this.isBusy()) {
      tell(dropped);
      return;
    }
    this.#heldBytes += sizeBytes;
    const copy = { form, rows, outputs: copyTensors(outputs), shadow, compute: keepInputs(), sizeBytes, tell };
    this.#waiting.push(copy);
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

export const copyTensors = (tensors: readonly Uint8Array[]): Uint8Array[] =>
  tensors.map((bytes) => new Uint8Array(bytes));

const dropped: ShadowResult = { outcome: 'dropped', differenceMax: 0, error: null };
const failed = (error: unknown): ShadowResult => ({ outcome: 'failed', differenceMax: 0, error });

/** Never fails: what goes wrong is the result. */
async function compute({ form, rows, outputs, compute }: Copy): Promise<ShadowResult> {
  try {
    const { isEqual, differenceMax } = compareAnswers(outputs, await compute(), rows, form);
    return { outcome: isEqual ? 'equal' : 'different', differenceMax, error: null };
  } catch (error) {
    return failed(error);
  }
}
