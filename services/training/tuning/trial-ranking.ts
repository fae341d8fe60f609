import type { PastTrial } from './searcher.js';
import type { Objective } from './tune-spec.js';
import { type Trial, toPastTrial } from './tuning-job.js';

const order = { complete: 0, cutOff: 0, stopped: 1, failed: 2, running: 3, paused: 3 };

/**
 * The best first: trials that came to their end, and those that were measured when the time was up, by score; then stopped ones by how far they
 * came, then failed ones.
 */
export function rank(trials: readonly PastTrial[]): PastTrial[] {
  const place = ({ state, score }: PastTrial) => (state === 'cutOff' && score === null ? order.stopped : order[state]);
  const reached = (trial: PastTrial) => (trial.state === 'stopped' ? -trial.epochs : 0);
  const score = (trial: PastTrial) => trial.score ?? Number.MAX_VALUE;
  return [...trials].sort(
    (a, b) => place(a) - place(b) || reached(a) - reached(b) || score(a) - score(b) || a.number - b.number,
  );
}

/** The trial that is published; null while none has been measured. */
export function bestTrial(trials: readonly Trial[], objective: Objective): Trial | null {
  const measured = trials.filter((trial) => trial.state !== 'failed' && trial.objective !== null);
  const [best] = rank(measured.map((trial) => toPastTrial(trial, objective)));
  return best ? measured.find(({ number }) => number === best.number)! : null;
}
