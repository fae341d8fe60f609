import type { StoppingState } from './early-stopping.js';
import type { TrainingSpec } from './training-spec.js';

/** Why a training ends. */
export type EndReason = 'epochs' | 'steps' | 'seconds' | 'earlyStopping';

/** How far a training is. All of it is in a checkpoint. */
export interface Progress {
  epochsDone: number;
  stepsDone: number;
  /** Of training and validation. */
  secondsDone: number;
  stopping: StoppingState | null;
}

/** What ends the training here; null: it goes on. */
export function endReason(spec: TrainingSpec, progress: Progress): EndReason | null {
  const { epochs, steps, seconds, earlyStopping } = spec;
  if (epochs !== null && progress.epochsDone >= epochs) {
    return 'epochs';
  }
  if (steps !== null && progress.stepsDone >= steps) {
    return 'steps';
  }
  if (seconds !== null && progress.secondsDone >= seconds) {
    return 'seconds';
  }
  const waited = progress.stopping?.waited ?? 0;
  return earlyStopping && waited >= Math.max(earlyStopping.patience, 1) ? 'earlyStopping' : null;
}

/** Epochs that the spec's numbers allow, the last perhaps in part; infinite when only time ends the training. */
export function epochsAllowed({ epochs, steps }: TrainingSpec, stepsPerEpoch: number): number {
  return Math.min(
    epochs ?? Number.POSITIVE_INFINITY,
    steps === null ? Number.POSITIVE_INFINITY : steps / stepsPerEpoch,
  );
}
