import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../native/index.js';
import { RpcError } from '../../proto/index.js';
import { isDiskFull, ServiceError } from '../platform/errors.js';
import { EventWriter } from './event-writer.js';
import type { Happening, JobError, RunnableJob } from './job.js';
import { isEndState, isFinalState, type JobState } from './job-state.js';
import type { ClaimedJob, JobStore } from './job-store.js';
import type { RunSignals } from './run-control.js';
import type { RunDependencies } from './run-dependencies.js';
import { TrainingRun } from './training-run.js';

type StateChange = Happening & { kind: 'stateChange' };

const diskFullRetryMs = 5_000;

/** Runs jobs, one call one job, and puts down how each ended. */
export class JobRunner {
  constructor(
    private readonly store: JobStore,
    private readonly dependencies: RunDependencies,
  ) {}

  /** @param threads of the engine */
  async run({ job, isBegun }: ClaimedJob, threads: number, signals: RunSignals): Promise<void> {
    const { log } = this.dependencies;
    const events = new EventWriter((happenings) => this.store.append(job.number, happenings));
    log.info({ job: job.id, isBegun, threads }, 'job begins');
    const left = new AbortController();
    const board = this.dependencies.board.write(job.id, left.signal);
    const end = await this.#endOf(job, events, { isBegun, threads }, signals);
    await events.settle();
    const kept = end && (await this.#record(job, end, signals.stopping));
    if (kept === null || !isEndState(kept)) {
      left.abort();
    }
    await board;
    if (kept === null) {
      log.info({ job: job.id }, 'job interrupted, it goes on after the next start');
      return;
    }
    log.info({ job: job.id, end, state: kept }, 'job stops');
    if (isFinalState(kept)) {
      await this.release(job.id);
    }
  }

  /** Removes all that was written of a job. */
  async erase(jobId: string): Promise<void> {
    await this.release(jobId);
    await this.dependencies.board.remove(jobId);
  }

  /** Removes what a job that cannot go on needs no more. */
  async release(jobId: string): Promise<void> {
    await this.dependencies.checkpoints.remove(jobId);
  }

  /** What the job stops with, or null when the service stops first. */
  async #endOf(
    job: RunnableJob,
    events: EventWriter,
    { isBegun, threads }: { isBegun: boolean; threads: number },
    signals: RunSignals,
  ): Promise<StateChange | null> {
    const { cancelled, paused, stopping } = signals;
    try {
      AbortSignal.any([cancelled, stopping]).throwIfAborted();
      if (job.state !== 'publishing') {
        paused.throwIfAborted();
      }
      const run = new TrainingRun(job, threads, events, this.dependencies, signals);
      const modelVersion = await run.complete(isBegun);
      return { kind: 'stateChange', state: 'succeeded', ...(modelVersion === null ? {} : { modelVersion }) };
    } catch (error) {
      if (cancelled.aborted) {
        return { kind: 'stateChange', state: 'cancelled' };
      }
      if (stopping.aborted) {
        return null;
      }
      // Whatever else went wrong in this moment will go wrong again when the job goes on.
      return paused.aborted
        ? { kind: 'stateChange', state: 'paused' }
        : { kind: 'stateChange', state: 'failed', error: this.#explain(job, error) };
    }
  }

  /** Keeps the end; on a full disk tries until there is room or the service stops. Answers the state kept, or null. */
  async #record(job: RunnableJob, end: StateChange, stopping: AbortSignal): Promise<JobState | null> {
    for (;;) {
      try {
        if (end.state === 'paused') {
          return await this.store.keepPause(job.number);
        }
        await this.store.append(job.number, [end]);
        return end.state;
      } catch (error) {
        if (!isDiskFull(error)) {
          throw error;
        }
        this.dependencies.log.error({ job: job.id, err: error, end }, 'disk full, the end of a job cannot be kept');
      }
      if (stopping.aborted) {
        return null;
      }
      await delay(diskFullRetryMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }

  #explain(job: RunnableJob, error: unknown): JobError {
    if (error instanceof ServiceError || error instanceof RpcError) {
      return { code: error.code, message: error.message };
    }
    if (error instanceof EngineError && error.code === 'INVALID_ARGUMENT') {
      return { code: 'INVALID_ARGUMENT', message: error.message };
    }
    if (isDiskFull(error)) {
      const message =
        'The disk is full. Free space in the data folder, then resume the job: it goes on from its last checkpoint.';
      return { code: 'RESOURCE_EXHAUSTED', message };
    }
    this.dependencies.log.error({ job: job.id, err: error }, 'job failed with an internal error');
    return { code: 'INTERNAL', message: `Internal error (job ${job.id}).` };
  }
}
