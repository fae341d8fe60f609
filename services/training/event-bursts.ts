import type { FeedListener, FeedStore } from './event-feed.js';
import type { KeptEvent } from './job.js';

/** A burst of events no sooner than this after the one before. */
const burstMs = 400;

/** Of what may be told a moment later. */
const patientKinds: readonly KeptEvent['happening']['kind'][] = ['step', 'epoch', 'checkpoint'];

/**
 * Hands on together what comes close together: to write to a hundred watchers costs the training more than to make what is
 * written. An event that comes after a while is handed on at once, and so is all that changes a job, with what came before it.
 */
export class EventBursts implements FeedStore<KeptEvent> {
  readonly #listeners = new Set<FeedListener<KeptEvent>>();
  #gathered: KeptEvent[] = [];
  /** Runs for a while after each burst. */
  #pause: NodeJS.Timeout | null = null;

  constructor(store: FeedStore<KeptEvent>) {
    store.listen({
      onEvents: (events) => this.#gather(events),
      onRemoved: (jobNumber) => {
        for (const listener of this.#listeners) {
          listener.onRemoved(jobNumber);
        }
      },
    });
  }

  listen(listener: FeedListener<KeptEvent>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #gather(events: readonly KeptEvent[]): void {
    this.#gathered.push(...events);
    const canWait = events.every(({ happening }) => patientKinds.includes(happening.kind));
    if (!canWait || !this.#pause) {
      this.#tell();
    }
  }

  #tell(): void {
    const events = this.#gathered;
    this.#gathered = [];
    clearTimeout(this.#pause ?? undefined);
    this.#pause = setTimeout(() => {
      this.#pause = null;
      if (this.#gathered.length > 0) {
        this.#tell();
      }
    }, burstMs).unref();
    for (const listener of this.#listeners) {
      listener.onEvents(events);
    }
  }
}
