import type { TrainingEvent__Output as TrainingEvent } from '../../proto/gen/millrace/v1/TrainingEvent.js';
import type { TrainingJobEvent__Output as TrainingJobEvent } from '../../proto/gen/millrace/v1/TrainingJobEvent.js';
import type { contracts, RpcClient } from '../../proto/index.js';
import { reconnecting } from './reconnecting.js';

type TrainingClient = RpcClient<typeof contracts.training.clientType>;

export interface FollowOptions {
  /** The last event already seen: of a job its sequence, of all jobs its position. 0, the default: from the start. */
  after?: number;
  /** Only what comes from now on. */
  fromNow?: boolean;
  /** Most step events of a second, of each job. 0, the default: all that are kept. */
  stepEventsPerSecondMax?: number;
  signal?: AbortSignal;
}

/** A job's events, each once and in order, to its end. */
export async function* followTrainingJob(
  training: TrainingClient,
  name: string,
  { after = 0, fromNow = false, stepEventsPerSecondMax = 0, signal }: FollowOptions,
): AsyncGenerator<TrainingEvent, void> {
  const call = { signal, waitForReady: true };
  let seen = fromNow ? (await training.getTrainingJob({ name }, call)).latestSequence : after;
  const watch = () => training.watchTrainingJob({ name, afterSequence: seen, stepEventsPerSecondMax }, call);
  for await (const event of reconnecting(watch, signal)) {
    seen = event.sequence;
    yield event;
  }
}

/** The events of all jobs that pass a filter, each once and in order, until `signal` is aborted. */
export async function* followTrainingJobs(
  training: TrainingClient,
  filter: string,
  { after = 0, fromNow = false, stepEventsPerSecondMax = 0, signal }: FollowOptions,
): AsyncGenerator<TrainingJobEvent, void> {
  const call = { signal, waitForReady: true };
  let seen = fromNow ? (await training.listTrainingJobs({ pageSize: 1 }, call)).latestPosition : after;
  const watch = () => training.watchTrainingJobs({ filter, afterPosition: seen, stepEventsPerSecondMax }, call);
  for await (const event of reconnecting(watch, signal)) {
    seen = event.position;
    yield event;
  }
}
