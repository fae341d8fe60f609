import { isDiskFull } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
import type { Checkpoint, CheckpointStore } from './checkpoint-store.js';
import type { OfFold } from './job.js';
import type { RunControl } from './run-control.js';

/** Writes the checkpoints of one training of a run beside it: of a fold, or of that which is published. */
export class CheckpointKeeper {
  /** Of the ends of epochs, until they are kept or needed no more. */
  readonly #epochs = new Map<number, Checkpoint>();
  /** The checkpoint being written while the training goes on; null when none is. */
  #writing: Promise<void> | null = null;

  constructor(
    private readonly jobId: string,
    /** How many of the newest are kept. */
    private readonly keepLast: number,
    private readonly fold: number,
    /** What events say of it. */
    private readonly ofFold: OfFold,
    private readonly store: CheckpointStore,
    private readonly control: RunControl,
    private readonly log: Logger,
  ) {}

  /** Of the end of an epoch that a checkpoint needs. */
  async epoch(epoch: number): Promise<Checkpoint> {
    await this.#writing;
    const found = this.#epochs.get(epoch) ?? (await this.store.readEpoch(this.jobId, this.fold, epoch));
    if (!found) {
      throw new Error(`the checkpoint of epoch ${epoch} is missing`);
    }
    return found;
  }

  /** Resolves once nothing is being written, and rejects with what went wrong. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  /** Has the checkpoint at the end of an epoch kept beside those that need it. */
  note(checkpoint: Checkpoint): void {
    this.#epochs.set(checkpoint.epochsDone, checkpoint);
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
    const checkpoint = take();
    const needed = checkpoint.needs.flatMap((epoch) => this.#epochs.get(epoch) ?? []);
    for (const epoch of this.#epochs.keys()) {
      // That of the epoch that has just ended may be needed by a checkpoint in the midst of the next one.
      if (epoch < checkpoint.epochsDone || checkpoint.needs.includes(epoch)) {
        this.#epochs.delete(epoch);
      }
    }
    await this.control.told;
    for (const epoch of needed) {
      await this.store.writeEpoch(this.jobId, epoch);
    }
    await this.store.write(this.jobId, checkpoint, this.keepLast);
    if (needed.length > 0) {
      await this.store.keepNeeded(this.jobId);
    }
    const { epochsDone, stepsDone, trainerState } = checkpoint;
    const place = { epochsDone, stepsDone, ...this.ofFold };
    this.control.emit({ kind: 'checkpoint', ...place, sizeBytes: trainerState.byteLength });
  }
}
