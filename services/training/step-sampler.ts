import { isLastEvent, type KeptEvent } from './job.js';

/** What a sampler needs of a `JobStore`. */
export interface StepTimes {
  lastStepTime(jobNumber: number, sequence: number): Promise<number | null>;
}

/**
 * Thins out step events, and no others: of each job, the first in each Nth of a second. Which ones these are depends on the
 * kept events alone, so that a watcher that joins again goes on exactly as if it had stayed.
 */
export class StepSampler {
  /** The Nth of a second, since 1970, of the last step event of each job that has not ended. */
  readonly #slots = new Map<number, number>();

  /** @param perSecondMax N; 0 keeps all */
  constructor(
    private readonly times: StepTimes,
    private readonly perSecondMax: number,
  ) {}

  async keeps(event: KeptEvent): Promise<boolean> {
    if (this.perSecondMax === 0) {
      return true;
    }
    const { jobNumber, sequence, timeMs } = event;
    if (event.happening.kind !== 'step') {
      if (isLastEvent(event)) {
        this.#slots.delete(jobNumber);
      }
      return true;
    }
    const before = this.#slots.get(jobNumber) ?? this.#slotOf(await this.times.lastStepTime(jobNumber, sequence));
    const slot = this.#slotOf(timeMs);
    this.#slots.set(jobNumber, slot);
    return slot !== before;
  }

  #slotOf(timeMs: number | null): number {
    return timeMs === null ? Number.NEGATIVE_INFINITY : Math.floor((timeMs * this.perSecondMax) / 1_000);
  }
}
