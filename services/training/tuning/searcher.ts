import type { Assignment, SearchSpace } from './search-space.js';

/** A trial as a searcher sees it. */
export interface PastTrial {
  /** From 0. */
  number: number;
  values: Assignment;
  /** `stopped`: before its end, because others were better. `failed`: without a result, for example diverged. */
  state: 'running' | 'complete' | 'stopped' | 'failed';
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
