import { isTrialEnd } from './searcher.js';
import { bestTrial } from './trial-ranking.js';
import type { Trial, TuningJob } from './tuning-job.js';

type Budgeted = Pick<TuningJob, 'tune' | 'createTimeMs' | 'pausedMs'>;

/** Until trials are to end, ms: the best spec is to be trained once more within the time of a tuning. Infinite without such a time. */
export function timeLeftMs(
  { tune, createTimeMs, pausedMs }: Budgeted,
  trials: readonly Trial[],
  nowMs: number,
): number {
  if (tune.seconds === null) {
    return Number.POSITIVE_INFINITY;
  }
  // As they would stand if the time were up now.
  const standing = trials.map((trial): Trial => (isTrialEnd(trial.state) ? trial : { ...trial, state: 'cutOff' }));
  const best = bestTrial(standing, tune.objective);
  return createTimeMs + pausedMs + tune.seconds * 1_000 - (best ? trainingMs(best, standing) : 0) - nowMs;
}

/** How long a trial takes to its end: of one that is not there yet, as many epochs as the others have taken in the mean. */
function trainingMs({ state, spentMs, epochsDone }: Trial, trials: readonly Trial[]): number {
  const complete = trials.filter((trial) => trial.state === 'complete');
  if (state === 'complete' || complete.length === 0 || epochsDone === 0) {
    return spentMs;
  }
  const epochs = complete.reduce((sum, trial) => sum + trial.epochsDone, 0) / complete.length;
  return spentMs * Math.max(epochs / epochsDone, 1);
}
