/** An event of a job, or of something else that is numbered. */
interface FedEvent {
  jobNumber: number;
}

export interface FeedListener<Event> {
  onEvents(events: readonly Event[]): void;
  onRemoved(jobNumber: number): void;
}

/** What a feed needs of a store. */
export interface FeedStore<Event> {
  listen(listener: FeedListener<Event>): () => void;
}

/** Which events a feed has, and in which order. */
export interface FeedSource<Event> {
  /** Kept events after a place, in order. */
  read(after: number, limit: number): Promise<Event[]>;
  /** Grows from event to event. */
  placeOf(event: Event): number;
  /** The job whose events they are; null: those of all. */
  jobNumber: number | null;
}

const pageLength = 500;
const liveEventsMax = 500;

/**
 * Events after a place, each once and in order, until `signal` is aborted: those that are kept already, then those that come.
 *
 * What is committed is handed to all feeds as the same objects, so that a hundred of them do not ask the store a hundred
 * times. A feed holds few of them: one that is read slowly goes back to the store, and delays nobody.
 */
export async function* feed<Event extends FedEvent>(
  store: FeedStore<Event>,
  source: FeedSource<Event>,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  const live = new LiveEvents(store, source, signal);
  let place = after;
  try {
    while (!signal.aborted) {
      const isCaughtUp = live.hasAll;
      const events = isCaughtUp ? live.take() : await catchUp(live, source, place);
      for (const event of events) {
        if (source.placeOf(event) > place) {
          place = source.placeOf(event);
          yield event;
        }
      }
      if (isCaughtUp && events.length === 0) {
        await live.wait();
      }
    }
  } finally {
    live.close();
  }
}

async function catchUp<Event extends FedEvent>(
  live: LiveEvents<Event>,
  source: FeedSource<Event>,
  place: number,
): Promise<Event[]> {
  // Begun before the reading, so that nothing slips in between.
  live.begin();
  const page = await source.read(place, pageLength);
  if (page.length === pageLength) {
    live.forget();
  }
  return page;
}

/** What has come since a feed has caught up, unless it was too much to be held. */
class LiveEvents<Event extends FedEvent> implements FeedListener<Event> {
  #events: Event[] = [];
  #hasAll = false;
  #wake = () => {};
  readonly #unsubscribe: () => void;
  readonly #onAbort = () => this.#wake();

  constructor(
    store: FeedStore<Event>,
    private readonly source: FeedSource<Event>,
    private readonly signal: AbortSignal,
  ) {
    this.#unsubscribe = store.listen(this);
    signal.addEventListener('abort', this.#onAbort);
  }

  /** Whether nothing is missing since `begin`. */
  get hasAll(): boolean {
    return this.#hasAll;
  }

  begin(): void {
    this.#events = [];
    this.#hasAll = true;
  }

  forget(): void {
    this.#events = [];
    this.#hasAll = false;
  }

  take(): Event[] {
    return this.#events.splice(0);
  }

  onEvents(events: readonly Event[]): void {
    if (this.#hasAll) {
      for (const event of events) {
        if (this.source.jobNumber === null || this.source.jobNumber === event.jobNumber) {
          this.#events.push(event);
        }
      }
      if (this.#events.length > liveEventsMax) {
        this.forget();
      }
    }
    if (this.#events.length > 0 || !this.#hasAll) {
      this.#wake();
    }
  }

  onRemoved(jobNumber: number): void {
    if (this.source.jobNumber === jobNumber) {
      // It is the reading that finds out.
      this.forget();
      this.#wake();
    }
  }

  async wait(): Promise<void> {
    if (this.#hasAll && this.#events.length === 0 && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#unsubscribe();
    this.signal.removeEventListener('abort', this.#onAbort);
  }
}
