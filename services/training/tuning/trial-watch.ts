import type { KeptEvent } from '../job.js';
import { measuredOf } from '../validation-metric.js';
import { isTrialEnd } from './searcher.js';
import type { TuneSpec } from './tune-spec.js';
import { scoreOf, type Trial } from './tuning-job.js';

/** A trial as its job's events tell of it, from the first on. */
export class TrialWatch {
  /** The objective after each epoch; null: not measured. */
  #measured: (number | null)[] = [];
  #restoredEpoch: number | null = null;

  constructor(
    private trial: Trial,
    private readonly objective: TuneSpec['objective'],
    /** Whether a training goes back to its best epoch. */
    private readonly restoresBest: boolean,
  ) {}

  get current(): Trial {
    return this.trial;
  }

  /**
   * What a job does before it stops changes nothing of a trial that has been stopped.
   * @returns whether a validation is new, and not one that was told of before an interruption
   */
  take({ happening }: KeptEvent): boolean {
    if (isTrialEnd(this.trial.state)) {
      return false;
    }
    switch (happening.kind) {
      case 'resumed':
        // What follows is done again, to the same bits.
        this.#measured.length = happening.epochsDone;
        return false;
      case 'epoch': {
        const measured = measuredOf(this.objective, happening);
        this.#measured[happening.epoch - 1] = measured;
        const isNew = happening.epoch > this.trial.epochsDone;
        this.#update();
        return isNew && measured !== null;
      }
      case 'trainingEnd':
        this.#restoredEpoch = happening.restoredEpoch;
        return false;
      case 'stateChange':
        this.#end(happening.state, happening.error?.message);
        return false;
      default:
        return false;
    }
  }

  assign(jobId: string): void {
    this.trial = { ...this.trial, jobId };
  }

  pause(): void {
    this.trial = { ...this.trial, state: 'paused' };
  }

  resume(): void {
    this.trial = { ...this.trial, state: 'running' };
  }

  end(state: 'stopped' | 'cutOff' | 'failed', endReason: string): void {
    const objective = state === 'cutOff' ? this.#objectiveNow() : this.trial.objective;
    this.trial = { ...this.trial, state, objective, endReason };
  }

  noteEnd(endTimeMs: number): void {
    this.trial = { ...this.trial, endTimeMs };
  }

  #update(): void {
    const curve = this.#measured.flatMap((value) => (value === null ? [] : scoreOf(this.objective, value)));
    const best = curve.length > 0 ? Math.min(...curve) : null;
    const epochsDone = Math.max(this.#measured.length, this.trial.epochsDone);
    this.trial = { ...this.trial, curve, epochsDone, objective: best === null ? null : scoreOf(this.objective, best) };
  }

  /** Of the weights that the training would publish if it ended where it stands. */
  #objectiveNow(): number | null {
    return this.restoresBest ? this.trial.objective : (this.#measured.findLast((value) => value !== null) ?? null);
  }

  #end(state: string, message = ''): void {
    if (state === 'succeeded') {
      const objective = this.#measured[(this.#restoredEpoch ?? this.#measured.length) - 1] ?? null;
      // Without validation in the epoch that counts there is nothing to compare.
      const reason = objective === null ? 'The epoch whose weights count was not validated.' : null;
      this.trial = { ...this.trial, state: objective === null ? 'failed' : 'complete', objective, endReason: reason };
    } else if (state === 'failed') {
      this.end('failed', message);
    } else if (state === 'cancelled') {
      this.end('failed', 'Its training job was cancelled.');
    }
  }
}
