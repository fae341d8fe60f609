/** How often each class was answered for each true class. */
export interface ClassCounts {
  classes: number;
  /** Row-major [true class, answered class]. */
  counts: Float64Array;
}

/** Of one class among the others. What divides by 0 is 0, as scikit-learn has it. */
export interface ClassFigures {
  precision: number;
  recall: number;
  f1: number;
  /** Rows that are of the class. */
  rowCount: number;
}

export interface AveragedFigures {
  precision: number;
  recall: number;
  f1: number;
}

/** @param weights how often each row counts; null: once */
export function countClasses(
  classes: number,
  truth: ArrayLike<number>,
  answers: ArrayLike<number>,
  weights: Uint16Array | null,
): ClassCounts {
  const counts = new Float64Array(classes * classes);
  for (let row = 0; row < truth.length; row++) {
    counts[truth[row]! * classes + answers[row]!]! += weights === null ? 1 : weights[row]!;
  }
  return { classes, counts };
}

export function classFigures({ classes, counts }: ClassCounts): ClassFigures[] {
  return Array.from({ length: classes }, (_, k) => {
    let [ofClass, answered] = [0, 0];
    for (let i = 0; i < classes; i++) {
      ofClass += counts[k * classes + i]!;
      answered += counts[i * classes + k]!;
    }
    return { ...figuresOf(counts[k * classes + k]!, answered, ofClass), rowCount: ofClass };
  });
}

/** @param right rows of the class that were answered so @param answered all that were @param actual all that are of it */
export function figuresOf(right: number, answered: number, actual: number): AveragedFigures {
  return {
    precision: answered === 0 ? 0 : right / answered,
    recall: actual === 0 ? 0 : right / actual,
    f1: answered + actual === 0 ? 0 : (2 * right) / (answered + actual),
  };
}

/** Share of the rows that are answered rightly. */
export function accuracyOf({ classes, counts }: ClassCounts): number {
  let [right, rows] = [0, 0];
  for (let i = 0; i < counts.length; i++) {
    rows += counts[i]!;
    right += i % (classes + 1) === 0 ? counts[i]! : 0;
  }
  return right / rows;
}

/** Mean recall of the classes that there are rows of. */
export function balancedAccuracyOf(figures: readonly ClassFigures[]): number {
  const present = figures.filter(({ rowCount }) => rowCount > 0);
  return present.reduce((sum, { recall }) => sum + recall, 0) / present.length;
}

/** The mean over the classes that are true or answered somewhere. */
export function macroAverage(counts: ClassCounts, figures: readonly ClassFigures[]): AveragedFigures {
  const occurs = (k: number) =>
    figures[k]!.rowCount > 0 || figures.some((_, i) => counts.counts[i * counts.classes + k]! > 0);
  return average(
    figures.map((_, k) => (occurs(k) ? 1 : 0)),
    figures,
  );
}

/** The mean weighted by the rows of each class. */
export function weightedAverage(figures: readonly ClassFigures[]): AveragedFigures {
  return average(
    figures.map(({ rowCount }) => rowCount),
    figures,
  );
}

function average(weights: readonly number[], figures: readonly AveragedFigures[]): AveragedFigures {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = (key: keyof AveragedFigures) =>
    figures.reduce((sum, figure, k) => sum + weights[k]! * figure[key], 0) / total;
  return { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
}
