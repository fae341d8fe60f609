import type { KeptEvent } from '../job.js';
import { isTrialEnd } from './searcher.js';
import { TrialWatch } from './trial-watch.js';
import type { Objective } from './tune-spec.js';
import type { Trial } from './tuning-job.js';
import { isRefusal, type TuningJobs } from './tuning-jobs.js';

/** What a trial is a part of. */
export interface TrialHost {
  jobs: TuningJobs;
  objective: Objective;
  /** Whether a training goes back to its best epoch. */
  restoresBest: boolean;
  now(): number;
  /** Aborted: its tuning is to pause. */
  paused: AbortSignal;
  /** Keeps a trial as it stands, and tells of it. */
  keep(trial: Trial): Promise<void>;
  /** Asked once after each validation: why a trial is to end, or null. */
  reasonToStop(trial: Trial): string | null;
  /** Called when something is new. */
  tell(): void;
}

/** Between two events of a trial that goes on. */
const newsIntervalMs = 1_000;

/** A trial at work: its job is made, followed, paused and stopped. What becomes of it is kept before its job is told. */
export class TrialRun {
  readonly #watch: TrialWatch;
  readonly #spentBeforeMs: number;
  readonly #beginMs: number;
  /** Its job is not followed any more: it is paused. */
  readonly #left = new AbortController();

  constructor(
    trial: Trial,
    private readonly host: TrialHost,
  ) {
    this.#watch = new TrialWatch(trial, host.objective, host.restoresBest);
    this.#beginMs = host.now();
    this.#spentBeforeMs = trial.spentMs;
  }

  get current(): Trial {
    return { ...this.#watch.current, spentMs: this.#spentBeforeMs + this.host.now() - this.#beginMs };
  }

  /** Resolves when its job has ended or is paused with the tuning, or the service stops. */
  async complete(): Promise<void> {
    try {
      await this.#follow();
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      if (!this.#hasEnded) {
        this.#watch.end('failed', error.message);
        await this.#keepEnd();
      }
    }
  }

  /** Stops its job where it stands; it goes on when the trial is run again. */
  async pause(): Promise<void> {
    if (this.#watch.current.state === 'running') {
      this.#watch.pause();
      await this.#keep();
    }
    const { jobId } = this.#watch.current;
    if (jobId !== null && !this.#hasEnded) {
      await this.host.jobs.pause(jobId);
      await this.#leaveIfPaused(jobId);
    }
  }

  /** Ends it as it stands, and its job within a step. */
  async stop(state: 'stopped' | 'cutOff', reason: string): Promise<void> {
    if (this.#hasEnded) {
      return;
    }
    this.#watch.end(state, `Stopped by tuning: ${reason}.`);
    await this.#keepEnd();
    const { jobId, endReason } = this.#watch.current;
    if (jobId !== null) {
      await this.host.jobs.stop(jobId, endReason!);
    }
  }

  get #hasEnded(): boolean {
    return isTrialEnd(this.#watch.current.state);
  }

  async #follow(): Promise<void> {
    const { jobs, paused } = this.host;
    const { number, values } = this.#watch.current;
    const job = await jobs.trialJob(number, values, () => this.#watch.current.state === 'running');
    if (job === null) {
      return;
    }
    if (this.#watch.current.jobId === null) {
      this.#watch.assign(job.id);
      await this.#keep();
    }
    if (this.#hasEnded) {
      await jobs.stop(job.id, this.#watch.current.endReason!);
    } else if (paused.aborted) {
      await this.pause();
    } else if (this.#watch.current.state === 'paused') {
      await jobs.resume(job.id);
      this.#watch.resume();
      await this.#keep();
    }
    await this.#followJob(job.id);
    if (this.#hasEnded && this.#watch.current.endTimeMs === null) {
      await this.#keepEnd();
    }
  }

  async #followJob(jobId: string): Promise<void> {
    const { jobs, paused, tell, now } = this.host;
    let toldMs = now();
    for await (const event of jobs.events(jobId, this.#left.signal)) {
      const isNew = this.#watch.take(event);
      const reason = isNew ? this.host.reasonToStop(this.current) : null;
      if (reason !== null) {
        await this.stop('stopped', reason);
      } else if (isNew && now() - toldMs >= newsIntervalMs) {
        toldMs = now();
        await this.#keep();
      }
      if (paused.aborted && isPause(event)) {
        await this.#leaveIfPaused(jobId);
      }
      if (isNew) {
        tell();
      }
    }
  }

  /** An event may tell of an earlier pause; and a job that was paused already tells of none. */
  async #leaveIfPaused(jobId: string): Promise<void> {
    if (await this.host.jobs.isPaused(jobId)) {
      this.#left.abort();
    }
  }

  #keep(): Promise<void> {
    return this.host.keep(this.current);
  }

  #keepEnd(): Promise<void> {
    this.#watch.noteEnd(this.host.now());
    return this.#keep();
  }
}

export function isPause({ happening }: KeptEvent): boolean {
  return happening.kind === 'stateChange' && happening.state === 'paused';
}
