import { setTimeout as delay } from 'node:timers/promises';
import { RpcError } from '../../../proto/index.js';
import { ServiceError } from '../../platform/errors.js';
import type { Logger } from '../../platform/log.js';
import type { KeptEvent, TrainingJob } from '../job.js';
import type { JobRequest } from '../job-creation.js';
import type { JobQueue } from '../job-queue.js';
import { isEndState } from '../job-state.js';
import type { JobStore } from '../job-store.js';
import { watchJob } from '../job-watch.js';
import { isTransient } from '../retry.js';
import type { Assignment } from './search-space.js';
import { trialSpec } from './trial-spec.js';
import type { TuningJob } from './tuning-job.js';

export interface TuningJobsDependencies {
  jobs: JobStore;
  queue: Pick<JobQueue, 'cancel' | 'pause' | 'resume'>;
  /** Queues a job of a training spec's message; repeating the same request answers the same job. */
  createJob(spec: object, request: JobRequest, signal: AbortSignal): Promise<TrainingJob>;
  log: Logger;
}

const retryMs = 1_000;
const everything = { after: 0, fromNow: false, stepEventsPerSecondMax: 0 };
/** Services that are away, and a queue that is full, are waited for. */
const passing = ['PREPROCESSING_UNAVAILABLE', 'QUEUE_FULL'];

/** The training jobs of one tuning. */
export class TuningJobs {
  constructor(
    private readonly tuning: TuningJob,
    private readonly dependencies: TuningJobsDependencies,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * The job of a trial, made if it is not there yet.
   * @returns null when it is wanted no more, or the service stops first
   */
  trialJob(number: number, values: Assignment, isWanted: () => boolean): Promise<TrainingJob | null> {
    const name = String(number + 1);
    return this.#create(values, { requestId: `trials/${name}`, isTrial: true, labels: { trial: name } }, isWanted);
  }

  /** The job that trains, tests and publishes the best. */
  lastJob(values: Assignment): Promise<TrainingJob | null> {
    return this.#create(values, { requestId: 'best', isTrial: false, labels: {} }, () => true);
  }

  async #create(
    values: Assignment,
    part: { requestId: string; isTrial: boolean; labels: Record<string, string> },
    isWanted: () => boolean,
  ): Promise<TrainingJob | null> {
    const { owner, priority, id, spec } = this.tuning;
    const request = {
      ...{ ...part, owner, priority, stepEventsPerSecond: 1, requestId: `tuningJobs/${id}/${part.requestId}` },
      labels: { ...this.tuning.labels, tuning: id, ...part.labels },
    };
    for (;;) {
      try {
        const filled = trialSpec(spec, values);
        // Folds and growing shares of the rows are for the last job: trials are told apart by the validation rows.
        const asked = part.isTrial ? { ...filled, crossValidation: null, learningCurve: null } : filled;
        return await this.dependencies.createJob(asked, request, this.signal);
      } catch (error) {
        if (this.signal.aborted || !isWanted()) {
          return null;
        }
        const isPassing = error instanceof ServiceError && passing.includes(error.reason);
        if (!isTransient(error) && !isPassing) {
          throw error;
        }
        this.dependencies.log.warn({ tuning: id, err: error, retryMs }, 'a job of a tuning cannot be made yet');
      }
      await delay(retryMs, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }

  /** A job's events from the first on, until it has ended, the service stops, or `left` is aborted. */
  events(jobId: string, left: AbortSignal): AsyncGenerator<KeptEvent, void> {
    return watchJob(this.dependencies.jobs, jobId, everything, AbortSignal.any([this.signal, left]));
  }

  /** Cancels a job, and says why in its events; one that has ended by itself stays as it is. */
  stop(jobId: string, why: string): Promise<void> {
    const { jobs, queue } = this.dependencies;
    return this.#unlessEnded(jobId, async ({ number }) => {
      await jobs.append(number, [{ kind: 'log', severity: 'info', text: why }]);
      await queue.cancel(jobId);
    });
  }

  /** Has a job pause; one that is paused, has ended or publishes stays as it is. */
  pause(jobId: string): Promise<void> {
    return this.#unlessEnded(jobId, () => this.dependencies.queue.pause(jobId));
  }

  /** Has a paused job go on; any other stays as it is. */
  resume(jobId: string): Promise<void> {
    return this.#unlessEnded(jobId, () => this.dependencies.queue.resume(jobId));
  }

  async isPaused(jobId: string): Promise<boolean> {
    return (await this.dependencies.jobs.get(jobId)).state === 'paused';
  }

  /** Whether a job can come to nothing more: it has ended, or is not there. */
  async isEnded(jobId: string): Promise<boolean> {
    return (await this.dependencies.jobs.isEnded(jobId)) ?? true;
  }

  async #unlessEnded(jobId: string, change: (job: TrainingJob) => Promise<unknown>): Promise<void> {
    const job = await this.dependencies.jobs.get(jobId);
    if (isEndState(job.state)) {
      return;
    }
    try {
      await change(job);
    } catch (error) {
      if (!(error instanceof ServiceError && error.code === 'FAILED_PRECONDITION')) {
        throw error;
      }
    }
  }
}

/** Whether a failure says something of the trial, and not of the service. */
export function isRefusal(error: unknown): error is ServiceError | RpcError {
  return error instanceof ServiceError || error instanceof RpcError;
}
