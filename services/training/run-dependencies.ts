import type { Logger } from '../platform/log.js';
import type { CheckpointStore } from './checkpoint-store.js';
import type { EpochMetrics } from './job.js';
import type { PipelineFitter } from './job-creation.js';
import type { TensorSource } from './job-examples.js';
import type { Publication, Published } from './registry-client.js';
import type { TrainingMetrics } from './training-metrics.js';

/** What a run needs of the registry. */
export interface ModelPublisher {
  /** Safe to repeat. */
  publish(publication: Publication, signal: AbortSignal): Promise<Published>;
}

/** What a run needs of the events that were kept. */
export interface EpochHistory {
  epochs(jobNumber: number, count: number): Promise<EpochMetrics[]>;
}

/** Where metrics are written for other programs. */
export interface MetricsBoard {
  /** Writes a job's metrics until it has ended or `signal` is aborted. Never fails. */
  write(jobId: string, signal: AbortSignal): Promise<void>;
  remove(jobId: string): Promise<void>;
}

export interface RunDependencies {
  history: EpochHistory;
  preprocessing: TensorSource;
  fitter: PipelineFitter;
  registry: ModelPublisher;
  checkpoints: CheckpointStore;
  board: MetricsBoard;
  metrics: TrainingMetrics;
  log: Logger;
}
