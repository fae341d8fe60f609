import { quote, type Violations } from '../platform/errors.js';
import { type Deployment, defaultDeployment, isTarget, type StoredDeployment } from './deployment.js';
import type { Query } from './schema.js';

/** The deployments of models that exist; one that was never changed has the defaults. */
export async function selectDeployments(
  query: Query,
  models: readonly string[],
): Promise<Map<string, StoredDeployment>> {
  const rows = await query.selectFrom('deployments').selectAll().where('model', 'in', models).execute();
  const stored = new Map(rows.map((row) => [row.model, row]));
  return new Map(
    models.map((model) => {
      const row = stored.get(model);
      return [model, { ...fromJson(row?.settings ?? null), model, updateTimeMs: row?.updateTimeMs ?? null }];
    }),
  );
}

/** Fields that were added since it was written have their defaults. */
function fromJson(settings: string | null): Deployment {
  const defaults = defaultDeployment();
  const stored = settings === null ? {} : (JSON.parse(settings) as Partial<Deployment>);
  return { ...defaults, ...stored, batching: { ...defaults.batching, ...stored.batching } };
}

export async function writeDeployment(query: Query, deployment: StoredDeployment): Promise<void> {
  const { model, updateTimeMs, ...settings } = deployment;
  const row = { settings: JSON.stringify(settings), updateTimeMs: updateTimeMs! };
  await query
    .insertInto('deployments')
    .values({ model, ...row })
    .onConflict((conflict) => conflict.column('model').doUpdateSet(row))
    .execute();
}

/**
 * Notes targets that are not there. Those that `before` has already are left alone: an alias that went away since must not keep
 * anyone from changing the rest.
 */
export async function checkTargets(
  query: Query,
  model: string,
  before: Deployment,
  after: Deployment,
  violations: Violations,
): Promise<void> {
  const known = new Set(targetsOf(before).map(([, target]) => target));
  for (const [field, target] of targetsOf(after)) {
    if (isTarget(target) && !known.has(target) && !(await isThere(query, model, target))) {
      const kind = /^\d/.test(target) ? 'version' : 'alias';
      const description = `Expected \`${field}\` to be a version or an alias of models/${model} but there is no ${kind} ${quote(target)}.`;
      violations.add(field, description);
    }
  }
}

function targetsOf({ traffic, shadow }: Deployment): [field: string, target: string][] {
  const targets: [string, string][] = traffic.map(({ target }, i) => [`deployment.traffic[${i}].target`, target]);
  return shadow ? [...targets, ['deployment.shadow.target', shadow.target]] : targets;
}

async function isThere(query: Query, model: string, target: string): Promise<boolean> {
  const found = /^\d/.test(target)
    ? query
        .selectFrom('modelVersions')
        .select('version')
        .where('model', '=', model)
        .where('version', '=', Number(target))
    : query.selectFrom('aliases').select('version').where('model', '=', model).where('alias', '=', target);
  return (await found.executeTakeFirst()) !== undefined;
}
