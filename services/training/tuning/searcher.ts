import type { Assignment, SearchSpace } from './search-space.js';

/**
 * `stopped`: before its end, because others were better. `cutOff`: before its end, because the time was up. `failed`: without a result, for
 * example diverged.
 */
export type TrialState = 'running' | 'paused' | 'complete' | 'stopped' | 'cutOff' | 'failed';

/** Whether a trial comes to no other result any more. */
export function isTrialEnd(state: TrialState): boolean {
  return state !== 'running' && state !== 'paused';
}

/** A trial as a searcher sees it. */
export interface PastTrial {
  /** From 0. */
  number: number;
  values: Assignment;
  state: TrialState;
  /** Less is better; of a stopped one the last that was measured; null: none. */
  score: number | null;
  /** Epochs that were measured. */
  epochs: number;
}

/**
 * Suggests what to try next. It keeps nothing: the same trials, in the same order, lead to the same suggestion, so a search that was
 * interrupted goes on as if nothing had been.
 */
export interface Searcher {
  /** @param number of the trial that is suggested; grows by 1 from trial to trial, from 0 */
  suggest(space: SearchSpace, trials: readonly PastTrial[], number: number): Assignment;
}
