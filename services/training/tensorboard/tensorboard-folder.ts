import { type FileHandle, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../../platform/log.js';
import type { KeptEvent } from '../job.js';
import { type BoardEntry, BoardEvents, type BoardRun } from './board-events.js';
import { toRecord } from './event-record.js';

/** A job's events from the first on, to the one that ends it or until `signal` is aborted. */
export type JobEvents = (jobId: string, signal: AbortSignal) => AsyncIterable<KeptEvent>;

const markName = '.unfinished';
const fileVersion = 'brain.Event:2';

/**
 * Jobs' metrics as TensorBoard reads them: `JOB/train`, `JOB/validation` and `JOB/test`, each with one event file.
 *
 * The files follow from the kept events alone. They are written as one more watcher reads, and from the start again when a
 * job goes on after an interruption, to the same bytes; a mark in a job's folder says that they may not be whole.
 */
export class TensorBoardFolder {
  constructor(
    private readonly folder: string,
    private readonly events: JobEvents,
    private readonly log: Logger,
  ) {}

  /** Writes a job's files as its events come. What goes wrong is logged and costs the job nothing. */
  async write(jobId: string, signal: AbortSignal): Promise<void> {
    const files = new Map<BoardRun, FileHandle>();
    try {
      const mark = path.join(this.folder, jobId, markName);
      await mkdir(path.dirname(mark), { recursive: true });
      await writeFile(mark, '');
      const entries = new BoardEvents();
      for await (const event of this.events(jobId, signal)) {
        for (const entry of entries.next(event)) {
          await this.#append(files, jobId, entry);
        }
      }
      if (!signal.aborted) {
        await rm(mark);
      }
    } catch (error) {
      this.log.warn({ job: jobId, err: error }, 'the TensorBoard files of a job cannot be written');
    } finally {
      await Promise.all([...files.values()].map((file) => file.close()));
    }
  }

  /** Completes the files of jobs that have ended, and removes those of jobs that are no more. */
  async recover(isEnded: (jobId: string) => Promise<boolean | null>): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    for (const jobId of await readdir(this.folder)) {
      const state = await isEnded(jobId);
      if (state === null) {
        await this.remove(jobId);
      } else if (state && (await readdir(path.join(this.folder, jobId))).includes(markName)) {
        await this.write(jobId, new AbortController().signal);
      }
    }
  }

  async remove(jobId: string): Promise<void> {
    await rm(path.join(this.folder, jobId), { recursive: true, force: true });
  }

  async #append(files: Map<BoardRun, FileHandle>, jobId: string, { run, event }: BoardEntry): Promise<void> {
    let file = files.get(run);
    if (!file) {
      const folder = path.join(this.folder, jobId, run);
      await mkdir(folder, { recursive: true });
      // TensorBoard looks for `tfevents` in names, and reads several files of a folder in the order of the times in them.
      file = await open(path.join(folder, 'events.out.tfevents.0000000000.millrace'), 'w');
      files.set(run, file);
      await file.write(toRecord({ wallTimeSeconds: event.wallTimeSeconds, fileVersion }));
    }
    await file.write(toRecord(event));
  }
}
