/** Where a job stands within its epochs. */
export interface Position {
  /** The epoch that runs or has just ended, from 1. */
  epoch: number;
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
  const validationsLeft = epochsLeft + (position.validated ? 0 : 1);
  return examplesLeft / pace.examplesPerSecond + validationsLeft * pace.validationSeconds;
}
