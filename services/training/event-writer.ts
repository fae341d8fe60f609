import { setImmediate } from 'node:timers/promises';
import type { Happening } from './job.js';

/**
 * Keeps a running job's events in order. Whatever comes while a commit is under way goes into the next one together, so that
 * events never queue up behind the disk one by one.
 */
export class EventWriter {
  #waiting: Happening[] = [];
  /** The commit that will take `#waiting` with it; null when none is planned. */
  #planned: Promise<void> | null = null;
  #last: Promise<void> = Promise.resolve();

  /** @param commit makes events durable, all or none */
  constructor(private readonly commit: (happenings: Happening[]) => Promise<void>) {}

  /** Resolves once this event and all before it are durable. After a failed commit every event is refused: no holes. */
  append(happening: Happening): Promise<void> {
    this.#waiting.push(happening);
    if (!this.#planned) {
      this.#planned = this.#commitAfter(this.#last);
      this.#last = this.#planned;
    }
    return this.#planned;
  }

  /** Waits until nothing is being committed any more, whether it went well or not. */
  async settle(): Promise<void> {
    await this.#last.catch(() => undefined);
  }

  async #commitAfter(before: Promise<void>): Promise<void> {
    await before;
    // A commit blocks the event loop until the disk has it: what the events tell of goes on first.
    await setImmediate();
    const batch = this.#waiting;
    this.#waiting = [];
    this.#planned = null;
    await this.commit(batch);
  }
}
