import { ServiceError } from '../../platform/errors.js';
import type { Logger } from '../../platform/log.js';
import { Backoff, type Sleep, sleep } from '../backoff.js';
import { attempt, type Datasets } from './attempt.js';
import {
  type BatchPrediction,
  type BatchPredictionDraft,
  type BatchPredictionProgress,
  type BatchPredictions,
  isEndState,
  noProgress,
  type ObservedBatchPrediction,
} from './batch-prediction.js';
import { createBatchPrediction } from './creation.js';
import { explain, isTransient } from './failure.js';
import type { BatchModels } from './models.js';
import { Observers } from './observers.js';
import type { BatchPredictionStore, Outcome } from './store.js';

export interface JobsOptions {
  store: BatchPredictionStore;
  datasets: Datasets;
  models: BatchModels;
  log: Logger;
  sleep?: Sleep;
  /** Longest time that an observer waits for a change. */
  observeMsMax?: number;
}

interface Running {
  job: BatchPrediction;
  progress: BatchPredictionProgress;
  cancel: AbortController;
  /** When its progress was last told, as `performance.now()`. */
  toldAt: number;
}

/** A job during which the process died this often is taken for the reason. */
const interruptionsMax = 5;
const tellMs = 100;
const observeMsDefault = 10_000;

/** Runs all jobs that have not ended, one at a time, oldest first, and answers for them. */
export class BatchPredictionJobs implements BatchPredictions {
  readonly #observers = new Observers();
  readonly #stopping = new AbortController();
  readonly #sleep: Sleep;
  #running: Running | null = null;
  #wake = () => {};
  #hasNews = false;
  #loop: Promise<void> | null = null;

  constructor(private readonly options: JobsOptions) {
    this.#sleep = options.sleep ?? sleep;
  }

  start(): void {
    this.#loop = this.#runAll();
  }

  /** Gives the running job up; it begins again when the service does. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#notice();
    await this.#loop;
  }

  async createBatchPrediction(draft: BatchPredictionDraft, requestId: string | null): Promise<BatchPrediction> {
    try {
      const job = await createBatchPrediction(this.options, draft, requestId, this.#stopping.signal);
      this.#notice();
      return this.#withProgress(job);
    } catch (error) {
      throw explain(error);
    }
  }

  async getBatchPrediction(id: string): Promise<BatchPrediction> {
    return this.#withProgress(await this.options.store.get(id));
  }

  async listBatchPredictions(limit: number, before: number | null): Promise<BatchPrediction[]> {
    return (await this.options.store.list(limit, before)).map((job) => this.#withProgress(job));
  }

  async cancelBatchPrediction(id: string): Promise<BatchPrediction> {
    const job = await this.options.store.requestCancel(id);
    if (isEndState(job.state)) {
      this.#observers.ended(id);
    } else if (this.#running?.job.id === id) {
      this.#running.cancel.abort();
    }
    return this.#withProgress(job);
  }

  async observeBatchPrediction(id: string, seen: number): Promise<ObservedBatchPrediction> {
    let isLate = false;
    for (;;) {
      const revision = this.#observers.revision(id);
      const job = await this.getBatchPrediction(id);
      if (isLate || revision !== seen || isEndState(job.state)) {
        return { job, revision };
      }
      if (this.#observers.revision(id) === revision) {
        await this.#observers.wait(id, this.options.observeMsMax ?? observeMsDefault);
        isLate = true;
      }
    }
  }

  #withProgress(job: BatchPrediction): BatchPrediction {
    const running = this.#running;
    return running?.job.id === job.id && !isEndState(job.state) ? { ...job, ...running.progress } : job;
  }

  /** There may be something to do. */
  #notice(): void {
    this.#hasNews = true;
    this.#wake();
  }

  async #runAll(): Promise<void> {
    const backoff = new Backoff(this.#sleep);
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#hasNews = false;
      try {
        if (!(await this.#runNext()) && !this.#hasNews) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
        backoff.reset();
      } catch (error) {
        // The job has kept its state; a disk that is full or a bug must not turn this loop into a busy one.
        this.options.log.error({ err: error }, 'batch predictions cannot go on, trying again');
        await backoff.wait(signal);
      }
    }
  }

  /** Whether there was a job to run. */
  async #runNext(): Promise<boolean> {
    const { store } = this.options;
    const claimed = await store.claimNext();
    if (!claimed) {
      return false;
    }
    const { job, interruptions } = claimed;
    const running = { job, progress: noProgress, cancel: new AbortController(), toldAt: 0 };
    this.#running = running;
    try {
      this.#observers.changed(job.id);
      // Asked anew: a cancellation may have come between the claim and the line above, or in an earlier process.
      if ((await store.get(job.id)).cancelRequested) {
        running.cancel.abort();
      }
      const outcome = interruptions > interruptionsMax ? givenUp(interruptions) : await this.#outcomeOf(running);
      if (outcome) {
        await store.finish(job.number, outcome, running.progress);
      } else {
        await store.putBack(job.number);
      }
    } finally {
      this.#running = null;
    }
    this.#observers.ended(job.id);
    return true;
  }

  /** Begins as often as it takes; null: the service stops. */
  async #outcomeOf(running: Running): Promise<Outcome | null> {
    const { store, log } = this.options;
    const { job, cancel } = running;
    const signal = AbortSignal.any([cancel.signal, this.#stopping.signal]);
    const backoff = new Backoff(this.#sleep);
    for (;;) {
      try {
        signal.throwIfAborted();
        return { state: 'succeeded', outputVersion: await this.#attempt(running, signal) };
      } catch (error) {
        if (signal.aborted) {
          return cancel.signal.aborted ? { state: 'cancelled' } : null;
        }
        const reason = explain(error);
        if (!isTransient(reason)) {
          return { state: 'failed', error: this.#describe(job, reason) };
        }
        log.warn({ job: job.id, reason: reason.message }, 'a batch prediction waits and begins again');
        running.progress = { ...noProgress, waitingReason: reason.message };
        this.#observers.changed(job.id);
        await backoff.wait(signal);
        if (!signal.aborted) {
          await store.beginAgain(job.number);
        }
      }
    }
  }

  #attempt(running: Running, signal: AbortSignal): Promise<string> {
    const { datasets, models } = this.options;
    const onRows = (done: number, skipped: number) => {
      const { rowsDone, skippedRows } = running.progress;
      running.progress = { rowsDone: rowsDone + done, skippedRows: skippedRows + skipped, waitingReason: '' };
      const now = performance.now();
      if (now - running.toldAt >= tellMs) {
        running.toldAt = now;
        this.#observers.changed(running.job.id);
      }
    };
    running.progress = { ...noProgress, waitingReason: running.progress.waitingReason };
    return attempt(running.job.spec, { datasets, models, onRows, signal });
  }

  #describe({ id }: BatchPrediction, reason: unknown) {
    if (reason instanceof ServiceError) {
      return { code: reason.code, message: reason.message };
    }
    this.options.log.error({ err: reason, job: id }, 'a batch prediction failed');
    return { code: 'INTERNAL' as const, message: `Internal error (see the log of the service for ${id}).` };
  }
}

function givenUp(interruptions: number): Outcome {
  const message = `The service ended ${interruptions} times during this job, so it is not begun again. Look into its log, then create the job anew.`;
  return { state: 'failed', error: { code: 'ABORTED', message } };
}
