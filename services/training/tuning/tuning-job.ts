import type { JobError } from '../job.js';
import { isSmallerBetter } from '../validation-metric.js';
import type { Assignment } from './search-space.js';
import type { PastTrial } from './searcher.js';
import type { Curve } from './stop-rules.js';
import type { Objective, TuneSpec } from './tune-spec.js';

export type TuningState = 'tuning' | 'publishing' | 'paused' | 'succeeded' | 'failed' | 'cancelled';

const nextStates: Record<TuningState, readonly TuningState[]> = {
  tuning: ['publishing', 'paused', 'failed', 'cancelled'],
  publishing: ['paused', 'succeeded', 'failed', 'cancelled'],
  // It goes on where it was. Its last job may have ended by itself, and a search may have nothing left that could.
  paused: ['tuning', 'publishing', 'succeeded', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
};

export const tuningEndStates = (Object.keys(nextStates) as TuningState[]).filter(isTuningEnd);

export function isTuningEnd(state: TuningState): boolean {
  return nextStates[state].length === 0;
}

/** One search. */
export interface TuningJob {
  number: number;
  /** ID of `tuningJobs/ID`. */
  id: string;
  owner: string;
  priority: number;
  labels: Record<string, string>;
  /** Message of the training spec. */
  spec: object;
  tune: TuneSpec;
  state: TuningState;
  cancelRequested: boolean;
  pauseRequested: boolean;
  latestSequence: number;
  createTimeMs: number;
  /** When it was paused last. */
  pauseTimeMs: number | null;
  /** How long it has been paused, up to the last time that it was resumed. */
  pausedMs: number;
  endTimeMs: number | null;
  error: JobError | null;
  /** ID of the training job that publishes. */
  jobId: string | null;
  /** `models/NAME/versions/N` */
  modelVersion: string | null;
}

/** One set of values, and how it did. */
export interface Trial {
  /** From 0; callers count from 1. */
  number: number;
  values: Assignment;
  state: PastTrial['state'];
  /** The objective itself: of a complete trial that of the weights it would publish, of others the best so far. */
  objective: number | null;
  epochsDone: number;
  /** Score of each validation. */
  curve: Curve;
  /** Null until its job is made. */
  jobId: string | null;
  endReason: string | null;
  beginTimeMs: number;
  endTimeMs: number | null;
  /** How long it has been at work or in the queue. */
  spentMs: number;
}

/** Something that happened to a tuning. */
export type TuningHappening =
  | { kind: 'stateChange'; state: TuningState; error?: JobError; jobId?: string; modelVersion?: string }
  | { kind: 'trial'; trial: TrialNews };

/** A trial as an event tells of it. */
export type TrialNews = Omit<Trial, 'curve' | 'beginTimeMs' | 'endTimeMs' | 'spentMs'>;

export interface KeptTuningEvent {
  /** 1, 2, 3, ... without gaps within a tuning. */
  sequence: number;
  timeMs: number;
  happening: TuningHappening;
  /** Of the tuning. */
  jobNumber: number;
}

/** The tuning after it entered a state. Throws when that cannot follow: a programmer's error. */
export function enterTuningState(
  job: TuningJob,
  { state, error, jobId, modelVersion }: TuningHappening & { kind: 'stateChange' },
  timeMs: number,
): TuningJob {
  if (job.latestSequence > 0 && !nextStates[job.state].includes(state)) {
    throw new Error(`a tuning cannot go from ${job.state} to ${state}`);
  }
  const hasPaused = job.state === 'paused' && state !== 'paused';
  return {
    ...{ ...job, state, error: error ?? null, jobId: jobId ?? job.jobId, modelVersion: modelVersion ?? null },
    pauseTimeMs: state === 'paused' ? timeMs : job.pauseTimeMs,
    pausedMs: job.pausedMs + (hasPaused ? timeMs - job.pauseTimeMs! : 0),
    endTimeMs: isTuningEnd(state) ? timeMs : null,
  };
}

export function isLastTuningEvent({ happening }: KeptTuningEvent): boolean {
  return happening.kind === 'stateChange' && isTuningEnd(happening.state);
}

export function newsOf({ curve: _, beginTimeMs: __, endTimeMs: ___, spentMs: ____, ...news }: Trial): TrialNews {
  return news;
}

/** A trial as a searcher sees it. */
export function toPastTrial(trial: Trial, objective: Objective): PastTrial {
  const { number, values, state, epochsDone } = trial;
  const score = trial.objective === null ? null : scoreOf(objective, trial.objective);
  return { number, values, state, score, epochs: epochsDone };
}

/** Less is better. */
export function scoreOf(objective: Objective, value: number): number {
  return isSmallerBetter(objective) ? value : -value;
}
