import { type Figures, type FigureTable, figuresOf } from './figure-table.js';
import { NumberMeasures, type Residuals, type WorstError } from './number-evaluation.js';
import { type Bootstrap, bootstrap, type Interval } from './resampling.js';
import { meanOf } from './row-figures.js';

/** How near a network comes to several numbers a row, each in the units of its column. */
export interface NumbersEvaluation {
  kind: 'numbers';
  rowCount: number;
  /** The means of the targets' figures, as scikit-learn's `uniform_average`; null where a target's is. */
  figures: Record<string, number | null>;
  /** 95 % intervals of the figures. */
  bootstrap: Bootstrap;
  targets: {
    name: string;
    figures: Record<string, number | null>;
    intervals: Record<string, Interval>;
    residuals: Residuals;
    worstErrors: WorstError[];
  }[];
}

export interface NumberTarget {
  name: string;
  /** One a row. */
  answers: Float64Array;
  /** One a row. */
  truth: Float64Array;
}

export async function evaluateNumbers(
  targets: readonly NumberTarget[],
  seed: number,
  signal: AbortSignal,
): Promise<NumbersEvaluation> {
  const measures = targets.map(({ answers, truth }) => new NumberMeasures(answers, truth));
  const rowCount = targets[0]!.truth.length;
  const all = (weights: Uint16Array | null) => measures.map((measured) => figuresOf(measured.sample(weights)));
  // The same samples for all: one drawing is the dearest part.
  const drawn = await bootstrap(rowCount, seed, (weights) => keyed(all(weights)), signal);
  const figures = all(null);
  return {
    kind: 'numbers',
    rowCount,
    figures: averaged(figures),
    bootstrap: { samples: drawn.samples, intervals: intervalsOf(drawn, '') },
    targets: measures.map((measured, i) => ({
      name: targets[i]!.name,
      figures: figures[i]!,
      intervals: intervalsOf(drawn, `${i}.`),
      residuals: measured.residuals(),
      worstErrors: measured.worstErrors(),
    })),
  };
}

/** The means of the targets' figures. */
export function averagedTable(targets: readonly NumberTarget[]): FigureTable {
  const tables = targets.map(({ answers, truth }) => new NumberMeasures(answers, truth).sample(null));
  const names = Object.keys(tables[0]!);
  return Object.fromEntries(names.map((name) => [name, () => meanOf(tables.map((table) => table[name]!()))]));
}

function averaged(figures: readonly Figures[]): Figures {
  const names = Object.keys(figures[0]!);
  return Object.fromEntries(names.map((name) => [name, meanOf(figures.map((one) => one[name]!))]));
}

/** The means by their names, and those of each target with its place before them. */
function keyed(figures: readonly Figures[]): Record<string, number | null> {
  const each = figures.flatMap((one, i) => Object.entries(one).map(([name, value]) => [`${i}.${name}`, value]));
  return { ...averaged(figures), ...Object.fromEntries(each) };
}

function intervalsOf({ intervals }: Bootstrap, prefix: string): Record<string, Interval> {
  const found = Object.entries(intervals).filter(
    ([key]) => key.lastIndexOf('.') + 1 === prefix.length && key.startsWith(prefix),
  );
  return Object.fromEntries(found.map(([key, interval]) => [key.slice(prefix.length), interval]));
}
