import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '../../platform/errors.js';
import type { JobQueue } from '../job-queue.js';
import { refusePublishing } from '../job-refusal.js';
import { isTuningEnd, type TuningJob } from './tuning-job.js';
import { type TuningDependencies, TuningRun } from './tuning-run.js';

export interface TuningsDependencies extends TuningDependencies {
  queue: Pick<JobQueue, 'cancel' | 'pause' | 'resume' | 'remove'>;
}

interface Running {
  cancel: AbortController;
  /** Of the run under way; a tuning that is resumed has another run. */
  pause: AbortController;
  /** Something was asked of the tuning since its state was read. */
  hasNews: boolean;
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
    const running = this.#running.get(id);
    if (running) {
      running.hasNews = true;
    } else if (!this.#stopping.signal.aborted) {
      const cancel = new AbortController();
      const begun = { cancel, pause: new AbortController(), hasNews: false, ended: Promise.resolve() };
      this.#running.set(id, begun);
      begun.ended = this.#run(id, begun);
    }
  }

  /** Ends a tuning: its trials stop within a step. FAILED_PRECONDITION when its last job is publishing. */
  async cancel(id: string): Promise<TuningJob> {
    const { tunings, queue } = this.dependencies;
    const { state, jobId } = await tunings.get(id);
    if (jobId !== null && !isTuningEnd(state)) {
      await queue.cancel(jobId).catch((error) => {
        // Of a paused tuning nobody has seen that its last job has ended.
        if (!(state === 'paused' && error instanceof ServiceError && error.reason === 'JOB_ENDED')) {
          throw error;
        }
      });
    }
    const tuning = await tunings.requestCancel(id);
    this.#running.get(id)?.cancel.abort();
    this.begin(tuning);
    return tuning;
  }

  /** Pauses a tuning once its trials are, within a step. FAILED_PRECONDITION when its last job is publishing. */
  async pause(id: string): Promise<TuningJob> {
    const { tunings, jobs } = this.dependencies;
    const { state, jobId } = await tunings.get(id);
    if (state === 'publishing') {
      refusePublishing(await jobs.get(jobId!), 'paused');
    }
    const tuning = await tunings.requestPause(id);
    this.#running.get(id)?.pause.abort();
    return tuning;
  }

  /** Has a paused tuning go on. */
  async resume(id: string): Promise<TuningJob> {
    const tuning = await this.dependencies.tunings.requestResume(id);
    this.begin(tuning);
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

  async #run(id: string, running: Running): Promise<void> {
    const { tunings, log } = this.dependencies;
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      running.hasNews = false;
      // Before the wish is read: one that comes after that aborts this one.
      running.pause = new AbortController();
      try {
        const tuning = await tunings.get(id);
        if (tuning.cancelRequested) {
          running.cancel.abort();
        }
        if (tuning.pauseRequested) {
          running.pause.abort();
        }
        const isWaiting = tuning.state === 'paused' && !tuning.cancelRequested;
        if (isTuningEnd(tuning.state) || isWaiting) {
          if (running.hasNews) {
            continue;
          }
          break;
        }
        const signals = { cancelled: running.cancel.signal, paused: running.pause.signal, stopping };
        await new TuningRun(tuning, this.dependencies, signals).complete();
      } catch (error) {
        // What is kept says where it goes on.
        log.error({ tuning: id, err: error, retryMs }, 'a tuning cannot go on, trying again');
        await delay(retryMs, undefined, { signal: stopping }).catch(() => undefined);
      }
    }
    this.#running.delete(id);
  }
}
