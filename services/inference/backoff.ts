import { setTimeout as sleep } from 'node:timers/promises';

const backoffMsMin = 100;
const backoffMsMax = 5_000;

/** Time before the next attempt; it grows with every failure in a row, and is spread so that servers do not ask in step. */
export class Backoff {
  #nextMs = backoffMsMin;

  reset(): void {
    this.#nextMs = backoffMsMin;
  }

  /** Resolves early when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const delayMs = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, backoffMsMax);
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  }
}
