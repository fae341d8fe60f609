import type { StatusName } from '../../../proto/index.js';

export type BatchPredictionState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export function isEndState(state: BatchPredictionState): boolean {
  return state !== 'queued' && state !== 'running';
}

/** What to do with a row that cannot be predicted. */
export type OnError = 'fail' | 'skip';

/** A job as it is asked for. */
export interface BatchPredictionDraft {
  /** `models/NAME`, `models/NAME/versions/N` or `models/NAME/aliases/ALIAS`. */
  model: string;
  /** `datasets/NAME` or `datasets/NAME/versions/N`. */
  dataset: string;
  /** `datasets/NAME`. */
  outputDataset: string;
  /** Of the input; a single `*`: all. */
  carriedColumns: readonly string[];
  includeProbability: boolean;
  includeScores: boolean;
  onError: OnError;
}

/** A job with everything in it that could change meanwhile pinned. */
export interface BatchPredictionSpec extends BatchPredictionDraft {
  modelVersion: { model: string; number: number; digest: string };
  /** `datasets/NAME/versions/N`. */
  datasetVersion: string;
  datasetDigest: string;
  rowsTotal: number;
}

export interface BatchPredictionError {
  code: StatusName;
  message: string;
}

/** How far an attempt is. */
export interface BatchPredictionProgress {
  rowsDone: number;
  skippedRows: number;
  /** Why nothing is done at the moment; else empty. */
  waitingReason: string;
}

export const noProgress: BatchPredictionProgress = { rowsDone: 0, skippedRows: 0, waitingReason: '' };

/** One run of one model version over all rows of one dataset version. */
export interface BatchPrediction extends BatchPredictionProgress {
  /** In the order of creation. */
  number: number;
  id: string;
  spec: BatchPredictionSpec;
  state: BatchPredictionState;
  /** How often it was begun. */
  attempts: number;
  cancelRequested: boolean;
  createTimeMs: number;
  startTimeMs: number | null;
  endTimeMs: number | null;
  error: BatchPredictionError | null;
  /** `datasets/NAME/versions/N`. */
  outputVersion: string | null;
}

/** A job as it stands, and a number that another change will have changed. */
export interface ObservedBatchPrediction {
  job: BatchPrediction;
  revision: number;
}

/** The jobs of the server, whichever of its processes took the call. Arguments and answers are plain data. */
export interface BatchPredictions {
  createBatchPrediction(draft: BatchPredictionDraft, requestId: string | null): Promise<BatchPrediction>;
  getBatchPrediction(id: string): Promise<BatchPrediction>;
  /** Newest first, those older than number `before`. */
  listBatchPredictions(limit: number, before: number | null): Promise<BatchPrediction[]>;
  cancelBatchPrediction(id: string): Promise<BatchPrediction>;
  /** The job once its revision is another than the one given, or as it stands after a while without a change. */
  observeBatchPrediction(id: string, revision: number): Promise<ObservedBatchPrediction>;
}

export const batchPredictionMethods = [
  'createBatchPrediction',
  'getBatchPrediction',
  'listBatchPredictions',
  'cancelBatchPrediction',
  'observeBatchPrediction',
] as const satisfies (keyof BatchPredictions)[];
