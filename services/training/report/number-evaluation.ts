import { type Bootstrap, bootstrap, quantile } from './resampling.js';
import { weightedMean, worst } from './row-figures.js';

/** How near a network comes to numbers, in the units of the label. */
export interface NumberEvaluation {
  kind: 'number';
  rowCount: number;
  /** r2 is null where all rows have one number. */
  figures: Record<string, number | null>;
  /** 95 % intervals of the figures. */
  bootstrap: Bootstrap;
  /** Of answer - truth. */
  residuals: Residuals;
  worstErrors: WorstError[];
}

export interface Residuals {
  mean: number;
  deviation: number;
  quantiles: { share: number; value: number }[];
}

export interface WorstError {
  row: number;
  truth: number;
  answer: number;
}

/** What there is to know of the answers to one number. */
export interface NumberMeasures {
  /** Of a sample, from how often it has each row; null: of all rows once. r2 is null where all of them have one number. */
  figuresOf(weights: Uint16Array | null): Record<'rmse' | 'mae' | 'median_absolute_error' | 'r2', number | null>;
  residuals: Residuals;
  worstErrors: WorstError[];
}

const quantileShares = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1];

/** @param answers one a row @param truth one a row */
export async function evaluateNumber(
  answers: Float64Array,
  truth: Float64Array,
  seed: number,
  signal: AbortSignal,
): Promise<NumberEvaluation> {
  const { figuresOf, residuals, worstErrors } = measureNumber(answers, truth);
  const rowCount = truth.length;
  const figures = figuresOf(null);
  return {
    ...{ kind: 'number', rowCount, figures },
    bootstrap: await bootstrap(rowCount, seed, figuresOf, signal),
    ...{ residuals, worstErrors },
  };
}

/** @param answers one a row @param truth one a row */
export function measureNumber(answers: Float64Array, truth: Float64Array): NumberMeasures {
  const residuals = answers.map((answer, row) => answer - truth[row]!);
  const sizes = residuals.map(Math.abs);
  const squares = residuals.map((residual) => residual * residual);
  const bySize = Uint32Array.from(sizes.keys()).sort((a, b) => sizes[a]! - sizes[b]!);
  const figuresOf = (weights: Uint16Array | null) => {
    const meanSquare = weightedMean(squares, weights);
    const mean = weightedMean(truth, weights);
    const variance = weightedMean(
      truth.map((value) => (value - mean) ** 2),
      weights,
    );
    return {
      rmse: Math.sqrt(meanSquare),
      mae: weightedMean(sizes, weights),
      median_absolute_error: weightedMedian(sizes, bySize, weights),
      r2: variance === 0 ? null : 1 - meanSquare / variance,
    };
  };
  const mean = weightedMean(residuals, null);
  const sorted = residuals.slice().sort();
  return {
    figuresOf,
    residuals: {
      mean,
      deviation: Math.sqrt(weightedMean(squares, null) - mean * mean),
      quantiles: quantileShares.map((share) => ({ share, value: quantile(sorted, share) })),
    },
    worstErrors: worst(squares).map((row) => ({ row: row + 1, truth: truth[row]!, answer: answers[row]! })),
  };
}

/** Of an even number of values the mean of the two in the middle. @param order places by rising value */
function weightedMedian(values: Float64Array, order: Uint32Array, weights: Uint16Array | null): number {
  // The weights of a sample sum to the number of rows.
  const at = (rank: number) => {
    let passed = 0;
    for (const place of order) {
      passed += weights === null ? 1 : weights[place]!;
      if (passed > rank) {
        return values[place]!;
      }
    }
    throw new Error('a rank beyond the values');
  };
  const rows = values.length;
  return (at(Math.floor((rows - 1) / 2)) + at(Math.floor(rows / 2))) / 2;
}
