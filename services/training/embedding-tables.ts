import type { Violations } from '../platform/errors.js';
import { nearest } from '../platform/nearest-name.js';
import type { LayerDraft } from './layer-settings.js';
import type { Draft } from './settings.js';
import type { FittedPipeline } from './training-spec.js';

/** What training reads of `pipeline.json`. */
interface Definition {
  columns?: { column: string; steps: { kind: string; categories?: unknown[] }[] }[];
}

/** The columns that hold the index of a category, and how many vectors that takes. */
function ordinalColumns({ definition }: FittedPipeline): Map<string, number> {
  const { columns = [] } = JSON.parse(definition) as Definition;
  const found = new Map<string, number>();
  for (const { column, steps } of columns) {
    const last = steps.at(-1);
    if (last?.kind === 'ordinal') {
      // One more, for all categories that the training split does not have.
      found.set(column, last.categories!.length + 1);
    }
  }
  return found;
}

/** Notes tables of columns that hold no category. An embedding is the first layer or was refused before. */
export function checkEmbedding(layers: LayerDraft[], pipeline: FittedPipeline, violations: Violations): void {
  const [first] = layers;
  if (first?.type !== 'embedding') {
    return;
  }
  const columns = [...ordinalColumns(pipeline).keys()];
  for (const [i, { column }] of (first.tables as Draft[]).entries()) {
    const field = `spec.network.layers[0].embedding.tables[${i}].column`;
    const close = nearest(String(column), columns);
    const known = columns.length > 0 ? columns.join(', ') : 'there is none';
    const rule = `a column of the pipeline that ends with the step \`ordinal\` (${known})${close ? `, such as ${close},` : ''}`;
    violations.check(columns.includes(column as string), field, rule, column);
  }
}

/** The tables as the engine needs them. */
export function embeddingTables(given: Draft[], pipeline: FittedPipeline): Draft[] {
  const columns = ordinalColumns(pipeline);
  return given.map(({ column, units }) => ({
    column,
    units,
    categories: columns.get(column as string)!,
    feature: pipeline.featureNames!.indexOf(column as string),
  }));
}
