import type { Logger } from '../../platform/log.js';
import { RandomSearcher } from './random-searcher.js';
import type { Searcher } from './searcher.js';
import { SobolSearcher } from './sobol-searcher.js';
import { MedianStopping, type StopRule, SuccessiveHalving } from './stop-rules.js';
import { rank, TpeSearcher } from './tpe-searcher.js';
import { TrialWatch } from './trial-watch.js';
import type { TuneSpec } from './tune-spec.js';
import { type Trial, type TuningJob, toPastTrial } from './tuning-job.js';
import { isRefusal, TuningJobs, type TuningJobsDependencies } from './tuning-jobs.js';
import type { TuningStore } from './tuning-store.js';

export interface TuningDependencies extends TuningJobsDependencies {
  tunings: TuningStore;
  log: Logger;
}

export interface TuningSignals {
  cancelled: AbortSignal;
  /** The service stops; the tuning goes on when it starts again. */
  stopping: AbortSignal;
}

interface RunningTrial {
  watch: TrialWatch;
  ended: Promise<void>;
}

/** Between two events of a trial that goes on. */
const newsIntervalMs = 1_000;
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
    for (const signal of [signals.cancelled, this.#halted]) {
      signal.addEventListener('abort', () => this.#tell(), { once: true });
    }
  }

  async complete(): Promise<void> {
    const { tunings } = this.dependencies;
    const { number, state } = this.tuning;
    this.#trials.push(...(await tunings.trials(number)));
    const jobId = state === 'publishing' ? this.tuning.jobId! : await this.#search();
    if (jobId !== null) {
      await this.#followLastJob(jobId);
    }
  }

  /** @returns ID of the job that publishes, null when there is none */
  async #search(): Promise<string | null> {
    for (const trial of this.#trials.filter(({ state }) => state === 'running')) {
      this.#begin(trial);
    }
    const { cancelled } = this.signals;
    while (!this.#halted.aborted) {
      const news = new Promise<void>((resolve) => {
        this.#tell = resolve;
      });
      if (cancelled.aborted) {
        await this.#stopAll('its tuning was cancelled');
      } else if (this.#isTimeUp() && this.#best(this.#trials) !== null) {
        await this.#stopAll('the time of the tuning is up');
      }
      const isThrough = this.#isThrough();
      if (isThrough && this.#running.size === 0) {
        break;
      }
      if (!isThrough && this.#running.size < this.tuning.tune.parallel) {
        await this.#beginNext();
        continue;
      }
      await this.#waitFor(news);
    }
    await Promise.allSettled([...this.#running.values()].map(({ ended }) => ended));
    if (this.#halt.signal.aborted) {
      throw this.#halt.signal.reason;
    }
    return this.signals.stopping.aborted ? null : this.#endSearch();
  }

  #isThrough(): boolean {
    const { length } = this.#trials;
    const isHopeless = length >= failuresMax && this.#trials.every(({ state }) => state === 'failed');
    return this.signals.cancelled.aborted || length >= this.tuning.tune.trials || this.#isTimeUp() || isHopeless;
  }

  #isTimeUp(): boolean {
    return this.#timeLeftMs() <= 0;
  }

  /** Until no trial may begin: the best spec is to be trained once more within the time. */
  #timeLeftMs(): number {
    const { tune, createTimeMs } = this.tuning;
    if (tune.seconds === null) {
      return Number.POSITIVE_INFINITY;
    }
    const best = this.#best(this.#trials.filter(({ state }) => state === 'complete'));
    const lastMs = best ? best.endTimeMs! - best.beginTimeMs : 0;
    return createTimeMs + tune.seconds * 1_000 - lastMs - Date.now();
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

  #best(trials: readonly Trial[]): Trial | null {
    const { objective } = this.tuning.tune;
    const measured = trials.filter((trial) => trial.state !== 'failed' && trial.objective !== null);
    const [best] = rank(measured.map((trial) => toPastTrial(trial, objective)));
    return best ? this.#trials[best.number]! : null;
  }

  async #beginNext(): Promise<void> {
    const { tunings } = this.dependencies;
    const { tune, number: tuning } = this.tuning;
    const number = this.#trials.length;
    const past = this.#trials.map((trial) => toPastTrial(trial, tune.objective));
    const trial: Trial = {
      ...{ number, values: this.#searcher.suggest(tune.space, past, number), state: 'running', objective: null },
      ...{ epochsDone: 0, curve: [], jobId: null, endReason: null, beginTimeMs: Date.now(), endTimeMs: null },
    };
    await tunings.keepTrial(tuning, trial);
    this.#trials.push(trial);
    this.#begin(trial);
  }

  #begin(trial: Trial): void {
    const watch = new TrialWatch(trial, this.tuning.tune.objective);
    const running = { watch, ended: Promise.resolve() };
    this.#running.set(trial.number, running);
    running.ended = this.#run(watch).finally(() => {
      this.#running.delete(trial.number);
      this.#tell();
    });
    running.ended.catch((error) => this.#halt.abort(error));
  }

  async #run(watch: TrialWatch): Promise<void> {
    try {
      await this.#follow(watch);
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      await this.#keep({ ...watch.current, state: 'failed', endReason: error.message, endTimeMs: Date.now() });
    }
  }

  async #follow(watch: TrialWatch): Promise<void> {
    const { number, values } = watch.current;
    const job = await this.#jobs.trialJob(number, values, () => watch.current.endReason === null);
    if (job === null) {
      if (!this.#halted.aborted) {
        await this.#keep({ ...watch.current, state: 'stopped', endTimeMs: Date.now() });
      }
      return;
    }
    watch.assign(job.id);
    await this.#keep(watch.current);
    if (watch.current.endReason !== null) {
      await this.#jobs.stop(job.id, watch.current.endReason);
    }
    let toldMs = Date.now();
    for await (const event of this.#jobs.events(job.id)) {
      const isNew = watch.take(event);
      this.#trials[number] = watch.current;
      const reason = isNew ? this.#reasonToStop(watch.current) : null;
      if (reason !== null) {
        await this.#stop(watch, reason);
      } else if (isNew && Date.now() - toldMs >= newsIntervalMs) {
        toldMs = Date.now();
        await this.#keep(watch.current);
      }
      if (isNew) {
        this.#tell();
      }
    }
    if (watch.current.state !== 'running') {
      await this.#keep({ ...watch.current, endTimeMs: Date.now() });
    }
  }

  async #keep(trial: Trial): Promise<void> {
    this.#trials[trial.number] = trial;
    await this.dependencies.tunings.keepTrial(this.tuning.number, trial);
  }

  #reasonToStop(trial: Trial): string | null {
    const others = this.#trials
      .filter(({ number, state }) => number !== trial.number && state !== 'failed')
      .map(({ curve, state }) => ({ curve, isComplete: state === 'complete' }));
    return this.#rule?.reasonToStop(trial.curve, others) ?? null;
  }

  async #stopAll(reason: string): Promise<void> {
    for (const { watch } of this.#running.values()) {
      await this.#stop(watch, reason);
    }
  }

  /** Ends a trial within a step. Why is kept first, so that the end is told for what it is, whatever is killed. */
  async #stop(watch: TrialWatch, reason: string): Promise<void> {
    if (watch.current.state !== 'running' || watch.current.endReason !== null) {
      return;
    }
    watch.stop(`Stopped by tuning: ${reason}.`);
    await this.#keep(watch.current);
    const { jobId, endReason } = watch.current;
    if (jobId !== null) {
      await this.#jobs.stop(jobId, endReason!);
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
    const best = this.#best(this.#trials);
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
    try {
      for await (const _ of this.#jobs.events(jobId)) {
        // Its end is what matters.
      }
      const { state, error, modelVersion } = await jobs.get(jobId);
      if (state === 'succeeded' || state === 'failed' || state === 'cancelled') {
        const end = { ...(error ? { error } : {}), ...(modelVersion ? { modelVersion } : {}) };
        await tunings.enter(this.tuning.number, { state, ...end });
      }
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      // It has been deleted while nobody followed it.
      const { code, message } = error;
      await tunings.enter(this.tuning.number, { state: 'failed', error: { code, message } });
    }
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

function ruleOf({ stopEarly, asha }: TuneSpec): StopRule | null {
  switch (stopEarly) {
    case 'none':
      return null;
    case 'asha':
      return new SuccessiveHalving(asha.minimumValidations, asha.reductionFactor);
    case 'median':
      return new MedianStopping();
  }
}
