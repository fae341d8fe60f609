import { quote, type Violations } from '../platform/errors.js';
import { nearest } from '../platform/nearest-name.js';
import { figureNames } from './report/figure-names.js';
import type { FittedPipeline, PublishSpec, SpecDraft } from './training-spec.js';

export type Comparison = '>=' | '>' | '<=' | '<';

/** What a version must reach for its aliases to move to it: `metric comparison bound`. */
export interface PromotionCondition {
  /** As the registry lists it, for example `test_accuracy`. */
  metric: string;
  comparison: Comparison;
  /** The bound is that metric of the version that this alias names, plus `value`; empty: `value` alone. */
  alias: string;
  value: number;
}

/** How the registry decided. */
export interface Promotion {
  isPromoted: boolean;
  /** Number of the version that the condition's alias named; null: no version. */
  comparedVersion: number | null;
  /** What the metric was compared with; null: there was nothing. */
  bound: number | null;
}

const field = 'spec.publish.promote_if';
const prefix = 'test_';
const metrics = [...new Set(Object.values(figureNames).flat())];
const allowedMetrics = [...metrics, ...metrics.map((metric) => `${prefix}${metric}`)];
const number = String.raw`\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`;
const alias = '[a-z][a-z0-9-]{0,62}';
const pattern = new RegExp(
  String.raw`^\s*(?<metric>\w+)\s*(?<comparison>[<>]=?)\s*(?:(?<bound>-?${number})|(?<alias>${alias})(?:\s+(?<sign>[+-])\s+(?<value>${number}))?)\s*$`,
);
const rule = `a condition like \`accuracy >= champion + 0.001\` or \`loss < 0.2\`: one of ${allowedMetrics.join(', ')}; then >=, >, <= or <; then a number, or an alias, which a space, + or -, a space and a number may follow;`;

/** A condition in words as a spec has it; null: it is none. */
export function parsePromoteIf(text: string): PromotionCondition | null {
  const found = pattern.exec(text)?.groups;
  if (!found || !allowedMetrics.includes(found.metric!)) {
    return null;
  }
  const value = Number(found.bound ?? `${found.sign ?? ''}${found.value ?? 0}`);
  if (!Number.isFinite(value)) {
    return null;
  }
  const metric = found.metric!.startsWith(prefix) ? found.metric! : `${prefix}${found.metric}`;
  return { metric, comparison: found.comparison as Comparison, alias: found.alias ?? '', value };
}

/** What can be said of a condition without the dataset. */
export function checkPromoteIf({ publish, pipeline }: SpecDraft, violations: Violations): void {
  const text = publish?.promoteIf ?? '';
  if (text === '') {
    return;
  }
  const condition = parsePromoteIf(text);
  if (!condition) {
    const metric = /^\s*(\w+)/.exec(text)?.[1] ?? '';
    const meant = allowedMetrics.includes(metric) ? null : nearest(metric, allowedMetrics);
    const hint = meant === null ? '' : ` Did you mean \`${meant}\`?`;
    violations.add(field, `Expected \`${field}\` to be ${rule} but received ${quote(text)}.${hint}`);
    return;
  }
  const known = pipeline?.labelKind ? figureNames[pipeline.labelKind] : metrics;
  const isKnown = known.includes(condition.metric.slice(prefix.length));
  violations.check(isKnown, field, `a condition of what there is for such a label (${known.join(', ')})`, text);
  const reason = `at least one alias, which \`${field}\` allows to move,`;
  violations.check(publish!.aliases.length > 0, 'spec.publish.aliases', reason, publish!.aliases);
}

/** A condition is one of measures on the test split. */
export function checkTestRows({ publish }: SpecDraft, { rowCounts }: FittedPipeline, violations: Violations): void {
  const isMeasured = !publish?.promoteIf || rowCounts.test > 0;
  violations.check(isMeasured, field, 'unset, since the split leaves no rows for testing,', publish?.promoteIf);
}

/** What became of the aliases of a version, for people. */
export function promotionText(
  publish: PublishSpec,
  metrics: Record<string, number>,
  { isPromoted, comparedVersion, bound }: Promotion,
): string {
  const { metric, alias: compared } = parsePromoteIf(publish.promoteIf ?? '')!;
  // Without the last digits that adding floats leaves.
  const short = (value: number) => Number(value.toPrecision(9));
  const measured = `${metric} is ${short(metrics[metric]!)}`;
  const version = comparedVersion === null ? '' : ` (version ${comparedVersion} is ${compared})`;
  const nothing =
    comparedVersion === null ? `there is no ${compared} yet` : `version ${comparedVersion}, ${compared}, has none`;
  const reason =
    bound === null ? `${measured}, and ${nothing}` : `${measured}, compared with ${short(bound)}${version}`;
  const outcome = isPromoted ? 'holds' : 'does not hold';
  const aliases = `${isPromoted ? 'These aliases moved' : 'These aliases stay where they were'}: ${publish.aliases.join(', ')}.`;
  return `\`${publish.promoteIf}\` ${outcome}: ${reason}. ${aliases}`;
}
