import { ServiceError } from '../platform/errors.js';
import { observe } from '../platform/histogram-counts.js';
import type { Admission, Caller } from './admission.js';
import { type BatchItem, BatchQueue, type BatchTiming } from './batch-queue.js';
import type { BatchingSettings } from './batching-settings.js';
import type { Executable } from './executable.js';
import { splitOutputs, stackInputs } from './row-stack.js';
import { addBatch, addDuration, type VersionStatistics } from './version-statistics.js';

/** What a request asks of the queue. */
export interface Urgency {
  /** 1 is the highest; 0: the default. */
  priority: number;
  /** Microseconds that it may wait; 0: no matter. */
  timeoutUs: number;
}

/**
 * Multiplications and additions that are made on the event loop's thread: handing them to another thread and hearing back
 * takes about as long.
 */
const onTheSpotWorkMax = 8_000_000;
const usPerMs = 1_000;

/**
 * Computes requests together: those that came within one turn of the event loop, or within a configured delay. Every caller
 * gets its own rows; one whose rows are refused by the engine fails alone.
 */
export class Batcher {
  readonly #queue = new BatchQueue();
  #isScheduled = false;
  #timer: NodeJS.Timeout | null = null;
  #waitsForThread = false;

  constructor(
    private readonly executable: Executable,
    private readonly admission: Admission,
    private readonly statistics: VersionStatistics,
    /** Most rows that can be computed together. */
    private readonly rowsLimit: number,
    public settings: BatchingSettings,
  ) {}

  /** Requests that wait. */
  get waiting(): number {
    return this.#queue.requests;
  }

  /** @returns the rows of each output, in the order of the executable's outputs */
  submit(
    inputs: readonly Uint8Array[],
    rows: number,
    caller: Caller,
    { priority, timeoutUs }: Urgency,
    timing: BatchTiming | null = null,
  ): Promise<Uint8Array[]> {
    const { queueRequestsMax } = this.settings;
    if (queueRequestsMax > 0 && this.#queue.requests >= queueRequestsMax) {
      const message = `${this.#queue.requests} requests wait for this model already (queueRequestsMax). Try again later.`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'QUEUE_FULL', `Exceeds maximum queue size: ${message}`);
    }
    return new Promise((resolve, reject) => {
      const enqueued = performance.now();
      const expires = enqueued + this.#patienceMs(timeoutUs);
      this.#queue.push({
        inputs,
        rows,
        lane: this.#lane(priority),
        caller,
        enqueued,
        expires,
        timing,
        resolve,
        reject,
      });
      this.#schedule();
    });
  }

  #lane(priority: number): number {
    const { priorityLevels, defaultPriority } = this.settings;
    if (priorityLevels === 0) {
      return 0;
    }
    return (priority >= 1 && priority <= priorityLevels ? priority : defaultPriority) - 1;
  }

  #patienceMs(asked: number): number {
    const { timeoutUs, timeoutOverride } = this.settings;
    const us = asked > 0 && timeoutOverride ? Math.min(asked, timeoutUs || asked) : timeoutUs;
    return us > 0 ? us / usPerMs : Number.POSITIVE_INFINITY;
  }

  /** Most rows computed together, and of one request. */
  get rowsMax(): number {
    return Math.min(this.settings.rowsMax || this.rowsLimit, this.rowsLimit);
  }

  /** Rows that are to be computed now; 0: it is better to wait for more. */
  #rowsDue(now: number): number {
    const { preferredRows, queueDelayUsMax } = this.settings;
    const { rows, oldest } = this.#queue;
    if (rows >= this.rowsMax || now - oldest >= queueDelayUsMax / usPerMs) {
      return this.rowsMax;
    }
    return preferredRows.findLast((preferred) => preferred <= rows) ?? 0;
  }

  /** Computes at the end of this turn, so that all that comes in it is computed together; or later, to wait for more. */
  #schedule(): void {
    if (!this.#isScheduled && !this.#waitsForThread && this.#queue.requests > 0) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    }
  }

  #wait(now: number): void {
    const ms = this.#queue.oldest + this.settings.queueDelayUsMax / usPerMs - now;
    if (ms < 1) {
      // Timers know no less than a millisecond.
      this.#schedule();
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#schedule();
      }, ms);
    }
  }

  #flush(): void {
    while (this.#queue.requests > 0 && !this.#waitsForThread) {
      const now = performance.now();
      const rowsDue = this.#rowsDue(now);
      if (rowsDue === 0) {
        this.#wait(now);
        return;
      }
      if (Math.min(this.#queue.rows, rowsDue) * this.executable.rowWork <= onTheSpotWorkMax) {
        this.#computeHere(this.#queue.take(rowsDue, now), now);
      } else if (this.#reserveThread()) {
        void this.#computeAside(this.#queue.take(rowsDue, now), now);
      }
    }
  }

  #reserveThread(): boolean {
    const isFree = this.admission.tryThread(() => {
      this.#waitsForThread = false;
      this.#flush();
    });
    this.#waitsForThread = !isFree;
    return isFree;
  }

  #computeHere(batch: readonly BatchItem[], begin: number): void {
    if (batch.length === 0) {
      return;
    }
    try {
      const rows = rowsOf(batch);
      const inputs = stackInputs(batch);
      const stacked = performance.now();
      const outputs = this.executable.execute(inputs, rows);
      this.#answer(batch, rows, outputs, begin, stacked);
    } catch (error) {
      this.#fail(batch, error, (item) => this.#computeHere([item], performance.now()));
    }
  }

  async #computeAside(batch: readonly BatchItem[], begin: number): Promise<void> {
    try {
      if (batch.length > 0) {
        const rows = rowsOf(batch);
        const inputs = stackInputs(batch);
        const stacked = performance.now();
        const outputs = await this.executable.executeAsync(inputs, rows);
        this.#answer(batch, rows, outputs, begin, stacked);
      }
    } catch (error) {
      this.#fail(batch, error, (item) => this.#computeHere([item], performance.now()));
    } finally {
      this.admission.leaveThread();
      this.#schedule();
    }
  }

  #answer(batch: readonly BatchItem[], rows: number, outputs: Uint8Array[], begin: number, stacked: number): void {
    const computed = performance.now();
    for (const { timing, enqueued } of batch) {
      if (timing) {
        Object.assign(timing, { enqueued, began: begin, ended: computed, batchRows: rows });
      }
    }
    splitOutputs(this.executable.outputs, outputs, rows, batch);
    const [inputMs, inferMs, outputMs] = [stacked - begin, computed - stacked, performance.now() - computed];
    const { statistics } = this;
    addBatch(statistics, { requests: batch.length, rows, inputMs, inferMs, outputMs });
    for (const { enqueued } of batch) {
      addDuration(statistics.queue, begin - enqueued);
      observe(statistics.queueSeconds, (begin - enqueued) / 1_000);
    }
  }

  /** Of several requests, one may be at fault: each is tried by itself. */
  #fail(batch: readonly BatchItem[], error: unknown, retry: (item: BatchItem) => void): void {
    if (batch.length === 1) {
      batch[0]!.reject(error);
    } else {
      batch.forEach(retry);
    }
  }
}

function rowsOf(batch: readonly BatchItem[]): number {
  return batch.reduce((sum, { rows }) => sum + rows, 0);
}
