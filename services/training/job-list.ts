import { type RawBuilder, sql } from '../platform/database.js';
import { invalidField } from '../platform/errors.js';
import { parseFilter } from '../platform/filter.js';
import { type OrderKey, parseOrderBy } from '../platform/order-by.js';
import { decodePageToken, toPage } from '../platform/page-token.js';
import type { TrainingJob } from './job.js';
import { type JobCache, versionColumns } from './job-cache.js';
import { jobCondition } from './job-filter.js';
import type { Query } from './job-row.js';

/** Which jobs, in which order, and where in them. */
export interface Listing {
  /** As `parseFilter` and `jobCondition` take it. */
  filter: string;
  /** As `parseOrderBy` takes it, of `orderFields`. */
  orderBy: string;
  pageSize: number;
  /** Empty: from the start. */
  pageToken: string;
}

export interface JobPage {
  jobs: TrainingJob[];
  /** Empty on the last page. */
  nextPageToken: string;
  /** Of the newest event before the list was made. */
  latestPosition: number;
}

/** What jobs can be ordered by, none of it null: a job that has not started or ended comes before those that have. */
const orderFields = {
  // Numbers grow as jobs are accepted, even if the clock is set back.
  create_time: { column: sql.ref('number'), of: ({ number }: TrainingJob) => number },
  start_time: { column: sql`coalesce("startTimeMs", -1)`, of: ({ startTimeMs }: TrainingJob) => startTimeMs ?? -1 },
  end_time: { column: sql`coalesce("endTimeMs", -1)`, of: ({ endTimeMs }: TrainingJob) => endTimeMs ?? -1 },
  priority: { column: sql.ref('priority'), of: ({ priority }: TrainingJob) => priority },
  owner: { column: sql.ref('owner'), of: ({ owner }: TrainingJob) => owner },
  model: { column: sql.ref('model'), of: ({ spec }: TrainingJob) => spec.publish.model },
  state: { column: sql.ref('state'), of: ({ state }: TrainingJob) => state },
};
type OrderField = keyof typeof orderFields;
type Value = string | number;

/**
 * One page of jobs, read in a transaction. Throws INVALID_ARGUMENT for `filter`, `order_by` and `page_token`.
 * @param cache of the same database
 */
export async function listJobs(
  query: Query,
  cache: JobCache,
  listing: Listing,
): Promise<Omit<JobPage, 'latestPosition'>> {
  const { filter, orderBy, pageSize, pageToken } = listing;
  const keys = completeOrder(parseOrderBy(orderBy, Object.keys(orderFields) as OrderField[]));
  const after = readPosition(pageToken, listing, keys.length);
  let page = query
    .selectFrom('jobs')
    .select(versionColumns)
    .where(jobCondition(parseFilter(filter)))
    .limit(pageSize + 1);
  if (after) {
    page = page.where(isAfter(keys, after));
  }
  for (const { field, isDescending } of keys) {
    page = page.orderBy(orderFields[field].column, isDescending ? 'desc' : 'asc');
  }
  const rows = await cache.complete(query, await page.execute());
  const [jobs, nextPageToken] = toPage(rows, pageSize, (job) =>
    JSON.stringify([filter, orderBy, keys.map(({ field }) => orderFields[field].of(job))]),
  );
  return { jobs, nextPageToken };
}

/** With what tells any two jobs apart at the end: the newest first, unless another order was asked for. */
function completeOrder(keys: OrderKey<OrderField>[]): OrderKey<OrderField>[] {
  const isComplete = keys.some(({ field }) => field === 'create_time');
  return isComplete ? keys : [...keys, { field: 'create_time', isDescending: keys.at(-1)?.isDescending ?? true }];
}

/** The first keys are equal, and the next one is beyond. */
function isAfter(keys: OrderKey<OrderField>[], position: Value[]): RawBuilder<boolean> {
  const ways = keys.map(({ field, isDescending }, i) => {
    const equal = keys.slice(0, i).map((key, j) => sql`${orderFields[key.field].column} = ${position[j]}`);
    const beyond = sql`${orderFields[field].column} ${sql.raw(isDescending ? '<' : '>')} ${position[i]}`;
    return sql`(${sql.join([...equal, beyond], sql` and `)})`;
  });
  return sql<boolean>`(${sql.join(ways, sql` or `)})`;
}

/** Where the page begins; null at the start. A token counts for the list that it was given with. */
function readPosition(token: string, { filter, orderBy }: Listing, length: number): Value[] | null {
  const text = decodePageToken(token, 'string');
  if (text === null) {
    return null;
  }
  const isValue = (value: unknown) => typeof value === 'string' || typeof value === 'number';
  try {
    const [tokenFilter, tokenOrder, position] = JSON.parse(text) as [unknown, unknown, unknown[]];
    if (tokenFilter === filter && tokenOrder === orderBy && position.length === length && position.every(isValue)) {
      return position as Value[];
    }
  } catch {
    // Not a token of ours: refused below.
  }
  const rule = 'the `next_page_token` of an earlier answer to the same `filter` and `order_by`';
  throw invalidField('page_token', `Expected \`page_token\` to be ${rule}.`);
}
