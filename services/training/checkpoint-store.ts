import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder, writeDurably } from '../platform/durable-file.js';
import type { StoppingState } from './early-stopping.js';
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
  /** The trainer's state: parameters, moments of the optimizer, step count. */
  trainerState: Uint8Array;
}

const newestName = 'newest.checkpoint';
const evaluationName = 'evaluation.json';
const bestPrefix = 'best-';
/** The checkpoint of an epoch that was the best when it ended. */
export const bestName = (epoch: number) => `${bestPrefix}${epoch}.checkpoint`;
/** What the headers of earlier releases do not say. */
const earlierHeader = { stepsDone: 0, epochSeconds: 0, secondsDone: 0, stopping: null };
const lengthBytes = 4;

/**
 * The newest checkpoint of each job and that of its best epoch, files in a folder of its own. Layout: length of the header as uint32
 * little-endian, header as JSON, all fields but the last, and the state of the trainer.
 */
export class CheckpointStore {
  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<CheckpointStore> {
    await mkdir(folder, { recursive: true });
    await syncFolder(path.dirname(folder));
    return new CheckpointStore(folder);
  }

  async write(jobId: string, { trainerState, ...position }: Checkpoint, name = newestName): Promise<void> {
    const header = Buffer.from(JSON.stringify(position));
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32LE(header.length);
    await writeDurably(path.join(await this.#folderOf(jobId), name), [length, header, trainerState]);
  }

  /** Removes the checkpoints of best epochs that the newest one does not lead to. */
  async keepBest(jobId: string, epoch: number): Promise<void> {
    for (const entry of await readdir(path.join(this.folder, jobId))) {
      if (entry.startsWith(bestPrefix) && entry !== bestName(epoch)) {
        await rm(path.join(this.folder, jobId, entry), { force: true });
      }
    }
  }

  /** Null when the job has none yet. */
  async read(jobId: string, name = newestName): Promise<Checkpoint | null> {
    const bytes = await this.#readFile(jobId, name);
    if (!bytes) {
      return null;
    }
    const headerEnd = lengthBytes + bytes.readUInt32LE(0);
    const header = JSON.parse(bytes.toString('utf8', lengthBytes, headerEnd)) as Checkpoint;
    // Not a Buffer, whose `slice` shares memory where that of a Uint8Array copies.
    const trainerState = new Uint8Array(bytes.buffer, bytes.byteOffset + headerEnd, bytes.length - headerEnd);
    return { ...earlierHeader, ...header, trainerState };
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

  /** Removes what ended jobs left behind when the service was killed between their end and the removal. */
  async keepOnly(jobIds: ReadonlySet<string>): Promise<void> {
    for (const entry of await readdir(this.folder)) {
      if (!jobIds.has(entry)) {
        await this.remove(entry);
      }
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
