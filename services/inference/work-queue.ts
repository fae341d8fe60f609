import { ServiceError } from '../platform/errors.js';

interface Waiting {
  start: () => void;
  drop: (reason: unknown) => void;
  signal: AbortSignal;
}

/**
 * Work that waits for its turn, in the order it came, a few pieces at a time. What nobody waits for any more is dropped before
 * it is begun; past the bound the answer is RESOURCE_EXHAUSTED at once.
 */
export class WorkQueue {
  #inFlight = 0;
  #running = 0;
  readonly #waiting: Waiting[] = [];

  /**
   * @param inFlightMax pieces that may run or wait
   * @param runningMax pieces that may run
   */
  constructor(
    private readonly inFlightMax: number,
    private readonly runningMax: number,
  ) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @param signal aborted when nobody waits for the answer any more */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#inFlight >= this.inFlightMax) {
      const message = `The server is busy with ${this.#inFlight} requests and takes no more (setting maxInFlight). Try again later.`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'SERVER_BUSY', message);
    }
    this.#inFlight++;
    try {
      await this.#turn(signal);
      try {
        return await work();
      } finally {
        this.#running--;
        this.#startNext();
      }
    } finally {
      this.#inFlight--;
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#running >= this.runningMax) {
      await new Promise<void>((start, drop) => this.#waiting.push({ start, drop, signal }));
      return;
    }
    signal.throwIfAborted();
    this.#running++;
  }

  #startNext(): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      try {
        next.signal.throwIfAborted();
      } catch (error) {
        next.drop(error);
        continue;
      }
      this.#running++;
      next.start();
      return;
    }
  }
}
