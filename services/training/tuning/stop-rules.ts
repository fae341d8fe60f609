import { quantile } from '../report/resampling.js';

/** A trial's scores by epoch, from epoch 1; less is better; null: not measured in that epoch. */
export type Curve = readonly (number | null)[];

/** Whether a trial is to end before its time. */
export interface StopRule {
  /**
   * Asked once after each epoch that was measured.
   * @param curve of the trial, up to this epoch
   * @param others curves of all other trials, as far as they have come, by state
   * @returns why it ends, or null
   */
  reasonToStop(curve: Curve, others: readonly { curve: Curve; isComplete: boolean }[]): string | null;
}

/**
 * Asynchronous successive halving (Li et al. 2020): at each rung, that is after `minimumEpochs` times a power of `reductionFactor`
 * epochs, only the best 1 / `reductionFactor` of the trials that have come there go on, as far as is known at that moment.
 */
export class SuccessiveHalving implements StopRule {
  constructor(
    private readonly minimumEpochs: number,
    private readonly reductionFactor: number,
  ) {}

  reasonToStop(curve: Curve, others: readonly { curve: Curve }[]): string | null {
    const epoch = curve.length;
    if (!this.isRung(epoch)) {
      return null;
    }
    const score = bestUntil(curve, epoch);
    const rivals = others.flatMap(({ curve }) => (curve.length >= epoch ? (bestUntil(curve, epoch) ?? []) : []));
    const better = rivals.filter((rival) => score === null || rival < score).length;
    const promoted = Math.max(Math.floor((rivals.length + 1) / this.reductionFactor), 1);
    return better < promoted
      ? null
      : `${better} of the ${rivals.length} other trials that have come to epoch ${epoch} are better, and ${promoted} may go on`;
  }

  isRung(epoch: number): boolean {
    let rung = this.minimumEpochs;
    while (rung < epoch) {
      rung *= this.reductionFactor;
    }
    return rung === epoch;
  }
}

const medianTrialsMin = 5;

/** Ends a trial whose best so far is worse than the median of complete trials in the same epoch (Golovin et al. 2017, Vizier). */
export class MedianStopping implements StopRule {
  reasonToStop(curve: Curve, others: readonly { curve: Curve; isComplete: boolean }[]): string | null {
    const complete = others.filter(({ isComplete }) => isComplete);
    const epoch = curve.length;
    const scores = complete.flatMap(({ curve }) => curve[epoch - 1] ?? []);
    if (complete.length < medianTrialsMin || scores.length === 0) {
      return null;
    }
    const score = bestUntil(curve, epoch);
    const median = quantile(Float64Array.from(scores).sort(), 0.5);
    return score !== null && score <= median
      ? null
      : `it is worse than the median of the ${scores.length} complete trials after epoch ${epoch}`;
  }
}

function bestUntil(curve: Curve, epoch: number): number | null {
  const measured = curve.slice(0, epoch).filter((score) => score !== null);
  return measured.length > 0 ? Math.min(...measured) : null;
}
