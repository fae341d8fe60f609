import { type AveragedFigures, figuresOf } from './class-counts.js';
import { areasUnder, rankRows } from './ranking.js';
import { type Bootstrap, bootstrap } from './resampling.js';
import { meanOf } from './row-figures.js';

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

/** A label is answered from this probability on. */
const threshold = 0.5;

/** @param probabilities row-major [rows, labels] @param truth 1 or 0, row-major [rows, labels] */
export async function evaluateLabelSets(
  probabilities: Float32Array,
  truth: ArrayLike<number>,
  names: readonly string[],
  seed: number,
  signal: AbortSignal,
): Promise<LabelSetEvaluation> {
  const labels = names.length;
  const rows = truth.length / labels;
  const columns = names.map((name, k) => {
    const scores = Float32Array.from({ length: rows }, (_, row) => probabilities[row * labels + k]!);
    const isTrue = Uint8Array.from({ length: rows }, (_, row) => truth[row * labels + k]!);
    const isAnswered = Uint8Array.from(scores, (score) => (score >= threshold ? 1 : 0));
    return { name, isTrue, isAnswered, ranking: rankRows(scores) };
  });
  const wrongLabels = Uint32Array.from({ length: rows }, (_, row) =>
    columns.reduce((sum, { isTrue, isAnswered }) => sum + (isTrue[row] === isAnswered[row] ? 0 : 1), 0),
  );
  const tallyOf = (
    { isTrue, isAnswered }: { isTrue: Uint8Array; isAnswered: Uint8Array },
    weights: Uint16Array | null,
  ) => {
    const tally = { right: 0, answered: 0, actual: 0 };
    for (let row = 0; row < rows; row++) {
      const weight = weights === null ? 1 : weights[row]!;
      tally.actual += weight * isTrue[row]!;
      tally.answered += weight * isAnswered[row]!;
      tally.right += weight * (isTrue[row]! & isAnswered[row]!);
    }
    return tally;
  };
  const measured = (weights: Uint16Array | null) => {
    const tallies = columns.map((column) => tallyOf(column, weights));
    const sum = (key: 'right' | 'answered' | 'actual') => tallies.reduce((total, tally) => total + tally[key], 0);
    const byLabel = tallies.map(({ right, answered, actual }) => figuresOf(right, answered, actual));
    const areas = columns.map(({ ranking, isTrue }) => areasUnder(ranking, isTrue, weights));
    let [wrong, exact, all] = [0, 0, 0];
    for (let row = 0; row < rows; row++) {
      const weight = weights === null ? 1 : weights[row]!;
      all += weight;
      wrong += weight * wrongLabels[row]!;
      exact += wrongLabels[row] === 0 ? weight : 0;
    }
    const micro = figuresOf(sum('right'), sum('answered'), sum('actual'));
    return {
      tallies,
      byLabel,
      areas,
      figures: {
        subset_accuracy: exact / all,
        hamming_loss: wrong / (all * labels),
        micro_precision: micro.precision,
        micro_recall: micro.recall,
        micro_f1: micro.f1,
        macro_f1: meanOf(byLabel.map(({ f1 }) => f1)),
        roc_auc: meanOf(areas.map(({ roc }) => roc)),
        average_precision: meanOf(areas.map(({ averagePrecision }) => averagePrecision)),
      },
    };
  };
  const { tallies, byLabel, areas, figures } = measured(null);
  return {
    kind: 'labels',
    rowCount: rows,
    figures,
    bootstrap: await bootstrap(rows, seed, (weights) => measured(weights).figures, signal),
    labels: names.map((name, k) => ({
      name,
      rowCount: tallies[k]!.actual,
      ...byLabel[k]!,
      rocArea: areas[k]!.roc,
      averagePrecision: areas[k]!.averagePrecision,
    })),
  };
}
