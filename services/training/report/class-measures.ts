import {
  type AveragedFigures,
  accuracyOf,
  balancedAccuracyOf,
  classFigures,
  countClasses,
  macroAverage,
  weightedAverage,
} from './class-counts.js';
import { type FigureTable, once } from './figure-table.js';
import {
  brierScores,
  calibrationBins,
  calibrationError,
  logLosses,
  mostProbable,
  type Probabilities,
  topShare,
} from './probabilities.js';
import { areasUnder, rankRows } from './ranking.js';
import { meanOf, weightedMean } from './row-figures.js';

/** Probabilities for rows whose class is known. */
export interface ClassedRows {
  probabilities: Probabilities;
  /** Index of each row's class. */
  truth: ArrayLike<number>;
}

export const topCount = 5;
const binCount = 10;

/** What there is to know of the answers to some rows; each part is worked out when it is asked for. */
export class ClassMeasures {
  readonly answers;
  readonly losses;
  readonly briers;
  /** Of each class; of two of the second alone: the first has its curves, turned round. */
  readonly rankings;
  readonly calibration;

  constructor(private readonly rows: ClassedRows) {
    const { probabilities, truth } = rows;
    const { rows: count, classes, values } = probabilities;
    this.answers = once(() => mostProbable(probabilities));
    this.losses = once(() => logLosses(probabilities, truth));
    this.briers = once(() => brierScores(probabilities, truth));
    const ranked = Array.from({ length: classes }, (_, k) => k).slice(classes === 2 ? 1 : 0);
    this.rankings = once(() =>
      ranked.map((k) => {
        const scores = Float32Array.from({ length: count }, (_, row) => values[row * classes + k]!);
        const isOfClass = Uint8Array.from({ length: count }, (_, row) => (truth[row] === k ? 1 : 0));
        return { k, scores, isOfClass, ranking: rankRows(scores) };
      }),
    );
    this.calibration = once(() => {
      const [{ scores, isOfClass }] = this.rankings() as [ReturnType<typeof this.rankings>[0]];
      const promised = classes === 2 ? scores : valuesAt(probabilities, this.answers());
      const hits = classes === 2 ? isOfClass : this.answers().map((answer, row) => (answer === truth[row] ? 1 : 0));
      return calibrationBins(promised, hits, binCount);
    });
  }

  /** @param weights how often each row counts; null: once */
  countsOf(weights: Uint16Array | null) {
    return countClasses(this.rows.probabilities.classes, this.rows.truth, this.answers(), weights);
  }

  /** Of the classes that `rankings` has. @param weights how often each row counts; null: once */
  areasOf(weights: Uint16Array | null) {
    return this.rankings().map(({ ranking, isOfClass }) => areasUnder(ranking, isOfClass, weights));
  }

  /** Figures of a sample, from how often it has each row. */
  sample(weights: Uint16Array | null): FigureTable {
    const counts = once(() => this.countsOf(weights));
    const byClass = once(() => classFigures(counts()));
    const areas = once(() => this.areasOf(weights));
    return {
      accuracy: () => accuracyOf(counts()),
      balanced_accuracy: () => balancedAccuracyOf(byClass()),
      ...averages('macro', () => macroAverage(counts(), byClass())),
      ...averages('weighted', () => weightedAverage(byClass())),
      roc_auc: () => meanOf(areas().map(({ roc }) => roc)),
      average_precision: () => meanOf(areas().map(({ averagePrecision }) => averagePrecision)),
      log_loss: () => weightedMean(this.losses(), weights),
      brier_score: () => weightedMean(this.briers(), weights),
    };
  }

  /** Figures of all rows: those of a sample, and some that no interval is told of. */
  all(): FigureTable {
    const { probabilities, truth } = this.rows;
    const top: FigureTable =
      probabilities.classes > topCount
        ? { [`top_${topCount}_accuracy`]: () => topShare(probabilities, truth, topCount) }
        : {};
    return { ...this.sample(null), ...top, calibration_error: () => calibrationError(this.calibration()) };
  }
}

function averages(prefix: string, make: () => AveragedFigures): FigureTable {
  const average = once(make);
  return {
    [`${prefix}_precision`]: () => average().precision,
    [`${prefix}_recall`]: () => average().recall,
    [`${prefix}_f1`]: () => average().f1,
  };
}

function valuesAt({ rows, classes, values }: Probabilities, columns: Uint32Array): Float32Array {
  return Float32Array.from({ length: rows }, (_, row) => values[row * classes + columns[row]!]!);
}
