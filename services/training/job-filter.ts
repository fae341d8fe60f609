import { type RawBuilder, sql } from '../platform/database.js';
import { invalidField, quote } from '../platform/errors.js';
import { type Comparison, type Filter, type Operator, operators } from '../platform/filter.js';
import { nearest } from '../platform/nearest-name.js';
import { jobStates } from './job-state.js';

/** What jobs can be told apart by. */
interface FilterField {
  /** The expression that is compared. */
  column: RawBuilder<unknown>;
  operators: readonly Operator[];
  /** What a value may be, for messages. */
  rule: string;
  /** What the column is compared with; null for what it never holds. */
  read(value: string): string | number | null;
  /** Whether it may differ from one moment to the next. */
  changes: boolean;
}

const equality: readonly Operator[] = ['=', '!='];
const labelPrefix = 'labels.';
const labelName = /^labels\.[a-z][a-z0-9_-]{0,62}$/;

const text = (column: string, rule: string): FilterField => ({
  column: sql.ref(`jobs.${column}`),
  operators: equality,
  rule,
  read: (value) => value,
  changes: false,
});

const time = (column: string, changes: boolean): FilterField => ({
  column: sql.ref(`jobs.${column}`),
  operators,
  rule: 'a time like 2026-01-31T08:00:00Z',
  read: (value) => (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) ? timeMs(value) : null),
  changes,
});

function timeMs(value: string): number | null {
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? null : parsed;
}

const fields: Record<string, FilterField> = {
  state: {
    column: sql.ref('jobs.state'),
    operators: equality,
    rule: `one of ${jobStates.map((state) => state.toUpperCase()).join(', ')}`,
    read: (value) => jobStates.find((state) => [state, `state_${state}`].includes(value.toLowerCase())) ?? null,
    changes: true,
  },
  model: { ...text('model', 'models/NAME'), read: (value) => (/^models\/[^/]+$/.test(value) ? value : null) },
  owner: text('owner', 'a text'),
  priority: {
    column: sql.ref('jobs.priority'),
    operators,
    rule: 'an integer',
    read: (value) => (/^[+-]?\d{1,9}$/.test(value) ? Number(value) : null),
    changes: false,
  },
  create_time: time('createTimeMs', false),
  start_time: time('startTimeMs', true),
  end_time: time('endTimeMs', true),
};

/**
 * What a job's row must satisfy. A label that a job does not have counts as empty. Throws INVALID_ARGUMENT for `filter`.
 * @param isLasting whether only what never changes of a job may be asked for
 */
export function jobCondition(filter: Filter, isLasting = false): RawBuilder<boolean> {
  const all = filter.map(
    (any) =>
      sql<boolean>`(${sql.join(
        any.map((one) => toSql(one, isLasting)),
        sql` or `,
      )})`,
  );
  return all.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(all, sql` and `)}`;
}

function toSql({ field, operator, value }: Comparison, isLasting: boolean): RawBuilder<boolean> {
  const { column, operators: allowed, rule, read } = fieldOf(field, isLasting);
  if (!allowed.includes(operator)) {
    const message = `Expected \`filter\` to compare ${field} with ${allowed.join(' or ')} but received ${operator}.`;
    throw invalidField('filter', message);
  }
  const compared = read(value);
  if (compared === null) {
    throw invalidField('filter', `Expected \`filter\` to compare ${field} with ${rule} but received ${quote(value)}.`);
  }
  return sql<boolean>`${column} ${sql.raw(operator)} ${compared}`;
}

function fieldOf(name: string, isLasting: boolean): FilterField {
  if (labelName.test(name)) {
    const label = name.slice(labelPrefix.length);
    return { ...text('labels', 'a text'), column: sql`coalesce(${sql.ref('jobs.labels')} ->> ${label}, '')` };
  }
  const names = Object.keys(fields).filter((one) => !isLasting || !fields[one]!.changes);
  if (!names.includes(name)) {
    const meant = nearest(name, names);
    const known = `${names.join(', ')} or labels.NAME${isLasting ? ', which never change of a job,' : ''}`;
    const hint = meant ? ` Did you mean ${meant}?` : '';
    throw invalidField('filter', `Expected \`filter\` to compare ${known} but received ${quote(name)}.${hint}`);
  }
  return fields[name]!;
}
