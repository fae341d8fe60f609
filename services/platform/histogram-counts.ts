import type { Registry } from 'prom-client';

/**
 * A histogram as plain data, for paths where a library's bookkeeping by labels would cost more than the work that is
 * observed. Processes can send it to each other and add it up.
 */
export interface HistogramCounts {
  /** Upper bounds, ascending. */
  bounds: readonly number[];
  /** How many values lie in each bucket and no lower one; one more than bounds, the last without an upper bound. */
  counts: number[];
  sum: number;
}

export function histogramCounts(bounds: readonly number[]): HistogramCounts {
  return { bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

export function observe(histogram: HistogramCounts, value: number): void {
  const { bounds, counts } = histogram;
  let bucket = 0;
  while (bucket < bounds.length && value > bounds[bucket]!) {
    bucket++;
  }
  counts[bucket]!++;
  histogram.sum += value;
}

export function mergeHistograms(sum: HistogramCounts, other: HistogramCounts): void {
  for (const [bucket, count] of other.counts.entries()) {
    sum.counts[bucket] = sum.counts[bucket]! + count;
  }
  sum.sum += other.sum;
}

type Labels = Record<string, string | number>;

interface Series {
  labels: Labels;
  value: number;
  metricName?: string;
}

/** A metric whose series are made when Prometheus asks, out of counts kept elsewhere. */
export interface CollectedMetric {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  /** How several processes' values of it become one; default: their sum. */
  aggregator?: 'sum' | 'max';
  collect(): Series[];
}

/** Adds a metric to a registry; of a metric the registry needs its name and what `get` answers. */
export function registerCollected(
  registry: Registry,
  { name, help, type, aggregator = 'sum', collect }: CollectedMetric,
): void {
  const metric = {
    name,
    help,
    type,
    aggregator,
    get: async () => ({ name, help, type, aggregator, values: collect() }),
    reset: () => {},
  };
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0]);
}

/** The series of one histogram, in Prometheus's form: every bucket counts what the lower ones do. */
export function histogramSeries(name: string, labels: Labels, { bounds, counts, sum }: HistogramCounts): Series[] {
  const series: Series[] = [];
  let count = 0;
  for (const [bucket, inBucket] of counts.entries()) {
    count += inBucket;
    series.push({ labels: { ...labels, le: bounds[bucket] ?? '+Inf' }, value: count, metricName: `${name}_bucket` });
  }
  series.push({ labels, value: sum, metricName: `${name}_sum` });
  series.push({ labels, value: count, metricName: `${name}_count` });
  return series;
}
