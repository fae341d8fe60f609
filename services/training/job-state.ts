/** Where a job stands. */
export type JobState =
  | 'queued'
  | 'preparing'
  | 'training'
  | 'testing'
  | 'publishing'
  | 'succeeded'
  | 'failed'
  | 'cancelled';

export const jobStates: readonly JobState[] = [
  'queued',
  'preparing',
  'training',
  'testing',
  'publishing',
  'succeeded',
  'failed',
  'cancelled',
];

/** What may follow: a job goes on, fails, is cancelled, or is prepared anew after an interruption. Nothing follows an end. */
const nextStates: Record<JobState, readonly JobState[]> = {
  queued: ['preparing', 'failed', 'cancelled'],
  // A job that was interrupted after its last epoch, or after its test, has no need of what comes before.
  preparing: ['training', 'testing', 'publishing', 'preparing', 'failed', 'cancelled'],
  // Without rows to test on, publishing follows at once.
  training: ['testing', 'publishing', 'preparing', 'failed', 'cancelled'],
  testing: ['publishing', 'preparing', 'failed', 'cancelled'],
  publishing: ['succeeded', 'preparing', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
};

export function isEndState(state: JobState): boolean {
  return nextStates[state].length === 0;
}

/** The state entered. Throws when a job in state `from` cannot enter `to`: a programmer's error. */
export function enterState(from: JobState, to: JobState): JobState {
  if (!nextStates[from].includes(to)) {
    throw new Error(`a job cannot go from ${from} to ${to}`);
  }
  return to;
}
