import { sql } from '../platform/database.js';
import type { Query } from './job-row.js';
import { runningStates } from './job-state.js';

/**
 * The number of the job to run next, or null.
 *
 * Jobs that an earlier process left come first, oldest first. Then the highest priority; among its jobs the owner with the
 * fewest running ones, then the one whose last turn is longest ago; of that owner the oldest job. So owners with equal
 * priorities take turns, however many jobs one of them queues.
 * @param running numbers of the jobs that this process runs
 */
export async function selectNext(query: Query, running: readonly number[]): Promise<number | null> {
  // A list that is never empty: not every database takes `in ()`.
  const taken = [0, ...running];
  const left = await query
    .selectFrom('jobs')
    .select('number')
    .where('state', 'in', runningStates)
    .where('number', 'not in', taken)
    .orderBy('number')
    .limit(1)
    .executeTakeFirst();
  if (left) {
    return left.number;
  }
  const next = await query
    .selectFrom('jobs as queued')
    .select(({ fn }) => fn.min<number>('queued.number').as('number'))
    .where('state', '=', 'queued')
    // One that was paused and resumed may still be on its way out of its last run.
    .where('number', 'not in', taken)
    .where('priority', '=', ({ selectFrom }) =>
      selectFrom('jobs')
        .select(({ fn }) => fn.max('priority').as('priority'))
        .where('state', '=', 'queued')
        .where('number', 'not in', taken),
    )
    .groupBy('owner')
    .orderBy(({ selectFrom }) =>
      selectFrom('jobs as other')
        .select(({ fn }) => fn.countAll().as('running'))
        .where('other.state', 'in', runningStates)
        .whereRef('other.owner', '=', 'queued.owner'),
    )
    .orderBy(({ selectFrom }) =>
      selectFrom('jobs as other')
        .select(({ fn }) => fn.max('other.claimOrder').as('turn'))
        .whereRef('other.owner', '=', 'queued.owner'),
    )
    .orderBy(({ fn }) => fn.min('queued.number'))
    .limit(1)
    .executeTakeFirst();
  return next?.number ?? null;
}

/** Keeps that a job has been taken, as the newest turn of its owner. */
export async function keepClaim(query: Query, jobNumber: number): Promise<void> {
  await query
    .updateTable('jobs')
    .set(({ selectFrom, eb }) => ({
      attemptCount: eb('attemptCount', '+', 1),
      claimOrder: selectFrom('jobs as all').select(sql<number>`max("all"."claimOrder") + 1`.as('order')),
    }))
    .where('number', '=', jobNumber)
    .execute();
}
