import { type FigureTable, figuresOf, once } from './figure-table.js';
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

const quantileShares = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1];

/** @param answers one a row @param truth one a row */
export async function evaluateNumber(
  answers: Float64Array,
  truth: Float64Array,
  seed: number,
  signal: AbortSignal,
): Promise<NumberEvaluation> {
  const measures = new NumberMeasures(answers, truth);
  const rowCount = truth.length;
  return {
    ...{ kind: 'number', rowCount, figures: figuresOf(measures.sample(null)) },
    bootstrap: await bootstrap(rowCount, seed, (weights) => figuresOf(measures.sample(weights)), signal),
    ...{ residuals: measures.residuals(), worstErrors: measures.worstErrors() },
  };
}

/** What there is to know of the answers to one number; each part is worked out when it is asked for. */
export class NumberMeasures {
  readonly #residuals: Float64Array;
  readonly #squares: Float64Array;
  readonly #sizes: Float64Array;
  /** Rows by the size of their residuals. */
  readonly #bySize;

  /** @param answers one a row @param truth one a row */
  constructor(
    private readonly answers: Float64Array,
    private readonly truth: Float64Array,
  ) {
    this.#residuals = answers.map((answer, row) => answer - truth[row]!);
    this.#squares = this.#residuals.map((residual) => residual * residual);
    const sizes = this.#residuals.map(Math.abs);
    this.#sizes = sizes;
    this.#bySize = once(() => Uint32Array.from(sizes.keys()).sort((a, b) => sizes[a]! - sizes[b]!));
  }

  /** Figures of a sample, from how often it has each row; null: of all rows once. r2 is null where all of them have one number. */
  sample(weights: Uint16Array | null): FigureTable {
    const meanSquare = once(() => weightedMean(this.#squares, weights));
    return {
      rmse: () => Math.sqrt(meanSquare()),
      mae: () => weightedMean(this.#sizes, weights),
      median_absolute_error: () => weightedMedian(this.#sizes, this.#bySize(), weights),
      r2: () => {
        const mean = weightedMean(this.truth, weights);
        const variance = weightedMean(
          this.truth.map((value) => (value - mean) ** 2),
          weights,
        );
        return variance === 0 ? null : 1 - meanSquare() / variance;
      },
    };
  }

  residuals(): Residuals {
    const mean = weightedMean(this.#residuals, null);
    const sorted = this.#residuals.slice().sort();
    return {
      mean,
      deviation: Math.sqrt(weightedMean(this.#squares, null) - mean * mean),
      quantiles: quantileShares.map((share) => ({ share, value: quantile(sorted, share) })),
    };
  }

  worstErrors(): WorstError[] {
    return worst(this.#squares).map((row) => ({ row: row + 1, truth: this.truth[row]!, answer: this.answers[row]! }));
  }
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
