import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder, writeDurably } from '../platform/durable-file.js';
import { ServiceError } from '../platform/errors.js';
import type { StoppingState } from './early-stopping.js';
import type { FoldScore } from './folds.js';
import type { Evaluation } from './report/network-evaluation.js';

/** All that a job needs to go on. */
export interface Checkpoint {
  epochsDone: number;
  /** Steps of the next epoch; the trainer's state holds them too. */
  stepsDone: number;
  /** Time spent on the epoch that has begun, s. */
  epochSeconds: number;
  /** Of training and validation up to the last finished epoch. */
  secondsDone: number;
  stopping: StoppingState | null;
  /** How often the training has gone back because it had diverged. */
  retriesDone: number;
  /** Epochs before it, of the same fold, whose own checkpoints are needed to go on from it. */
  needs: number[];
  /** Place among `partsOf` the job, from 1; 0: the training that is published. */
  fold: number;
  /** Of the parts before. */
  scores: FoldScore[];
  /** The trainer's state: parameters, moments of the optimizer, step count. */
  trainerState: Uint8Array;
}

const evaluationName = 'evaluation.json';
const suffix = '.checkpoint';
/** What earlier releases called the only one that they kept. */
const earlierName = `newest${suffix}`;
/** 0: the name has none. */
const numberOf = (name: string | undefined) => Number(/^(\d+)\.checkpoint$/.exec(name ?? '')?.[1] ?? 0);
const epochName = (fold: number, epoch: number) => `fold-${fold}-epoch-${epoch}${suffix}`;
const isEpochName = (name: string) => name.startsWith('fold-');
/** What the headers of earlier releases do not say. */
const earlierHeader = {
  stepsDone: 0,
  epochSeconds: 0,
  secondsDone: 0,
  stopping: null,
  retriesDone: 0,
  needs: [],
  fold: 0,
  scores: [],
};
const lengthBytes = 4;

/**
 * The newest checkpoints of each job, numbered, and those at the ends of epochs that they need, files in a folder of its own. Layout:
 * length of the header as uint32 little-endian, header as JSON, all fields but the last, and the state of the trainer.
 */
export class CheckpointStore {
  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<CheckpointStore> {
    await mkdir(folder, { recursive: true });
    await syncFolder(path.dirname(folder));
    return new CheckpointStore(folder);
  }

  /** Writes the newest checkpoint; of those before it all but `keepLast - 1` are removed then. */
  async write(jobId: string, checkpoint: Checkpoint, keepLast: number): Promise<void> {
    const before = await this.names(jobId);
    await this.#write(jobId, `${numberOf(before[0]) + 1}${suffix}`, checkpoint);
    await this.#remove(jobId, before.slice(keepLast - 1));
  }

  /** Writes the checkpoint at the end of an epoch that a numbered one will need. */
  async writeEpoch(jobId: string, checkpoint: Checkpoint): Promise<void> {
    await this.#write(jobId, epochName(checkpoint.fold, checkpoint.epochsDone), checkpoint);
  }

  /** Removes the checkpoints of epochs that none of the numbered ones needs. */
  async keepNeeded(jobId: string): Promise<void> {
    const kept = new Set<string>();
    for (const name of await this.names(jobId)) {
      const position = await this.#readPosition(jobId, name);
      for (const epoch of position?.needs ?? []) {
        kept.add(epochName(position!.fold, epoch));
      }
    }
    const entries = await this.#entries(jobId);
    await this.#remove(
      jobId,
      entries.filter((entry) => isEpochName(entry) && !kept.has(entry)),
    );
  }

  /** Of the numbered checkpoints of a job, the newest first. */
  async names(jobId: string): Promise<string[]> {
    const numbered = (await this.#entries(jobId)).filter((entry) => entry === earlierName || numberOf(entry) > 0);
    return numbered.sort((a, b) => numberOf(b) - numberOf(a));
  }

  /** The newest checkpoint, or one of `names`; null when the job has none yet. DATA_LOSS when it is damaged. */
  async read(jobId: string, name?: string): Promise<Checkpoint | null> {
    const asked = name ?? (await this.names(jobId))[0];
    return asked === undefined ? null : this.#read(jobId, asked);
  }

  /** That of the end of an epoch, or null. */
  async readEpoch(jobId: string, fold: number, epoch: number): Promise<Checkpoint | null> {
    return this.#read(jobId, epochName(fold, epoch));
  }

  async #write(jobId: string, name: string, { trainerState, ...position }: Checkpoint): Promise<void> {
    const header = Buffer.from(JSON.stringify(position));
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32LE(header.length);
    await writeDurably(path.join(await this.#folderOf(jobId), name), [length, header, trainerState]);
  }

  async #read(jobId: string, name: string): Promise<Checkpoint | null> {
    const bytes = await this.#readFile(jobId, name);
    if (!bytes) {
      return null;
    }
    try {
      const headerEnd = lengthBytes + bytes.readUInt32LE(0);
      const header = JSON.parse(bytes.toString('utf8', lengthBytes, headerEnd)) as Checkpoint;
      // Not a Buffer, whose `slice` shares memory where that of a Uint8Array copies.
      const trainerState = new Uint8Array(bytes.buffer, bytes.byteOffset + headerEnd, bytes.length - headerEnd);
      return { ...earlierHeader, ...header, trainerState };
    } catch (cause) {
      const message = `The checkpoint ${name} of the job ${jobId} is damaged: ${(cause as Error).message}.`;
      throw new ServiceError('DATA_LOSS', 'CHECKPOINT_DAMAGED', message, { cause });
    }
  }

  /** All but the trainer's state, which may be large; null when it is damaged, and so leads nowhere. */
  async #readPosition(jobId: string, name: string): Promise<Omit<Checkpoint, 'trainerState'> | null> {
    const file = await open(path.join(this.folder, jobId, name));
    try {
      const { size } = await file.stat();
      const { buffer: length } = await file.read(Buffer.alloc(lengthBytes), 0, lengthBytes);
      const { buffer: header } = await file.read(Buffer.alloc(Math.min(length.readUInt32LE(), size)));
      return { ...earlierHeader, ...JSON.parse(header.toString()) };
    } catch (error) {
      if (error instanceof SyntaxError) {
        return null;
      }
      throw error;
    } finally {
      await file.close();
    }
  }

  /** What was found on the test rows. */
  async writeEvaluation(jobId: string, evaluation: Evaluation): Promise<void> {
    await writeDurably(path.join(await this.#folderOf(jobId), evaluationName), [
      Buffer.from(JSON.stringify(evaluation)),
    ]);
  }

  /** Null when nothing was found yet. */
  async readEvaluation(jobId: string): Promise<Evaluation | null> {
    const bytes = await this.#readFile(jobId, evaluationName);
    return bytes && JSON.parse(bytes.toString());
  }

  async remove(jobId: string): Promise<void> {
    await rm(path.join(this.folder, jobId), { recursive: true, force: true });
  }

  /** Removes what jobs that will not go on left behind when the service was killed between their end and the removal. */
  async keepOnly(jobIds: ReadonlySet<string>): Promise<void> {
    for (const entry of await readdir(this.folder)) {
      if (!jobIds.has(entry)) {
        await this.remove(entry);
      }
    }
  }

  async #entries(jobId: string): Promise<string[]> {
    try {
      return await readdir(path.join(this.folder, jobId));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return [];
      }
      throw error;
    }
  }

  async #remove(jobId: string, names: readonly string[]): Promise<void> {
    for (const name of names) {
      await rm(path.join(this.folder, jobId, name), { force: true });
    }
  }

  async #folderOf(jobId: string): Promise<string> {
    const folder = path.join(this.folder, jobId);
    if (await mkdir(folder, { recursive: true })) {
      await syncFolder(this.folder);
    }
    return folder;
  }

  async #readFile(jobId: string, name: string): Promise<Buffer | null> {
    try {
      return await readFile(path.join(this.folder, jobId, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return null;
      }
      throw error;
    }
  }
}
