/** Where a job stands within its epochs. */
export interface Position {
  /** The epoch that runs or has just ended, from 1. */
  epoch: number;
  /** In all, the last perhaps in part; infinite when only time ends the training. */
  epochs: number;
  /** Rows of the training split that this epoch has trained on. */
  examples: number;
  examplesPerEpoch: number;
  /** Whether this epoch has been measured on the validation split. */
  validated: boolean;
}

/** How fast it goes. */
export interface Pace {
  examplesPerSecond: number;
  /** Time that measuring on the validation split took last, s; 0 before the first time. */
  validationSeconds: number;
  /** Time that the spec still allows, s; null: any. */
  secondsLeft?: number | null;
}

/** Rows a second; 0 when no time has passed. */
export function rate(examples: number, seconds: number): number {
  return seconds > 0 ? examples / seconds : 0;
}

/** Time left for all epochs of a job, s; 0 while the pace is unknown. */
export function remainingSeconds(position: Position, pace: Pace): number {
  if (pace.examplesPerSecond === 0) {
    return 0;
  }
  const epochsLeft = position.epochs - position.epoch;
  const examplesLeft = position.examplesPerEpoch * (epochsLeft + 1) - position.examples;
  const validationsLeft = Math.ceil(epochsLeft) + (position.validated ? 0 : 1);
  const seconds = Math.max(examplesLeft, 0) / pace.examplesPerSecond + validationsLeft * pace.validationSeconds;
  return Math.min(seconds, Math.max(pace.secondsLeft ?? Number.POSITIVE_INFINITY, 0));
}
