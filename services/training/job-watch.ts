import { invalidField } from '../platform/errors.js';
import { isLastEvent, type TrainingEvent, type TrainingJob } from './job.js';
import { isEndState } from './job-state.js';

/** What a watch needs of a `JobStore`. */
export interface WatchedJobs {
  get(id: string): Promise<TrainingJob>;
  events(jobNumber: number, sequence: number, limit: number): Promise<TrainingEvent[]>;
  onEvents(listener: (jobNumber: number) => void): () => void;
}

const pageLength = 500;

/**
 * A job's committed events after `afterSequence`, then new ones as they come, up to the one that ends the job or until
 * `signal` is aborted.
 *
 * A watcher holds one page and its own position. Nothing queues up for one that is slow: it is woken, and reads on from the
 * store when it gets there. A position beyond the newest event was never given out, so it is refused rather than waited for.
 */
export async function* watchJob(
  store: WatchedJobs,
  id: string,
  afterSequence: number,
  signal: AbortSignal,
): AsyncGenerator<TrainingEvent, void> {
  const job = await store.get(id);
  if (!Number.isSafeInteger(afterSequence) || afterSequence < 0 || afterSequence > job.latestSequence) {
    const rule = `from 0 to ${job.latestSequence}, the job's newest event,`;
    throw invalidField('after_sequence', `Expected \`after_sequence\` to be ${rule} but received ${afterSequence}.`);
  }
  if (isEndState(job.state) && afterSequence === job.latestSequence) {
    return;
  }
  const news = new News(store, job.number, signal);
  try {
    let sequence = afterSequence;
    while (!signal.aborted) {
      const hadNews = news.read();
      const page = await store.events(job.number, sequence, pageLength);
      for (const event of page) {
        yield event;
        if (isLastEvent(event)) {
          return;
        }
        sequence = event.sequence;
      }
      if (page.length === 0) {
        if (hadNews) {
          // Throws if the news was that the job has been deleted.
          await store.get(id);
        }
        await news.wait();
      }
    }
  } finally {
    news.close();
  }
}

/** Remembers that there may be new events, so that none slips in between a query and the wait for more. */
class News {
  #unread = false;
  #wake = () => {};
  readonly #unsubscribe: () => void;
  readonly #onAbort = () => this.#note();

  constructor(
    store: WatchedJobs,
    jobNumber: number,
    private readonly signal: AbortSignal,
  ) {
    this.#unsubscribe = store.onEvents((changed) => {
      if (changed === jobNumber) {
        this.#note();
      }
    });
    signal.addEventListener('abort', this.#onAbort);
  }

  /** Whether there was any since the last call. From here on, what comes is new. */
  read(): boolean {
    const hadNews = this.#unread;
    this.#unread = false;
    return hadNews;
  }

  async wait(): Promise<void> {
    if (!this.#unread && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#unsubscribe();
    this.signal.removeEventListener('abort', this.#onAbort);
  }

  #note(): void {
    this.#unread = true;
    this.#wake();
  }
}
