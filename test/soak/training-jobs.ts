import { followTrainingJob } from '../../clients/sdk/training-watch.js';
import { RpcError } from '../../proto/index.js';
import { type Event, pointsSpec, type TrainingClient } from '../support/training-fixture.js';
import type { Ledger } from './ledger.js';

/** What is to become of a job. */
export type Fate = 'cancel' | 'pause' | 'nothing';

export interface JobResult {
  name: string;
  epochs: number;
  /** The end state. */
  state: string;
  modelVersion: string;
  sequences: number[];
}

/** Of a job; jobs with as many epochs have the same spec. */
export const epochsMax = 4;
const owners = ['ann', 'bob', 'cy', 'di'];

/** Makes a job, follows it from its first event to its last, and cancels or pauses it on the way. */
export async function liveOneJob(
  client: TrainingClient,
  index: number,
  fate: Fate,
  ledger: Ledger,
): Promise<JobResult> {
  const epochs = 1 + (index % epochsMax);
  const spec = pointsSpec({ epochs, publish: { model: 'models/soak', aliases: [] } });
  const placing = { owner: owners[index % owners.length]!, priority: (index % 3) - 1 };
  const { name } = await client.createTrainingJob({ spec, ...placing, requestId: `soak-${index}` });
  const result: JobResult = { name, epochs, state: '', modelVersion: '', sequences: [] };
  const epochsTold: number[] = [];
  const actAt = 1 + Math.floor(Math.random() * 8);
  const acts: Promise<void>[] = [];
  for await (const event of followTrainingJob(client, name, {})) {
    result.sequences.push(event.sequence);
    epochsTold.push(...(event.epoch ? [event.epoch.epoch] : []));
    result.state = event.stateChange?.state ?? result.state;
    result.modelVersion = event.stateChange?.modelVersion || result.modelVersion;
    if (event.sequence === actAt) {
      acts.push(act(client, name, fate));
    }
  }
  await Promise.all(acts);
  if (result.sequences.some((sequence, i) => sequence !== i + 1)) {
    ledger.violate('an event was lost or came twice', `${name}: ${result.sequences}`);
  }
  // Nobody is killed: even a job that was paused tells each epoch once.
  const isWhole = epochsTold.length === epochs || result.state === 'STATE_CANCELLED';
  if (!isWhole || epochsTold.some((epoch, i) => epoch !== i + 1)) {
    ledger.violate('an epoch was lost or came twice', `${name}: ${epochsTold} of ${epochs}`);
  }
  return result;
}

async function act(client: TrainingClient, name: string, fate: Fate): Promise<void> {
  try {
    if (fate === 'cancel') {
      await client.cancelTrainingJob({ name });
    } else if (fate === 'pause') {
      await client.pauseTrainingJob({ name });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      await client.resumeTrainingJob({ name });
    }
  } catch (error) {
    // It was too late for that.
    if (!(error instanceof RpcError) || error.code !== 'FAILED_PRECONDITION') {
      throw error;
    }
  }
}

/** The stream of all jobs, held against those of each. */
export class AllEvents {
  readonly #sequences = new Map<string, number[]>();
  readonly #leave = new AbortController();
  readonly #following: Promise<void>;
  #position = 0;
  #wake = () => {};
  count = 0;

  constructor(private readonly client: TrainingClient) {
    this.#following = this.#follow();
  }

  /** Waits for the newest event; every job must have been told in the same words. */
  async end(results: readonly JobResult[], ledger: Ledger): Promise<void> {
    const { latestPosition } = await this.client.listTrainingJobs({ pageSize: 1 });
    while (this.#position < latestPosition) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#leave.abort();
    await this.#following;
    for (const { name, sequences } of results) {
      if (String(this.#sequences.get(name)) !== String(sequences)) {
        ledger.violate('the stream of all jobs tells another story', `${name}: ${this.#sequences.get(name)}`);
      }
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#leave;
    try {
      for await (const { position, trainingJob, event } of this.client.watchTrainingJobs({}, { signal })) {
        this.#note(trainingJob, event!);
        this.#position = position;
        this.#wake();
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
  }

  #note(job: string, { sequence }: Event): void {
    this.count++;
    this.#sequences.set(job, [...(this.#sequences.get(job) ?? []), sequence]);
  }
}
