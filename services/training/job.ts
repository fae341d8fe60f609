import type { StatusName } from '../../proto/index.js';
import type { CrossValidationScore, FoldScore } from './folds.js';
import { enterState, isEndState, type JobState } from './job-state.js';
import type { LearningCurveScore } from './report/learning-curve.js';
import type { EndReason } from './training-goal.js';
import type { FittedPipeline, TrainingSpec } from './training-spec.js';

/** One run of one spec. */
export interface TrainingJob {
  /** Position in the queue; grows with every job. */
  number: number;
  /** ID of `trainingJobs/ID`. */
  id: string;
  /** Who is served in turn with others; empty is an owner too. */
  owner: string;
  /** Higher goes first. */
  priority: number;
  labels: Record<string, string>;
  /** Of a tuning: it ends once it is trained, and neither tests nor publishes. */
  isTrial: boolean;
  /** Most step events that are kept of a second. */
  stepEventsPerSecond: number;
  spec: TrainingSpec;
  state: JobState;
  epochsDone: number;
  latestSequence: number;
  cancelRequested: boolean;
  pauseRequested: boolean;
  /** How often it was begun. */
  attemptCount: number;
  createTimeMs: number;
  startTimeMs: number | null;
  /** When it was paused last. */
  pauseTimeMs: number | null;
  endTimeMs: number | null;
  error: JobError | null;
  /** `models/NAME/versions/N` */
  modelVersion: string | null;
  latestEpoch: EpochMetrics | null;
  test: TestMetrics | null;
}

/** A job with what only its run needs. */
export interface RunnableJob extends TrainingJob {
  pipeline: FittedPipeline;
}

/** Why a job failed. */
export interface JobError {
  code: StatusName;
  message: string;
}

/** Something that happened to a job; it becomes an event once it has a number and is committed. */
export type Happening =
  | { kind: 'stateChange'; state: JobState; error?: JobError; modelVersion?: string }
  | ({ kind: 'step' } & StepMetrics)
  | ({ kind: 'epoch' } & EpochMetrics)
  | ({ kind: 'test' } & TestMetrics)
  | ({ kind: 'trainingEnd' } & TrainingEnd)
  | ({ kind: 'resumed'; epochsDone: number; stepsDone: number } & OfFold)
  | ({ kind: 'checkpoint'; epochsDone: number; stepsDone: number; sizeBytes: number } & OfFold)
  | ({ kind: 'fold'; folds: number } & FoldScore)
  | ({ kind: 'crossValidation'; folds: number } & CrossValidationScore)
  | ({ kind: 'learningCurve' } & LearningCurveScore)
  | { kind: 'log'; severity: 'info' | 'warning'; text: string };

export interface TrainingEvent {
  /** 1, 2, 3, ... without gaps within a job. */
  sequence: number;
  timeMs: number;
  happening: Happening;
}

/** An event as it is kept. */
export interface KeptEvent extends TrainingEvent {
  /** Grows from event to event over all jobs. */
  position: number;
  jobNumber: number;
  jobId: string;
}

/** What may belong to a fold of a cross-validation, or of a learning curve. */
export interface OfFold {
  /** From 1; without it, it is of the training that is published. */
  fold?: number;
  /** Of a learning curve: the share of the rows without the fold. */
  trainSize?: number;
}

/** A look into a running epoch; means are over the epoch so far. */
export interface StepMetrics extends OfFold {
  epoch: number;
  step: number;
  stepsPerEpoch: number;
  loss: number;
  /** Null unless the label is of classes. */
  accuracy: number | null;
  examplesPerSecond: number;
  remainingSeconds: number;
  /** Of the last step. */
  learningRate: number;
}

export interface EpochMetrics extends OfFold {
  epoch: number;
  epochs: number;
  /** Of this epoch. */
  steps: number;
  loss: number;
  accuracy: number | null;
  /** Null without validation rows. */
  validationLoss: number | null;
  validationAccuracy: number | null;
  seconds: number;
  examplesPerSecond: number;
  remainingSeconds: number;
  /** Of the last step. */
  learningRate: number;
  /** Of the mean loss of the first rows, over all parameters, after the epoch. */
  gradientNorm: number;
  /** Of all parameters after the epoch. */
  weightNorm: number;
  /** Other figures of the validation rows by their names in a report; where none is asked for, not there. */
  validationMetrics?: Record<string, number>;
}

/** Why training ended, and where. */
export interface TrainingEnd extends OfFold {
  reason: EndReason;
  epoch: number;
  steps: number;
  /** The epoch whose weights are tested and published. */
  restoredEpoch: number;
}

export interface TestMetrics {
  loss: number;
  accuracy: number | null;
  rowCount: number;
}

/** The job after an event. What a job tells of itself follows from its events alone. */
export function applyEvent<Job extends TrainingJob>(job: Job, { sequence, timeMs, happening }: TrainingEvent): Job {
  const next = { ...job, latestSequence: sequence };
  switch (happening.kind) {
    case 'stateChange':
      next.state = enterState(job.state, happening.state);
      next.error = happening.error ?? null;
      next.modelVersion = happening.modelVersion ?? null;
      next.pauseTimeMs = happening.state === 'paused' ? timeMs : job.pauseTimeMs;
      next.startTimeMs ??= happening.state === 'preparing' ? timeMs : null;
      next.endTimeMs = isEndState(happening.state) ? timeMs : null;
      break;
    case 'epoch': {
      const { kind: _, ...metrics } = happening;
      next.epochsDone = metrics.fold ? 0 : metrics.epoch;
      next.latestEpoch = metrics;
      break;
    }
    case 'test': {
      const { kind: _, ...metrics } = happening;
      next.test = metrics;
      break;
    }
    case 'resumed':
      next.epochsDone = happening.fold ? 0 : happening.epochsDone;
      break;
    case 'step':
    case 'checkpoint':
    case 'log':
    case 'trainingEnd':
    case 'fold':
    case 'crossValidation':
    case 'learningCurve':
      break;
  }
  return next;
}

/** Whether a job's events end with this one, unless it has failed and is resumed. */
export function isLastEvent({ happening }: TrainingEvent): boolean {
  return happening.kind === 'stateChange' && isEndState(happening.state);
}
