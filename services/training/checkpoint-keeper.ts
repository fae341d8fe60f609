import { isDiskFull } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
import type { Checkpoint, CheckpointStore } from './checkpoint-store.js';
import type { RunControl } from './run-control.js';

/** Writes the checkpoints of a run beside its training. */
export class CheckpointKeeper {
  /** The best epoch's checkpoint, until it is kept; null also where none is asked for. */
  #best: Checkpoint | null = null;
  /** The checkpoint being written while the training goes on; null when none is. */
  #writing: Promise<void> | null = null;

  constructor(
    private readonly jobId: string,
    /** How many of the newest are kept. */
    private readonly keepLast: number,
    private readonly store: CheckpointStore,
    private readonly control: RunControl,
    private readonly log: Logger,
  ) {}

  /** Those that are kept, the newest first, each read when it is asked for. */
  async *newestFirst(): AsyncGenerator<() => Promise<Checkpoint>, void> {
    for (const name of await this.store.names(this.jobId)) {
      yield async () => (await this.store.read(this.jobId, name))!;
    }
  }

  /** Of an epoch that was the best. */
  async best(epoch: number): Promise<Checkpoint> {
    await this.#writing;
    const best = await this.store.readBest(this.jobId, epoch);
    if (!best) {
      throw new Error(`the checkpoint of the best epoch, ${epoch}, is missing`);
    }
    return best;
  }

  /** Resolves once nothing is being written, and rejects with what went wrong. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  /** Has a checkpoint kept beside the next one that is written. */
  noteBest(best: Checkpoint): void {
    this.#best = best;
  }

  /**
   * Has a checkpoint written while the training goes on. Training never waits for the disk: while one checkpoint is being
   * written none is begun, except for the last.
   * @param take answers the state as it is
   */
  async keep(take: () => Checkpoint, isLast: boolean): Promise<void> {
    if (this.#writing && !isLast) {
      return;
    }
    await this.#writing;
    this.#writing = this.#write(take).finally(() => {
      this.#writing = null;
    });
    this.control.watch(this.#writing);
  }

  /** Writes a checkpoint of the step that a run stops at. */
  async keepPosition(take: () => Checkpoint): Promise<void> {
    await this.#writing;
    try {
      await this.#write(take);
    } catch (error) {
      // What the last checkpoint has not is done again: it gives the same bits.
      this.log.warn({ job: this.jobId, err: error }, 'no checkpoint of the step that the job stops at');
      const why = isDiskFull(error) ? 'the disk is full' : 'it could not be written';
      const text = `There is no checkpoint of this step: ${why}. The job will go on from the one before.`;
      this.control.say('warning', text);
    }
  }

  /** Takes the state at once. Never written ahead of the events: a run that goes on reports what they say of its epochs. */
  async #write(take: () => Checkpoint): Promise<void> {
    const best = this.#best;
    this.#best = null;
    const checkpoint = take();
    await this.control.told;
    if (best) {
      await this.store.writeBest(this.jobId, best);
    }
    await this.store.write(this.jobId, checkpoint, this.keepLast);
    if (best) {
      await this.store.keepBest(this.jobId);
    }
    const { epochsDone, stepsDone, trainerState } = checkpoint;
    this.control.emit({ kind: 'checkpoint', epochsDone, stepsDone, sizeBytes: trainerState.byteLength });
  }
}
