import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../platform/log.js';
import type { TrainingJob } from './job.js';
import type { JobRunner } from './job-runner.js';
import { isEndState } from './job-state.js';
import type { ClaimedJob, JobStore } from './job-store.js';

const retryMs = 5_000;

/** A running job. */
interface Running {
  cancel: AbortController;
  pause: AbortController;
  ended: Promise<void>;
}

/** Threads of each of the jobs that run at once: together as many as there are cores. */
export function shareCores(cores: number, jobsAtOnce: number): number[] {
  const share = Math.floor(cores / jobsAtOnce);
  const extra = cores % jobsAtOnce;
  return Array.from({ length: jobsAtOnce }, (_, i) => share + (i < extra ? 1 : 0));
}

/** Runs all jobs that have not ended, some at once; those that an earlier process left come before new ones. */
export class JobQueue {
  readonly #stopping = new AbortController();
  readonly #running = new Map<number, Running>();
  /** Threads for each further job that may run now, most last. */
  readonly #free: number[];
  #wake = () => {};
  #hasNews = false;
  #loop: Promise<void> | null = null;

  /** @param shares threads of the engine for each of the jobs that run at once */
  constructor(
    private readonly store: JobStore,
    private readonly runner: JobRunner,
    private readonly log: Logger,
    shares: readonly number[],
  ) {
    this.#free = [...shares].sort((a, b) => a - b);
  }

  start(): void {
    this.#loop = this.#runAll();
  }

  /** Says that there may be a new job. */
  wake(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Cancels a job: one that waits or is paused has ended when this returns, a running one ends within a step. */
  async cancel(id: string): Promise<TrainingJob> {
    const job = await this.store.requestCancel(id);
    if (isEndState(job.state)) {
      await this.runner.release(id);
    } else {
      this.#running.get(job.number)?.cancel.abort();
    }
    return job;
  }

  /** Pauses a job: one that waits is paused when this returns, a running one within a step. */
  async pause(id: string): Promise<TrainingJob> {
    const job = await this.store.requestPause(id);
    this.#running.get(job.number)?.pause.abort();
    return job;
  }

  /** Has a paused job go on when its turn comes. */
  async resume(id: string): Promise<TrainingJob> {
    const job = await this.store.requestResume(id);
    this.wake();
    return job;
  }

  /** Removes a job that has ended, with all that was kept of it. */
  async remove(id: string): Promise<void> {
    await this.store.remove(id);
    await this.runner.erase(id);
  }

  /** Stops the running jobs at their next step; they go on when the service starts again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#loop;
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  async #runAll(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#hasNews = false;
      try {
        if (!(await this.#startNext()) && !this.#hasNews) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      } catch (error) {
        // A disk that is full or a bug must not turn this loop into a busy one.
        this.log.error({ err: error, retryMs }, 'the queue cannot go on, trying again');
        await this.#pauseForRetry();
      }
    }
  }

  /** Whether there was a job to start, and room for it. */
  async #startNext(): Promise<boolean> {
    const threads = this.#free.at(-1);
    const claimed = threads === undefined ? null : await this.store.claimNext([...this.#running.keys()]);
    if (!claimed) {
      return false;
    }
    this.#free.pop();
    const running = { cancel: new AbortController(), pause: new AbortController(), ended: Promise.resolve() };
    this.#running.set(claimed.job.number, running);
    running.ended = this.#run(claimed, threads!, running);
    return true;
  }

  async #run(claimed: ClaimedJob, threads: number, { cancel, pause }: Running): Promise<void> {
    const { id, number } = claimed.job;
    try {
      // Asked anew: a wish may have come between the claim and now, or in an earlier process.
      const wishes = await this.store.wishes(number);
      if (wishes.cancel) {
        cancel.abort();
      }
      if (wishes.pause) {
        pause.abort();
      }
      const signals = { cancelled: cancel.signal, paused: pause.signal, stopping: this.#stopping.signal };
      await this.runner.run(claimed, threads, signals);
    } catch (error) {
      // The job has kept its state, and is claimed again.
      this.log.error({ job: id, err: error, retryMs }, 'a job cannot go on, trying again');
      await this.#pauseForRetry();
    }
    this.#running.delete(number);
    this.#free.push(threads);
    this.#free.sort((a, b) => a - b);
    this.wake();
  }

  async #pauseForRetry(): Promise<void> {
    await delay(retryMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
