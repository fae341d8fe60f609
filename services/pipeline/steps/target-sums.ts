/** Counts and sums of the targets by category, of those rows that are not of one fold. */
export interface TargetSums {
  /** [categories] */
  counts: Float64Array;
  /** [outputs][categories] */
  sums: Float64Array[];
  /** [outputs][categories]: of squared distances to the category's mean. */
  squares: Float64Array[];
  rows: number;
  /** [outputs] */
  means: Float64Array;
  /** [outputs]: population formula. */
  variances: Float64Array;
}

/** Places of categories (-1: missing), targets and folds of some rows. */
export interface LabelledRows {
  categories: Int32Array;
  /** A number a row: with more than one output the index of a class. Or [rows, outputs] numbers. */
  targets: ArrayLike<number>;
  groups: Int32Array;
}

/**
 * For each of `groups` the sums of the rows of all other groups, in two passes. Where a target is the index of
 * a class, each class has its own target of 0 or 1.
 */
export async function targetSums(
  batches: () => AsyncIterable<LabelledRows>,
  outputs: number,
  categories: number,
  groups: number,
): Promise<TargetSums[]> {
  const all = Array.from({ length: groups }, () => emptySums(outputs, categories));
  await forEach(batches, all, outputs, (sums, category, output, target) => {
    sums.means[output]! += target;
    sums.rows += output === 0 ? 1 : 0;
    if (category >= 0) {
      sums.counts[category]! += output === 0 ? 1 : 0;
      sums.sums[output]![category]! += target;
    }
  });
  for (const { means, rows } of all) {
    for (let k = 0; k < outputs; k++) {
      means[k]! /= Math.max(rows, 1);
    }
  }
  await forEach(batches, all, outputs, (sums, category, output, target) => {
    sums.variances[output]! += (target - sums.means[output]!) ** 2;
    if (category >= 0) {
      const mean = sums.sums[output]![category]! / sums.counts[category]!;
      sums.squares[output]![category]! += (target - mean) ** 2;
    }
  });
  for (const { variances, rows } of all) {
    for (let k = 0; k < outputs; k++) {
      variances[k]! /= Math.max(rows, 1);
    }
  }
  return all;
}

function emptySums(outputs: number, categories: number): TargetSums {
  const perCategory = () => Array.from({ length: outputs }, () => new Float64Array(categories));
  return {
    counts: new Float64Array(categories),
    sums: perCategory(),
    squares: perCategory(),
    rows: 0,
    means: new Float64Array(outputs),
    variances: new Float64Array(outputs),
  };
}

async function forEach(
  batches: () => AsyncIterable<LabelledRows>,
  all: readonly TargetSums[],
  outputs: number,
  add: (sums: TargetSums, category: number, output: number, target: number) => void,
): Promise<void> {
  for await (const { categories, targets, groups } of batches()) {
    const isMatrix = targets.length === categories.length * outputs;
    for (let row = 0; row < categories.length; row++) {
      for (let group = 0; group < all.length; group++) {
        if (group !== groups[row]) {
          for (let k = 0; k < outputs; k++) {
            const target = isMatrix ? targets[row * outputs + k]! : Number(targets[row] === k);
            add(all[group]!, categories[row]!, k, target);
          }
        }
      }
    }
  }
}

/**
 * The mean target of each category, drawn towards that of all rows the more, the fewer rows it has.
 * @param smooth rows that the mean of all counts for; null: as many as its variance within and between categories suggest (the
 * empirical Bayes estimate of Micci-Barreca 2001, as in scikit-learn)
 */
export function encode(
  { counts, sums, squares, means, variances }: TargetSums,
  smooth: number | null,
): { values: number[][]; unseen: number[] } {
  const values = sums.map((sumsOfOutput, k) =>
    Array.from(sumsOfOutput, (sum, category) => {
      const count = counts[category]!;
      const mean = means[k]!;
      if (count === 0) {
        return mean;
      }
      if (smooth !== null) {
        return (sum + smooth * mean) / (count + smooth);
      }
      const weight = (variances[k]! * count) / (variances[k]! * count + squares[k]![category]! / count);
      return Number.isNaN(weight) ? mean : weight * (sum / count) + (1 - weight) * mean;
    }),
  );
  return { values, unseen: Array.from(means) };
}
