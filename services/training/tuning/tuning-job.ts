import type { JobError } from '../job.js';
import { isSmallerBetter } from '../validation-metric.js';
import type { Assignment } from './search-space.js';
import type { PastTrial } from './searcher.js';
import type { Curve } from './stop-rules.js';
import type { Objective, TuneSpec } from './tune-spec.js';

export type TuningState = 'tuning' | 'publishing' | 'succeeded' | 'failed' | 'cancelled';

const nextStates: Record<TuningState, readonly TuningState[]> = {
  tuning: ['publishing', 'failed', 'cancelled'],
  publishing: ['succeeded', 'failed', 'cancelled'],
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
  latestSequence: number;
  createTimeMs: number;
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
}

/** Something that happened to a tuning. */
export type TuningHappening =
  | { kind: 'stateChange'; state: TuningState; error?: JobError; jobId?: string; modelVersion?: string }
  | { kind: 'trial'; trial: TrialNews };

/** A trial as an event tells of it. */
export type TrialNews = Omit<Trial, 'curve' | 'beginTimeMs' | 'endTimeMs'>;

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
  return {
    ...{ ...job, state, error: error ?? null, jobId: jobId ?? job.jobId, modelVersion: modelVersion ?? null },
    endTimeMs: isTuningEnd(state) ? timeMs : null,
  };
}

export function isLastTuningEvent({ happening }: KeptTuningEvent): boolean {
  return happening.kind === 'stateChange' && isTuningEnd(happening.state);
}

export function newsOf({ curve: _, beginTimeMs: __, endTimeMs: ___, ...news }: Trial): TrialNews {
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
