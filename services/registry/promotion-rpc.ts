import type { Promotion as PromotionMessage } from '../../proto/gen/millrace/v1/Promotion.js';
import type { PromotionCondition__Output } from '../../proto/gen/millrace/v1/PromotionCondition.js';
import { type Comparison, comparisons, type Promotion, type PromotionCondition } from './promotion.js';

const comparisonNames = {
  '>=': 'COMPARISON_GREATER_OR_EQUAL',
  '>': 'COMPARISON_GREATER',
  '<=': 'COMPARISON_LESS_OR_EQUAL',
  '<': 'COMPARISON_LESS',
} as const satisfies Record<Comparison, string>;

export function fromCondition({ metric, comparison, alias, value }: PromotionCondition__Output): PromotionCondition {
  const known = comparisons.find((word) => comparisonNames[word] === comparison) ?? null;
  return { metric, comparison: known, alias, value };
}

export function toPromotion({ condition, isPromoted, comparedVersion, bound }: Promotion): PromotionMessage {
  return {
    condition: { ...condition, comparison: comparisonNames[condition.comparison!] },
    promoted: isPromoted,
    comparedVersion: comparedVersion ?? 0,
    bound: bound ?? undefined,
  };
}
