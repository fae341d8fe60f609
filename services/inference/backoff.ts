import { setTimeout } from 'node:timers/promises';

/** Resolves after `delayMs`, or as soon as `signal` aborts. */
export type Sleep = (delayMs: number, signal: AbortSignal) => Promise<void>;

export const sleep: Sleep = async (delayMs, signal) => {
  await setTimeout(delayMs, undefined, { signal }).catch(() => undefined);
};

const delayMsMin = 100;
const delayMsMax = 2_000;

/** Time before the next attempt; it grows with every failure in a row, and is spread so that servers do not ask in step. */
export class Backoff {
  #nextMs = delayMsMin;

  constructor(private readonly sleep: Sleep) {}

  reset(): void {
    this.#nextMs = delayMsMin;
  }

  async wait(signal: AbortSignal): Promise<void> {
    const delayMs = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, delayMsMax);
    await this.sleep(delayMs, signal);
  }
}
