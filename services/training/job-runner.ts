import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../native/index.js';
import { RpcError } from '../../proto/index.js';
import { isDiskFull, ServiceError } from '../platform/errors.js';
import { EventWriter } from './event-writer.js';
import type { Happening, JobError, RunnableJob } from './job.js';
import type { JobStore } from './job-store.js';
import { type RunDependencies, TrainingRun } from './training-run.js';

/** Why a run may be stopped from outside. */
export interface RunSignals {
  /** Its job was cancelled. */
  cancelled: AbortSignal;
  /** The service stops; the job goes on when it starts again. */
  stopping: AbortSignal;
}

const diskFullRetryMs = 5_000;

/** Runs jobs, one call one job, and puts down how each ended. */
export class JobRunner {
  constructor(
    private readonly store: JobStore,
    private readonly dependencies: RunDependencies,
  ) {}

  /** @param interrupted whether an earlier process has begun the job */
  async run(job: RunnableJob, interrupted: boolean, signals: RunSignals): Promise<void> {
    const { log, checkpoints } = this.dependencies;
    const events = new EventWriter((happenings) => this.store.append(job.number, happenings));
    log.info({ job: job.id, interrupted }, 'job begins');
    const end = await this.#endOf(job, events, interrupted, signals);
    await events.settle();
    if (end === null || !(await this.#record(job, end, signals.stopping))) {
      log.info({ job: job.id }, 'job interrupted, it goes on after the next start');
      return;
    }
    log.info({ job: job.id, end }, 'job ended');
    await checkpoints.remove(job.id);
  }

  /** What the job ends with, or null when the service stops first. */
  async #endOf(
    job: RunnableJob,
    events: EventWriter,
    interrupted: boolean,
    { cancelled, stopping }: RunSignals,
  ): Promise<Happening | null> {
    const signal = AbortSignal.any([cancelled, stopping]);
    try {
      signal.throwIfAborted();
      const run = new TrainingRun(job, events, this.dependencies, signal);
      const modelVersion = await run.complete(interrupted);
      return { kind: 'stateChange', state: 'succeeded', modelVersion };
    } catch (error) {
      if (cancelled.aborted) {
        return { kind: 'stateChange', state: 'cancelled' };
      }
      return stopping.aborted ? null : { kind: 'stateChange', state: 'failed', error: this.#explain(job, error) };
    }
  }

  /** Keeps the end; on a full disk tries until there is room or the service stops. Answers whether it is kept. */
  async #record(job: RunnableJob, end: Happening, stopping: AbortSignal): Promise<boolean> {
    for (;;) {
      try {
        await this.store.append(job.number, [end]);
        return true;
      } catch (error) {
        if (!isDiskFull(error)) {
          throw error;
        }
        this.dependencies.log.error({ job: job.id, err: error, end }, 'disk full, the end of a job cannot be kept');
      }
      if (stopping.aborted) {
        return false;
      }
      await delay(diskFullRetryMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }

  #explain(job: RunnableJob, error: unknown): JobError {
    if (error instanceof ServiceError || error instanceof RpcError) {
      return { code: error.code, message: error.message };
    }
    if (error instanceof EngineError && error.code === 'DIVERGED') {
      return { code: 'FAILED_PRECONDITION', message: `Training diverged. ${error.message}` };
    }
    if (error instanceof EngineError && error.code === 'INVALID_ARGUMENT') {
      return { code: 'INVALID_ARGUMENT', message: error.message };
    }
    if (isDiskFull(error)) {
      const message = 'The disk is full. Free space in the data folder, then create the job again.';
      return { code: 'RESOURCE_EXHAUSTED', message };
    }
    this.dependencies.log.error({ job: job.id, err: error }, 'job failed with an internal error');
    return { code: 'INTERNAL', message: `Internal error (job ${job.id}).` };
  }
}
