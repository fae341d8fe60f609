import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '../../platform/errors.js';
import type { JobQueue } from '../job-queue.js';
import type { TuningJob } from './tuning-job.js';
import { type TuningDependencies, TuningRun } from './tuning-run.js';

export interface TuningsDependencies extends TuningDependencies {
  queue: Pick<JobQueue, 'cancel' | 'remove'>;
}

interface Running {
  cancel: AbortController;
  ended: Promise<void>;
}

const retryMs = 5_000;

/** Runs all tunings that have not ended. They take no cores: their training jobs queue for them. */
export class Tunings {
  readonly #running = new Map<string, Running>();
  readonly #stopping = new AbortController();

  constructor(private readonly dependencies: TuningsDependencies) {}

  /** Goes on with what an earlier process left. */
  async start(): Promise<void> {
    for (const tuning of await this.dependencies.tunings.unfinished()) {
      this.begin(tuning);
    }
  }

  /** Runs a tuning, unless it runs already. */
  begin({ id }: TuningJob): void {
    if (!this.#running.has(id) && !this.#stopping.signal.aborted) {
      const running = { cancel: new AbortController(), ended: Promise.resolve() };
      this.#running.set(id, running);
      running.ended = this.#run(id, running.cancel);
    }
  }

  /** Ends a tuning: its trials stop within a step. FAILED_PRECONDITION when its last job is publishing. */
  async cancel(id: string): Promise<TuningJob> {
    const { tunings, queue } = this.dependencies;
    const { state, jobId } = await tunings.get(id);
    if (state === 'publishing') {
      await queue.cancel(jobId!);
    }
    const tuning = await tunings.requestCancel(id);
    this.#running.get(id)?.cancel.abort();
    return tuning;
  }

  /** Removes a tuning that has ended, with its trials and their jobs. */
  async remove(id: string): Promise<void> {
    const { tunings, queue } = this.dependencies;
    const { number } = await tunings.requireEnded(id);
    for (const { jobId } of await tunings.trials(number)) {
      if (jobId !== null) {
        // One may have been deleted by itself.
        await queue.remove(jobId).catch((error) => {
          if (!(error instanceof ServiceError && error.code === 'NOT_FOUND')) {
            throw error;
          }
        });
      }
    }
    await tunings.remove(id);
  }

  /** Leaves all tunings where they stand. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  async #run(id: string, cancel: AbortController): Promise<void> {
    const { tunings, log } = this.dependencies;
    const stopping = this.#stopping.signal;
    for (let isThrough = false; !isThrough && !stopping.aborted; ) {
      try {
        const tuning = await tunings.get(id);
        if (tuning.cancelRequested) {
          cancel.abort();
        }
        await new TuningRun(tuning, this.dependencies, { cancelled: cancel.signal, stopping }).complete();
        isThrough = true;
      } catch (error) {
        // What is kept says where it goes on.
        log.error({ tuning: id, err: error, retryMs }, 'a tuning cannot go on, trying again');
        await delay(retryMs, undefined, { signal: stopping }).catch(() => undefined);
      }
    }
    this.#running.delete(id);
  }
}
