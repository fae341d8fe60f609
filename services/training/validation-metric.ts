import { quote, type Violations } from '../platform/errors.js';
import { labelKindNames, type Metric, metricNames } from './contract-names.js';
import type { EpochMetrics } from './job.js';
import { figureNames } from './report/figure-names.js';
import type { FittedPipeline, LabelKind, SpecDraft } from './training-spec.js';

/** Measured in every epoch, whatever is asked for. */
const ownFigures: Partial<Record<Metric, 'loss' | 'accuracy' | 'validationLoss' | 'validationAccuracy'>> = {
  trainLoss: 'loss',
  trainAccuracy: 'accuracy',
  validationLoss: 'validationLoss',
  validationAccuracy: 'validationAccuracy',
};
const smallerIsBetter = new Set([
  'loss',
  'log_loss',
  'brier_score',
  'rmse',
  'mae',
  'median_absolute_error',
  'hamming_loss',
]);
const top5 = 'top_5_accuracy';

/** What a metric is called among the figures of a report: `macro_f1`. */
export function figureOf(metric: Metric): string {
  return metricNames[metric].replace(/^METRIC_(TRAIN|VALIDATION)_/, '').toLowerCase();
}

export function isSmallerBetter(metric: Metric): boolean {
  return smallerIsBetter.has(figureOf(metric));
}

/** Null where it was not measured in the epoch, or its rows leave it undefined. */
export function measuredOf(metric: Metric, epoch: EpochMetrics): number | null {
  const own = ownFigures[metric];
  return own === undefined ? (epoch.validationMetrics?.[figureOf(metric)] ?? null) : epoch[own];
}

/** Figures of the validation rows that a spec asks for, beside loss and accuracy. */
export function wantedFigures(metrics: readonly Metric[], stopping: { metric: Metric } | null): string[] {
  const wanted = [...metrics, ...(stopping ? [stopping.metric] : [])];
  return [...new Set(wanted.filter((metric) => ownFigures[metric] === undefined).map(figureOf))];
}

/** What can be said of the metrics of a spec without its dataset. */
export function checkMetrics({ metrics = [], earlyStopping, pipeline }: SpecDraft, violations: Violations): void {
  const kind = pipeline?.labelKind ?? null;
  for (const [i, metric] of metrics.entries()) {
    const field = `spec.metrics[${i}]`;
    const rule = `one of ${allowedFor(kind).join(', ')}`;
    if (!violations.check(isMetric(metric), field, rule, metric)) {
      continue;
    }
    checkFits(metric as Metric, kind, field, violations);
    if (metrics.indexOf(metric) < i) {
      const description = `Expected \`${field}\` to be named once but received ${quote(metricNames[metric as Metric])} again.`;
      violations.add(field, description);
    }
  }
  if (isMetric(earlyStopping?.metric)) {
    checkFits(earlyStopping.metric, kind, 'spec.early_stopping.metric', violations);
  }
}

/** What can be said once the rows and classes are known. */
export function checkMeasurable(
  { metrics = [], earlyStopping, publish }: SpecDraft,
  { rowCounts, classes }: FittedPipeline,
  violations: Violations,
): void {
  const asked: [string, unknown][] = metrics.map((metric, i) => [`spec.metrics[${i}]`, metric]);
  for (const [field, metric] of [...asked, ['spec.early_stopping.metric', earlyStopping?.metric] as const]) {
    if (isMetric(metric)) {
      const needed = 'of the training, since the split leaves no rows for validation,';
      const isMeasured = !metric.startsWith('validation') || rowCounts.validation > 0;
      const fewClasses = `a metric that there is for ${classes.length} classes`;
      const isSense = figureOf(metric) !== top5 || classes.length > 5;
      if (violations.check(isMeasured, field, needed, metricNames[metric])) {
        violations.check(isSense, field, fewClasses, metricNames[metric]);
      }
    }
  }
  const promoteIf = publish?.promoteIf ?? '';
  const isKnown = !promoteIf.includes(top5) || classes.length > 5;
  const rule = `a condition of what there is for ${classes.length} classes`;
  violations.check(isKnown, 'spec.publish.promote_if', rule, promoteIf);
}

function isMetric(metric: unknown): metric is Metric {
  return typeof metric === 'string' && Object.hasOwn(metricNames, metric);
}

function checkFits(metric: Metric, kind: LabelKind | null, field: string, violations: Violations): void {
  if (kind !== null) {
    const allowed = allowedFor(kind);
    const rule = `one of ${allowed.join(', ')}, which there are for a label of ${labelKindNames[kind]},`;
    violations.check(allowed.includes(metricNames[metric]), field, rule, metricNames[metric]);
  }
}

/** Names in the contract. @param kind null: any */
function allowedFor(kind: LabelKind | null): string[] {
  const known = (metric: Metric) => kind === null || figureNames[kind].includes(figureOf(metric));
  return (Object.keys(metricNames) as Metric[]).filter(known).map((metric) => metricNames[metric]);
}
