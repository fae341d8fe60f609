import type { Happening, KeptEvent, TrainingEvent } from './job.js';
import type { Query } from './job-row.js';

/** What an event is made of. */
export function selectEvents(query: Query) {
  return query
    .selectFrom('events')
    .innerJoin('jobs', 'jobs.number', 'events.job')
    .select(['position', 'events.job as jobNumber', 'jobs.id as jobId', 'sequence', 'timeMs', 'happening']);
}

export function toEvent(row: Omit<KeptEvent, 'happening'> & { happening: string }): KeptEvent {
  return { ...row, happening: JSON.parse(row.happening) as Happening };
}

/** Keeps events of a job, and answers them with their positions. */
export async function insertEvents(
  query: Query,
  { number: jobNumber, id: jobId }: { number: number; id: string },
  events: readonly TrainingEvent[],
): Promise<KeptEvent[]> {
  if (events.length === 0) {
    return [];
  }
  const rows = events.map(({ happening, ...event }) => ({
    ...{ job: jobNumber, ...event },
    ...{ kind: happening.kind, happening: JSON.stringify(happening) },
  }));
  const kept = await query.insertInto('events').values(rows).returning(['sequence', 'position']).execute();
  const positions = new Map(kept.map(({ sequence, position }) => [sequence, position]));
  return events.map((event) => ({ ...event, position: positions.get(event.sequence)!, jobNumber, jobId }));
}
