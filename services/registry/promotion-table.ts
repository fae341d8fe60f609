import { decidePromotion, type Promotion, type PromotionCondition } from './promotion.js';
import type { Query } from './schema.js';

/** Holds a condition against the version that its alias names at this moment. */
export async function decide(
  query: Query,
  model: string,
  condition: PromotionCondition,
  metrics: Record<string, number>,
): Promise<Promotion> {
  const aliased = await query
    .selectFrom('aliases')
    .innerJoin('modelVersions', (join) =>
      join.onRef('modelVersions.model', '=', 'aliases.model').onRef('modelVersions.version', '=', 'aliases.version'),
    )
    .select(['modelVersions.version', 'modelVersions.metrics'])
    .where('aliases.model', '=', model)
    .where('aliases.alias', '=', condition.alias)
    .executeTakeFirst();
  const known = aliased && { version: aliased.version, metrics: JSON.parse(aliased.metrics) as Record<string, number> };
  return decidePromotion(condition, metrics, known ?? null);
}
