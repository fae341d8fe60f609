import { z } from 'zod';
import { edgesReached } from '../edges-reached.js';
import { quantileOf, sortedOf } from '../statistics.js';
import { defineStep, mapToNumber, type TrainingColumn } from '../step.js';

const bucketsDefault = 5;
const bucketsLimit = 10_000;

export interface BucketSpec {
  kind: 'bucket';
  strategy: 'uniform' | 'quantile' | 'edges' | null;
  buckets: number | null;
  edges: number[];
  output: 'oneHot' | 'index' | null;
}

const form = z.strictObject({
  kind: z.literal('bucket'),
  /** Between the buckets, ascending: a bucket begins with its edge. */
  edges: z.array(z.number()),
  output: z.enum(['oneHot', 'index']),
});

export const bucket = defineStep<BucketSpec, z.infer<typeof form>>({
  kind: 'bucket',
  summary: 'sorts numbers into buckets of equal width, of equal share, or between given edges',
  takes: ['number'],
  form,
  gives: ({ output }) => (output === 'index' ? 'number' : 'features'),
  check({ strategy, buckets, edges }, _, report) {
    const isCount = buckets === null || (Number.isInteger(buckets) && buckets >= 2 && buckets <= bucketsLimit);
    report.check(isCount, 'buckets', `from 2 to ${bucketsLimit}`, buckets);
    if (strategy === null) {
      report.add(
        'strategy',
        `Expected \`${report.field}.strategy\` to be UNIFORM, QUANTILE or EDGES but it is not set.`,
      );
    } else if (strategy === 'edges') {
      const ascend = edges.length > 0 && edges.every((edge, i) => Number.isFinite(edge) && !(edge <= edges[i - 1]!));
      report.check(ascend && edges.length < bucketsLimit, 'edges', 'numbers that ascend, at least one', edges);
      report.check(buckets === null, 'buckets', 'unset with STRATEGY_EDGES', buckets);
    } else {
      report.check(edges.length === 0, 'edges', 'empty but with STRATEGY_EDGES', edges);
    }
  },
  async fit(spec, column) {
    const edges = spec.strategy === 'edges' ? spec.edges : await fitEdges(spec, column);
    return { kind: 'bucket', edges, output: spec.output ?? 'oneHot' };
  },
  prepare({ edges, output }) {
    if (edges.some((edge, i) => edge <= edges[i - 1]!)) {
      throw new Error('edges need to ascend');
    }
    if (output === 'index') {
      return mapToNumber((value) => edgesReached(value as number, edges));
    }
    return {
      output: null,
      names: [...edges, null].map((edge, i) => nameOf(edges[i - 1] ?? null, edge)),
      write({ values }, { values: target, rowWidth, offset }) {
        for (let i = 0; i < values.length; i++) {
          target[i * rowWidth + offset + edgesReached(values[i] as number, edges)] = 1;
        }
      },
    };
  },
});

/** Buckets narrower than this are rounding, and are left out; as in scikit-learn. */
const widthMin = 1e-8;

async function fitEdges({ strategy, buckets }: BucketSpec, column: TrainingColumn): Promise<number[]> {
  const sorted = await sortedOf(() => column.numbers());
  const count = buckets ?? bucketsDefault;
  const low = column.usable(sorted[0] ?? null);
  const high = column.usable(sorted.at(-1) ?? null);
  if (low === high) {
    return [];
  }
  const edges = Array.from({ length: count + 1 }, (_, i) => {
    const uniform = i === count ? high : low + i * (column.usable(high - low) / count);
    return strategy === 'uniform' ? uniform : quantileOf(sorted, i / count);
  });
  const wide = edges.filter((edge, i) => i === 0 || edge - edges[i - 1]! > (strategy === 'quantile' ? widthMin : 0));
  return wide.slice(1, -1);
}

function nameOf(from: number | null, to: number | null): string {
  return from === null ? (to === null ? '=any' : `<${to}`) : to === null ? `>=${from}` : `=${from}..${to}`;
}
