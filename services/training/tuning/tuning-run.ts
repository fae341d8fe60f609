import type { Logger } from '../../platform/log.js';
import { Hyperband } from './hyperband.js';
import { RandomSearcher } from './random-searcher.js';
import { isTrialEnd, type Searcher } from './searcher.js';
import { SobolSearcher } from './sobol-searcher.js';
import { MedianStopping, type StopRule, SuccessiveHalving } from './stop-rules.js';
import { timeLeftMs } from './time-budget.js';
import { TpeSearcher } from './tpe-searcher.js';
import { bestTrial } from './trial-ranking.js';
import { isPause, TrialRun } from './trial-run.js';
import type { TuneSpec } from './tune-spec.js';
import { type Trial, type TuningJob, toPastTrial } from './tuning-job.js';
import { isRefusal, TuningJobs, type TuningJobsDependencies } from './tuning-jobs.js';
import type { TuningStore } from './tuning-store.js';

export interface TuningDependencies extends TuningJobsDependencies {
  tunings: TuningStore;
  log: Logger;
  now: () => number;
}

export interface TuningSignals {
  cancelled: AbortSignal;
  /** The tuning is to pause where it stands. */
  paused: AbortSignal;
  /** The service stops; the tuning goes on when it starts again. */
  stopping: AbortSignal;
}

interface RunningTrial {
  run: TrialRun;
  ended: Promise<void>;
}

/** When nothing but failures has come of so many trials, more of them will not help. */
const failuresMax = 10;

/**
 * One tuning, from wherever it stands to its end. What it does next follows from its trials alone, which are kept before their jobs
 * are made, and jobs are made by the trials' names: so a kill at any moment repeats nothing and loses nothing.
 */
export class TuningRun {
  readonly #trials: Trial[] = [];
  readonly #running = new Map<number, RunningTrial>();
  readonly #searcher: Searcher;
  readonly #rule: StopRule | null;
  readonly #jobs: TuningJobs;
  /** Ends this run, to go on later: the service stops, or something failed that says nothing of a trial. */
  readonly #halt = new AbortController();
  readonly #halted: AbortSignal;
  #tell = () => {};

  constructor(
    private readonly tuning: TuningJob,
    private readonly dependencies: TuningDependencies,
    private readonly signals: TuningSignals,
  ) {
    this.#searcher = searcherOf(tuning.tune);
    this.#rule = ruleOf(tuning.tune);
    this.#halted = AbortSignal.any([signals.stopping, this.#halt.signal]);
    this.#jobs = new TuningJobs(tuning, dependencies, this.#halted);
    for (const signal of [signals.cancelled, signals.paused, this.#halted]) {
      signal.addEventListener('abort', () => this.#tell(), { once: true });
    }
  }

  /** Resolves when it has ended, is paused, or the service stops. */
  async complete(): Promise<void> {
    const { tunings } = this.dependencies;
    this.#trials.push(...(await tunings.trials(this.tuning.number)));
    const jobId = this.tuning.jobId ?? (await this.#search());
    if (jobId !== null) {
      await this.#followLastJob(jobId);
    }
  }

  /** @returns ID of the job that publishes, null when there is none */
  async #search(): Promise<string | null> {
    const { cancelled, paused, stopping } = this.signals;
    await this.#takeUp();
    while (!this.#halted.aborted) {
      const news = new Promise<void>((resolve) => {
        this.#tell = resolve;
      });
      await this.#heedSignals();
      const mayBegin = !this.#isThrough() && !paused.aborted;
      if (!mayBegin && this.#running.size === 0) {
        break;
      }
      if (mayBegin && this.#running.size < this.tuning.tune.parallel) {
        await this.#beginNext();
        continue;
      }
      await this.#waitFor(news);
    }
    await Promise.allSettled([...this.#running.values()].map(({ ended }) => ended));
    this.#throwIfFailed();
    if (stopping.aborted) {
      return null;
    }
    // One that was cancelled in this moment is run once more, to end what has just been paused.
    if (paused.aborted && !(cancelled.aborted && this.#open().length === 0)) {
      await this.dependencies.tunings.keepPause(this.tuning.number);
      return null;
    }
    return this.#endSearch();
  }

  /** Goes on with the trials that an earlier run has left: also with those that were ended while their jobs had not. */
  async #takeUp(): Promise<void> {
    for (const trial of this.#trials.filter(({ state }) => state === 'stopped' || state === 'cutOff')) {
      if (trial.jobId === null || !(await this.#jobs.isEnded(trial.jobId))) {
        this.#begin(trial);
      }
    }
    this.#beginOpen();
  }

  #beginOpen(): void {
    for (const trial of this.#open().filter(({ number }) => !this.#running.has(number))) {
      this.#begin(trial);
    }
  }

  #open(): Trial[] {
    return this.#trials.filter(({ state }) => !isTrialEnd(state));
  }

  async #heedSignals(): Promise<void> {
    const { cancelled, paused } = this.signals;
    if (cancelled.aborted) {
      // Those that are paused already are to end too.
      this.#beginOpen();
      await this.#stopAll('stopped', 'its tuning was cancelled');
    } else if (paused.aborted) {
      await Promise.all([...this.#running.values()].map(({ run }) => run.pause()));
    } else if (this.#isTimeUp() && this.#best() !== null) {
      await this.#stopAll('cutOff', 'the time of the tuning is up');
    }
  }

  #throwIfFailed(): void {
    if (this.#halt.signal.aborted) {
      throw this.#halt.signal.reason;
    }
  }

  /** All trials as they stand. */
  #current(): Trial[] {
    return this.#trials.map((trial) => this.#running.get(trial.number)?.run.current ?? trial);
  }

  #isThrough(): boolean {
    const { length } = this.#trials;
    const isHopeless = length >= failuresMax && this.#trials.every(({ state }) => state === 'failed');
    return this.signals.cancelled.aborted || length >= this.tuning.tune.trials || this.#isTimeUp() || isHopeless;
  }

  #isTimeUp(): boolean {
    return this.#timeLeftMs() <= 0;
  }

  #timeLeftMs(): number {
    return timeLeftMs(this.tuning, this.#current(), this.dependencies.now());
  }

  #best(): Trial | null {
    return bestTrial(this.#current(), this.tuning.tune.objective);
  }

  async #waitFor(news: Promise<void>): Promise<void> {
    const left = this.#timeLeftMs();
    if (!(left > 0 && Number.isFinite(left))) {
      return news;
    }
    const timer = setTimeout(() => this.#tell(), left);
    await news;
    clearTimeout(timer);
  }

  async #beginNext(): Promise<void> {
    const { tunings } = this.dependencies;
    const { tune, number: tuning } = this.tuning;
    const number = this.#trials.length;
    const past = this.#current().map((trial) => toPastTrial(trial, tune.objective));
    const trial: Trial = {
      ...{ number, values: this.#searcher.suggest(tune.space, past, number), state: 'running', objective: null },
      ...{
        epochsDone: 0,
        curve: [],
        jobId: null,
        endReason: null,
        beginTimeMs: this.dependencies.now(),
        endTimeMs: null,
      },
      spentMs: 0,
    };
    await tunings.keepTrial(tuning, trial);
    this.#trials.push(trial);
    this.#begin(trial);
  }

  #begin(trial: Trial): void {
    const { spec, tune } = this.tuning;
    const { earlyStopping } = spec as { earlyStopping?: { restoreBest?: boolean } | null };
    const restoresBest = Boolean(earlyStopping) && (earlyStopping?.restoreBest ?? true);
    const run = new TrialRun(trial, {
      ...{ jobs: this.#jobs, objective: tune.objective, restoresBest, paused: this.signals.paused },
      now: this.dependencies.now,
      keep: (kept) => this.#keep(kept),
      reasonToStop: (measured) => this.#reasonToStop(measured),
      tell: () => this.#tell(),
    });
    const ended = run.complete().finally(() => {
      this.#running.delete(trial.number);
      this.#tell();
    });
    this.#running.set(trial.number, { run, ended });
    ended.catch((error) => this.#halt.abort(error));
  }

  async #keep(trial: Trial): Promise<void> {
    this.#trials[trial.number] = trial;
    await this.dependencies.tunings.keepTrial(this.tuning.number, trial);
  }

  #reasonToStop(trial: Trial): string | null {
    const others = this.#current()
      .filter(({ number, state }) => number !== trial.number && state !== 'failed')
      .map(({ number, curve, state }) => ({ number, curve, isComplete: state === 'complete' }));
    return this.#rule?.reasonToStop(trial, others) ?? null;
  }

  async #stopAll(state: 'stopped' | 'cutOff', reason: string): Promise<void> {
    for (const { run } of this.#running.values()) {
      await run.stop(state, reason);
    }
  }

  /** @returns ID of the job that publishes; null when the tuning ends here */
  async #endSearch(): Promise<string | null> {
    const { tunings } = this.dependencies;
    const { number } = this.tuning;
    if (this.signals.cancelled.aborted) {
      await tunings.enter(number, { state: 'cancelled' });
      return null;
    }
    const best = this.#best();
    if (best === null) {
      const why = this.#trials[0]?.endReason ?? 'There was no time for any.';
      const message = `None of the ${this.#trials.length} trials came to a result. The first: ${why}`;
      await tunings.enter(number, { state: 'failed', error: { code: 'FAILED_PRECONDITION', message } });
      return null;
    }
    try {
      const job = await this.#jobs.lastJob(best.values);
      if (job !== null) {
        await tunings.enter(number, { state: 'publishing', jobId: job.id });
      }
      return job?.id ?? null;
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      const { code, message } = error;
      await tunings.enter(number, { state: 'failed', error: { code, message } });
      return null;
    }
  }

  async #followLastJob(jobId: string): Promise<void> {
    const { tunings, jobs } = this.dependencies;
    const { number } = this.tuning;
    const { paused, stopping } = this.signals;
    try {
      await this.#followToStop(jobId);
      const { state, error, modelVersion } = await jobs.get(jobId);
      if (state === 'succeeded' || state === 'failed' || state === 'cancelled') {
        const end = { ...(error ? { error } : {}), ...(modelVersion ? { modelVersion } : {}) };
        await tunings.enter(number, { state, ...end });
      } else if (paused.aborted && !stopping.aborted) {
        await tunings.keepPause(number);
      }
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      // It has been deleted while nobody followed it.
      const { code, message } = error;
      await tunings.enter(number, { state: 'failed', error: { code, message } });
    }
  }

  /** Until a job has ended or is paused with the tuning, or the service stops. */
  async #followToStop(jobId: string): Promise<void> {
    const { paused } = this.signals;
    const left = new AbortController();
    const leaveIfPaused = async () => {
      if (await this.#jobs.isPaused(jobId)) {
        left.abort();
      }
    };
    const pause = () => {
      this.#jobs
        .pause(jobId)
        .then(leaveIfPaused)
        .catch((error) => this.#halt.abort(error));
    };
    if (paused.aborted) {
      pause();
    } else {
      paused.addEventListener('abort', pause, { once: true });
      if (this.tuning.pauseTimeMs !== null) {
        await this.#jobs.resume(jobId);
      }
    }
    for await (const event of this.#jobs.events(jobId, left.signal)) {
      if (paused.aborted && isPause(event)) {
        await leaveIfPaused();
      }
    }
    this.#throwIfFailed();
  }
}

function searcherOf({ method, seed }: TuneSpec): Searcher {
  switch (method) {
    case 'random':
      return new RandomSearcher(seed);
    case 'sobol':
      return new SobolSearcher(seed);
    case 'tpe':
      return new TpeSearcher(seed);
  }
}

function ruleOf({ stopEarly, asha, hyperband, trials }: TuneSpec): StopRule | null {
  switch (stopEarly) {
    case 'none':
      return null;
    case 'asha':
      return new SuccessiveHalving(asha.minimumValidations, asha.reductionFactor);
    case 'hyperband':
      return new Hyperband(hyperband.maximumValidations, hyperband.reductionFactor, trials);
    case 'median':
      return new MedianStopping();
  }
}
