import { LRUCache } from 'lru-cache';
import type { TrainingJob } from './job.js';
import { type JobRow, jobColumns, type Query, toJob } from './job-row.js';

/** What tells a job's row from what it was: everything else changes only with these. */
export const versionColumns = [
  ...(['number', 'id', 'latestSequence', 'attemptCount', 'cancelRequested', 'pauseRequested'] as const),
] satisfies (keyof JobRow)[];

type RowVersion = Pick<JobRow, (typeof versionColumns)[number]>;

/** Twice as many as may wait: a list of them is mostly of jobs that have not changed since the last one. */
const jobsMax = 2_000;

/** Jobs as they were read last, the same objects while their rows stay the same. */
export class JobCache {
  readonly #jobs = new LRUCache<number, TrainingJob>({ max: jobsMax });

  /** The jobs of some rows, in their order; what has changed is read in the same transaction. */
  async complete(query: Query, versions: readonly RowVersion[]): Promise<TrainingJob[]> {
    const found = new Map<number, TrainingJob>();
    const missing: number[] = [];
    for (const version of versions) {
      const job = this.#jobs.get(version.number);
      if (job && isOf(version, job)) {
        found.set(version.number, job);
      } else {
        missing.push(version.number);
      }
    }
    if (missing.length > 0) {
      const rows = await query.selectFrom('jobs').select(jobColumns).where('number', 'in', missing).execute();
      for (const job of rows.map(toJob)) {
        this.#jobs.set(job.number, job);
        found.set(job.number, job);
      }
    }
    return versions.map(({ number }) => found.get(number)!);
  }
}

function isOf(version: RowVersion, job: TrainingJob): boolean {
  return (
    version.id === job.id &&
    version.latestSequence === job.latestSequence &&
    version.attemptCount === job.attemptCount &&
    (version.cancelRequested === 1) === job.cancelRequested &&
    (version.pauseRequested === 1) === job.pauseRequested
  );
}
