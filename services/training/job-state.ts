/** Where a job stands. */
export type JobState =
  | 'queued'
  | 'preparing'
  | 'training'
  | 'testing'
  | 'publishing'
  | 'paused'
  | 'succeeded'
  | 'failed'
  | 'cancelled';

/**
 * What may follow: a job goes on, fails, is cancelled, is paused, or is prepared anew after an interruption. A paused one
 * queues again, and so does one that has failed, if somebody asks for it. Nothing follows any other end.
 */
const nextStates: Record<JobState, readonly JobState[]> = {
  queued: ['preparing', 'paused', 'failed', 'cancelled'],
  // A job that was interrupted after its last epoch, or after its test, has no need of what comes before.
  preparing: ['training', 'testing', 'publishing', 'succeeded', 'preparing', 'paused', 'failed', 'cancelled'],
  // Without rows to test on, publishing follows at once. A trial of a tuning is through.
  training: ['testing', 'publishing', 'succeeded', 'preparing', 'paused', 'failed', 'cancelled'],
  testing: ['publishing', 'preparing', 'paused', 'failed', 'cancelled'],
  // Paused only in the moment before the registry is asked.
  publishing: ['succeeded', 'preparing', 'paused', 'failed', 'cancelled'],
  paused: ['queued', 'cancelled'],
  succeeded: [],
  failed: ['queued'],
  cancelled: [],
};

export const jobStates = Object.keys(nextStates) as readonly JobState[];

/** States of a job that nothing will happen to by itself any more. */
export const endStates = ['succeeded', 'failed', 'cancelled'] as const satisfies readonly JobState[];

/** States of a job that cannot go on. */
export const finalStates = ['succeeded', 'cancelled'] as const satisfies readonly JobState[];

/** States of a job that somebody runs, or ran when the service was interrupted. */
export const runningStates = ['preparing', 'training', 'testing', 'publishing'] as const satisfies readonly JobState[];

export function isEndState(state: JobState): boolean {
  return (endStates as readonly JobState[]).includes(state);
}

/** Whether what is kept for a job to go on from is of no use any more. */
export function isFinalState(state: JobState): boolean {
  return (finalStates as readonly JobState[]).includes(state);
}

/** The state entered. Throws when a job in state `from` cannot enter `to`: a programmer's error. */
export function enterState(from: JobState, to: JobState): JobState {
  if (!nextStates[from].includes(to)) {
    throw new Error(`a job cannot go from ${from} to ${to}`);
  }
  return to;
}
