import { invalidField } from '../platform/errors.js';
import { parseFilter } from '../platform/filter.js';
import { type FeedStore, feed } from './event-feed.js';
import { isLastEvent, type KeptEvent } from './job.js';
import { jobCondition } from './job-filter.js';
import { isEndState } from './job-state.js';
import type { JobStore } from './job-store.js';
import { StepSampler } from './step-sampler.js';

/** What a watch needs of a `JobStore`. */
export type WatchedJobs = Pick<
  JobStore,
  'get' | 'events' | 'allEvents' | 'latestPosition' | 'meets' | 'lastStepTime' | 'listen'
>;

export interface WatchOptions {
  /** The last event already seen: its sequence number, or its position among those of all jobs; 0: from the start. */
  after: number;
  /** Only what comes from now on; then `after` is 0. */
  fromNow: boolean;
  /** Most step events of a second, for each job; 0: all. */
  stepEventsPerSecondMax: number;
}

/**
 * A job's committed events after a sequence number, then new ones as they come, up to the one that ends the job or until
 * `signal` is aborted. A number beyond the newest event was never given out, so it is refused rather than waited for.
 *
 * @param live tells of what comes
 */
export async function* watchJob(
  store: WatchedJobs,
  id: string,
  options: WatchOptions,
  signal: AbortSignal,
  live: FeedStore<KeptEvent> = store,
): AsyncGenerator<KeptEvent, void> {
  const job = await store.get(id);
  const after = startOf(options, 'after_sequence', job.latestSequence, "the job's newest event");
  if (isEndState(job.state) && after === job.latestSequence) {
    return;
  }
  const source = {
    jobNumber: job.number,
    placeOf: ({ sequence }: KeptEvent) => sequence,
    async read(sequence: number, limit: number) {
      const events = await store.events(job.number, sequence, limit);
      if (events.length === 0) {
        // Throws if there are none because the job has been deleted.
        await store.get(id);
      }
      return events;
    },
  };
  const sampler = new StepSampler(store, options.stepEventsPerSecondMax);
  for await (const event of feed(live, source, after, signal)) {
    if (await sampler.keeps(event)) {
      yield event;
    }
    if (isLastEvent(event) && !(await hasGoneOn(store, event))) {
      return;
    }
  }
}

/** Whether a job has been resumed after it had failed. */
async function hasGoneOn(store: WatchedJobs, { jobNumber, sequence, happening }: KeptEvent): Promise<boolean> {
  const hasFailed = happening.kind === 'stateChange' && happening.state === 'failed';
  return hasFailed && (await store.events(jobNumber, sequence, 1)).length > 0;
}

/** The committed events of all jobs that pass a filter after a position, then new ones as they come, until `signal` is aborted. */
export async function* watchJobs(
  store: WatchedJobs,
  filter: string,
  options: WatchOptions,
  signal: AbortSignal,
  live: FeedStore<KeptEvent> = store,
): AsyncGenerator<KeptEvent, void> {
  const condition = jobCondition(parseFilter(filter), true);
  const after = startOf(options, 'after_position', await store.latestPosition(), 'the newest event of all jobs');
  const source = {
    jobNumber: null,
    placeOf: ({ position }: KeptEvent) => position,
    read: (position: number, limit: number) => store.allEvents(condition, position, limit),
  };
  const sampler = new StepSampler(store, options.stepEventsPerSecondMax);
  /** Which of the jobs that have not ended pass: what is asked for never changes. */
  const passing = new Map<number, boolean>();
  for await (const event of feed(live, source, after, signal)) {
    const passes = passing.get(event.jobNumber) ?? (await store.meets(condition, event.jobNumber));
    passing.set(event.jobNumber, passes);
    if (isLastEvent(event)) {
      passing.delete(event.jobNumber);
    }
    if (passes && (await sampler.keeps(event))) {
      yield event;
    }
  }
}

function startOf(options: WatchOptions, field: string, latest: number, what: string): number {
  const { after, fromNow, stepEventsPerSecondMax: perSecond } = options;
  if (!(perSecond >= 0)) {
    const message = `Expected \`step_events_per_second_max\` to be 0 or more but received ${perSecond}.`;
    throw invalidField('step_events_per_second_max', message);
  }
  if (fromNow && after !== 0) {
    throw invalidField(field, `Expected \`${field}\` to be 0 with \`from_now\` but received ${after}.`);
  }
  if (!Number.isSafeInteger(after) || after < 0 || after > latest) {
    const rule = `from 0 to ${latest}, ${what},`;
    throw invalidField(field, `Expected \`${field}\` to be ${rule} but received ${after}.`);
  }
  return fromNow ? latest : after;
}
