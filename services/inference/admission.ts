import { ServiceError } from '../platform/errors.js';

/** Whoever waits for an answer. */
export interface Caller {
  /** Throws when the caller no longer waits. */
  throwIfGone(): void;
  /** Where what becomes of the request is recorded; null: nowhere. */
  readonly span?: RequestSpan | null;
}

/** A span of a trace. */
export interface RequestSpan {
  set(attributes: Record<string, string | number>): void;
  /** Times as `performance.now()`. */
  addPart(name: string, begin: number, end: number, attributes: Record<string, number>): void;
}

export interface AdmissionLimits {
  /** Requests that may wait or compute. */
  requestsMax: number;
  /** Bytes of tensors that may wait or be computed with. */
  bytesMax: number;
  /** Batches that may compute on other threads at once. */
  threadsMax: number;
}

/** What one process takes on at once: past a bound the answer is RESOURCE_EXHAUSTED, at once. */
export class Admission {
  #requests = 0;
  #bytes = 0;
  #threads = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly limits: AdmissionLimits) {}

  get requests(): number {
    return this.#requests;
  }

  /** Whether requests take all threads that there are. */
  get isBusy(): boolean {
    return this.#threads >= this.limits.threadsMax;
  }

  enter(bytes: number): void {
    const { requestsMax, bytesMax } = this.limits;
    if (this.#requests >= requestsMax) {
      throw busy(`${this.#requests} requests and takes no more (setting maxInFlight)`);
    }
    if (this.#bytes > 0 && this.#bytes + bytes > bytesMax) {
      throw busy(`${this.#bytes} bytes of tensors and takes no ${bytes} more (setting maxInFlightBytes)`);
    }
    this.#requests++;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#requests--;
    this.#bytes -= bytes;
  }

  /** Whether a thread is free; where none is, `then` is called once when one may be. */
  tryThread(then: () => void): boolean {
    if (this.#threads >= this.limits.threadsMax) {
      this.#waiting.push(then);
      return false;
    }
    this.#threads++;
    return true;
  }

  leaveThread(): void {
    this.#threads--;
    this.#waiting.shift()?.();
  }
}

function busy(what: string): ServiceError {
  return new ServiceError('RESOURCE_EXHAUSTED', 'SERVER_BUSY', `The server is busy with ${what}. Try again later.`);
}
