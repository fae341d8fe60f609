import { ServiceError } from '../platform/errors.js';

/** Whoever waits for an answer. */
export interface Caller {
  /** Throws when the caller no longer waits. */
  throwIfGone(): void;
}

interface Waiting {
  start: () => void;
  drop: (reason: unknown) => void;
  caller: Caller;
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

  async run<T>(caller: Caller, work: () => Promise<T>): Promise<T> {
    if (this.#inFlight >= this.inFlightMax) {
      const message = `The server is busy with ${this.#inFlight} requests and takes no more (setting maxInFlight). Try again later.`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'SERVER_BUSY', message);
    }
    this.#inFlight++;
    try {
      await this.#turn(caller);
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

  async #turn(caller: Caller): Promise<void> {
    if (this.#running >= this.runningMax) {
      await new Promise<void>((start, drop) => this.#waiting.push({ start, drop, caller }));
      return;
    }
    caller.throwIfGone();
    this.#running++;
  }

  #startNext(): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      try {
        next.caller.throwIfGone();
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
