import { type AveragedFigures, figuresOf as labelFigures } from './class-counts.js';
import { figuresOf } from './figure-table.js';
import { LabelSetMeasures } from './label-set-measures.js';
import { type Bootstrap, bootstrap } from './resampling.js';

/** How well a network tells which of several labels a row has. */
export interface LabelSetEvaluation {
  kind: 'labels';
  rowCount: number;
  /** Figures of all rows; null where a label that all rows have, or none, leaves them undefined. */
  figures: Record<string, number | null>;
  /** 95 % intervals of the figures. */
  bootstrap: Bootstrap;
  labels: ({
    name: string;
    rowCount: number;
    rocArea: number | null;
    averagePrecision: number | null;
  } & AveragedFigures)[];
}

/** @param probabilities row-major [rows, labels] @param truth 1 or 0, row-major [rows, labels] */
export async function evaluateLabelSets(
  probabilities: Float32Array,
  truth: ArrayLike<number>,
  names: readonly string[],
  seed: number,
  signal: AbortSignal,
): Promise<LabelSetEvaluation> {
  const measures = new LabelSetMeasures(probabilities, truth, names.length);
  const { rows } = measures;
  const [tallies, areas] = [measures.talliesOf(null), measures.areasOf(null)];
  return {
    kind: 'labels',
    rowCount: rows,
    figures: figuresOf(measures.sample(null)),
    bootstrap: await bootstrap(rows, seed, (weights) => figuresOf(measures.sample(weights)), signal),
    labels: names.map((name, k) => ({
      name,
      rowCount: tallies[k]!.actual,
      ...labelFigures(tallies[k]!.right, tallies[k]!.answered, tallies[k]!.actual),
      rocArea: areas[k]!.roc,
      averagePrecision: areas[k]!.averagePrecision,
    })),
  };
}
