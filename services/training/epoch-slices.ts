import {
  EngineError,
  type EpochOptions,
  type EpochProgress,
  type EpochResult,
  type Examples,
  type Trainer,
} from '../../native/index.js';
import type { CheckpointKeeper } from './checkpoint-keeper.js';
import { CheckpointClock } from './checkpoint-rule.js';
import type { Checkpoint } from './checkpoint-store.js';
import type { RunControl } from './run-control.js';
import type { TrainingSpec } from './training-spec.js';

type SliceOptions = Omit<EpochOptions, 'signal' | 'maxSteps' | 'onProgress'> & {
  onProgress: (progress: EpochProgress) => void;
};

/** The longest time that a timer takes. */
const timerMsMax = 2 ** 31 - 1;

/** Runs epochs in slices, between which checkpoints are taken, and counts the time that is spent. */
export class EpochSlices {
  readonly clock: CheckpointClock;
  /** Spent on the epoch that runs before the slice that runs, s. */
  epochSeconds = 0;
  /** Of training and validation up to the last finished epoch, s. */
  secondsDone = 0;

  /** @param take answers the state as it is */
  constructor(
    private readonly spec: TrainingSpec,
    private readonly control: RunControl,
    private readonly keeper: CheckpointKeeper,
    private readonly take: () => Checkpoint,
  ) {
    this.clock = new CheckpointClock(spec.checkpoints);
  }

  /** The whole epoch, or what of it steps and time allow, with the checkpoints that come due in its midst. */
  async trainEpoch(trainer: Trainer, train: Examples, options: SliceOptions): Promise<EpochResult> {
    const stepsMax = this.spec.steps ?? Number.POSITIVE_INFINITY;
    for (;;) {
      const result = await this.#trainSlice(trainer, train, options, stepsMax - trainer.step);
      if (result !== null && (result.step === result.steps || trainer.step >= stepsMax || this.#isTimeUp(result))) {
        return result;
      }
      this.epochSeconds += result?.seconds ?? 0;
      this.clock.restart();
      await this.keeper.keep(this.take, false);
    }
  }

  /**
   * Trains until a checkpoint is due, or the epoch or the training ends; null: until time made a checkpoint due. A run that is stopped
   * meanwhile, to go on later, keeps a checkpoint of the very step.
   */
  async #trainSlice(
    trainer: Trainer,
    train: Examples,
    options: SliceOptions,
    stepsLeft: number,
  ): Promise<EpochResult | null> {
    const { signalOrPause } = this.control;
    const begin = performance.now();
    const timeUp = new AbortController();
    const due = new AbortController();
    let last: EpochProgress | null = null;
    const onProgress = (progress: EpochProgress) => {
      options.onProgress(progress);
      last = progress;
      if (this.#isTimeUp(progress)) {
        timeUp.abort();
      }
    };
    const milliseconds = this.clock.millisecondsLeft();
    const timer = milliseconds === null ? undefined : setTimeout(() => due.abort(), Math.min(milliseconds, timerMsMax));
    const signal = AbortSignal.any([signalOrPause, timeUp.signal, due.signal]);
    const steps = Math.min(stepsLeft, this.clock.stepsLeft(trainer.step) ?? Number.POSITIVE_INFINITY);
    const maxSteps = Number.isFinite(steps) ? steps : null;
    try {
      return await trainer.trainEpoch(train, { ...options, maxSteps, onProgress, signal });
    } catch (error) {
      const isStopped = error instanceof EngineError && error.code === 'CANCELLED';
      const isOwn = isStopped && !signalOrPause.aborted;
      if (isOwn && timeUp.signal.aborted) {
        // As it was when time was up; at most a step has been done since.
        return last!;
      }
      this.epochSeconds += (performance.now() - begin) / 1_000;
      if (isOwn) {
        return null;
      }
      if (isStopped && !this.control.isLost) {
        await this.keeper.keepPosition(this.take);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param seconds of the call of the engine that runs */
  #isTimeUp({ seconds }: { seconds: number }): boolean {
    return this.secondsDone + this.epochSeconds + seconds >= (this.spec.seconds ?? Number.POSITIVE_INFINITY);
  }
}
