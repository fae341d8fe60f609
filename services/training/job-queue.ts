import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../platform/log.js';
import type { TrainingJob } from './job.js';
import type { JobRunner } from './job-runner.js';
import { isEndState } from './job-state.js';
import type { JobStore } from './job-store.js';

const retryMs = 5_000;

/** Runs all jobs that have not ended, one at a time, oldest first; those that an earlier process left come before new ones. */
export class JobQueue {
  readonly #stopping = new AbortController();
  #running: { number: number; cancel: AbortController } | null = null;
  #wake = () => {};
  #hasNews = false;
  #loop: Promise<void> | null = null;

  constructor(
    private readonly store: JobStore,
    private readonly runner: JobRunner,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.#loop = this.#runAll();
  }

  /** Says that there may be a new job. */
  wake(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Cancels a job: one that waits has ended when this returns, a running one ends within a step. */
  async cancel(id: string): Promise<TrainingJob> {
    const job = await this.store.requestCancel(id);
    if (!isEndState(job.state) && this.#running?.number === job.number) {
      this.#running.cancel.abort();
    }
    return job;
  }

  /** Stops the running job at its next step; it goes on when the service starts again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#loop;
  }

  async #runAll(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#hasNews = false;
      try {
        if (!(await this.#runNext()) && !this.#hasNews) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      } catch (error) {
        // The job has kept its state; a disk that is full or a bug must not turn this loop into a busy one.
        this.log.error({ err: error, retryMs }, 'the queue cannot go on, trying again');
        await delay(retryMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  /** Whether there was a job to run. */
  async #runNext(): Promise<boolean> {
    const claimed = await this.store.claimNext();
    if (!claimed) {
      return false;
    }
    const { job, interrupted } = claimed;
    const cancel = new AbortController();
    this.#running = { number: job.number, cancel };
    try {
      // Asked anew: a cancellation may have come between the claim and the line above, or in an earlier process.
      if (await this.store.isCancelRequested(job.number)) {
        cancel.abort();
      }
      const signals = { cancelled: cancel.signal, stopping: this.#stopping.signal };
      await this.runner.run(job, interrupted, signals);
    } finally {
      this.#running = null;
    }
    return true;
  }
}
