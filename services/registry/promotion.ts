import { quote, type Violations } from '../platform/errors.js';
import { idRule, isId } from '../platform/resource-name.js';

export const comparisons = ['>=', '>', '<=', '<'] as const;
export type Comparison = (typeof comparisons)[number];

/** What a new version must reach for its aliases to move to it: `metric comparison bound`. */
export interface PromotionCondition {
  /** A metric of the version. */
  metric: string;
  /** Null: unset or unknown, which is refused. */
  comparison: Comparison | null;
  /** The bound is that metric of the version that this alias names, plus `value`; empty: `value` alone. */
  alias: string;
  value: number;
}

/** How the condition came out when the version was made. Never changes. */
export interface Promotion {
  condition: PromotionCondition;
  isPromoted: boolean;
  /** The version that the condition's alias named; null: there was no such alias, or the condition names none. */
  comparedVersion: number | null;
  /** What the metric was compared with; null: there was nothing to compare with. */
  bound: number | null;
}

/** The version that an alias names. */
export interface AliasedVersion {
  version: number;
  metrics: Record<string, number>;
}

/** Notes what is wrong with a condition for a version of these metrics. */
export function checkCondition(
  { metric, comparison, alias, value }: PromotionCondition,
  metrics: Record<string, number>,
  violations: Violations,
): void {
  const field = 'promotion_condition';
  const known = Object.keys(metrics).map(quote).join(', ');
  const rule = `one of the metrics of the version (${known || 'it has none'})`;
  violations.check(Object.hasOwn(metrics, metric), `${field}.metric`, rule, metric);
  violations.check(comparison !== null, `${field}.comparison`, `one of ${comparisons.join(', ')}`, comparison);
  violations.check(alias === '' || isId(alias), `${field}.alias`, `empty, or ${idRule},`, alias);
  violations.check(Number.isFinite(value), `${field}.value`, 'a finite number', value);
}

/**
 * Whether a version of `metrics` is to have its aliases. It is where the condition names an alias that is not there yet. It is
 * not where that alias's version lacks the metric: what cannot be compared is no better.
 *
 * @param aliased null: the condition's alias is not there
 */
export function decidePromotion(
  condition: PromotionCondition,
  metrics: Record<string, number>,
  aliased: AliasedVersion | null,
): Promotion {
  const { metric, comparison, alias, value } = condition;
  if (alias !== '' && !aliased) {
    return { condition, isPromoted: true, comparedVersion: null, bound: null };
  }
  const base = alias === '' ? 0 : aliased!.metrics[metric];
  const bound = base === undefined ? null : base + value;
  const isPromoted = bound !== null && holds(metrics[metric]!, comparison!, bound);
  return { condition, isPromoted, comparedVersion: alias === '' ? null : aliased!.version, bound };
}

function holds(value: number, comparison: Comparison, bound: number): boolean {
  switch (comparison) {
    case '>=':
      return value >= bound;
    case '>':
      return value > bound;
    case '<=':
      return value <= bound;
    case '<':
      return value < bound;
  }
}
