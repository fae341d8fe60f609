import { quantile } from '../report/resampling.js';

/** A trial's score of each validation; less is better. All trials validate after the same epochs. */
export type Curve = readonly number[];

/** How far a trial has come. */
export interface Progress {
  /** From 0. */
  number: number;
  curve: Curve;
}

/** Whether a trial is to end before its time. */
export interface StopRule {
  /**
   * Asked once after each validation.
   * @param trial as it is now
   * @param others all other trials, as far as they have come
   * @returns why it ends, or null
   */
  reasonToStop(trial: Progress, others: readonly (Progress & { isComplete: boolean })[]): string | null;
}

/**
 * Asynchronous successive halving (Li et al. 2020): at each rung, that is after `minimumValidations` times a power of `reductionFactor`
 * validations, only the best 1 / `reductionFactor` of the trials that have come there go on, as far as is known at that moment.
 */
export class SuccessiveHalving implements StopRule {
  constructor(
    private readonly minimumValidations: number,
    private readonly reductionFactor: number,
  ) {}

  reasonToStop({ curve }: Progress, others: readonly Progress[]): string | null {
    return this.isRung(curve.length) ? halve(curve, others, this.reductionFactor, 'other trials') : null;
  }

  isRung(count: number): boolean {
    let rung = this.minimumValidations;
    while (rung < count) {
      rung *= this.reductionFactor;
    }
    return rung === count;
  }
}

/**
 * Whether a trial is stopped at a rung.
 * @param rivals that it is compared with, if they have come there
 * @param who these are
 * @returns why, or null
 */
export function halve(curve: Curve, rivals: readonly Progress[], reductionFactor: number, who: string): string | null {
  const count = curve.length;
  const score = Math.min(...curve);
  const scores = rivals.filter(({ curve }) => curve.length >= count).map(({ curve }) => bestOf(curve, count));
  const better = scores.filter((rival) => rival < score).length;
  const promoted = Math.max(Math.floor((scores.length + 1) / reductionFactor), 1);
  return better < promoted
    ? null
    : `${better} of the ${scores.length} ${who} that were validated ${times(count)} are better, and ${promoted} may go on`;
}

const medianTrialsMin = 5;

/** Ends a trial whose best so far is worse than the median of complete trials as far as these had come then (Golovin et al. 2017, Vizier). */
export class MedianStopping implements StopRule {
  reasonToStop({ curve }: Progress, others: readonly (Progress & { isComplete: boolean })[]): string | null {
    const complete = others.filter(({ isComplete }) => isComplete);
    const count = curve.length;
    const scores = complete.flatMap(({ curve }) => curve[count - 1] ?? []);
    if (complete.length < medianTrialsMin || scores.length === 0) {
      return null;
    }
    const median = quantile(Float64Array.from(scores).sort(), 0.5);
    return Math.min(...curve) <= median
      ? null
      : `it is worse than the median of ${scores.length} complete trials when they were validated ${times(count)}`;
  }
}

const bestOf = (curve: Curve, count: number) => Math.min(...curve.slice(0, count));
const times = (count: number) => (count === 1 ? 'once' : `${count} times`);
