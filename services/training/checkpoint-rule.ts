/** When checkpoints are written, by exactly one of the first three, and how many of the newest are kept. */
export interface CheckpointRule {
  everyEpochs?: number;
  /** Counted over all epochs. */
  everySteps?: number;
  everySeconds?: number;
  keepLast: number;
}

/** What is told of a training when it asks for a checkpoint. */
interface Place {
  /** Finished. */
  epochs: number;
  /** Over all epochs. */
  steps: number;
}

/** Tells a run when its next checkpoint is due. */
export class CheckpointClock {
  #lastMs: number;

  /** @param now ms */
  constructor(
    private readonly rule: CheckpointRule,
    private readonly now: () => number = performance.now.bind(performance),
  ) {
    this.#lastMs = now();
  }

  /** A checkpoint is taken now. */
  restart(): void {
    this.#lastMs = this.now();
  }

  /** Steps from here to the next checkpoint; null: steps do not decide. */
  stepsLeft(steps: number): number | null {
    const { everySteps } = this.rule;
    return everySteps === undefined ? null : everySteps - (steps % everySteps);
  }

  /** Time to the next checkpoint, ms; null: time does not decide. */
  millisecondsLeft(): number | null {
    const { everySeconds } = this.rule;
    return everySeconds === undefined ? null : Math.max(this.#lastMs + 1_000 * everySeconds - this.now(), 0);
  }

  /** Whether one is due at the end of an epoch. */
  isDue({ epochs, steps }: Place): boolean {
    const { everyEpochs, everySteps } = this.rule;
    if (everyEpochs !== undefined) {
      return epochs % everyEpochs === 0;
    }
    return everySteps === undefined ? this.millisecondsLeft() === 0 : steps % everySteps === 0;
  }
}
