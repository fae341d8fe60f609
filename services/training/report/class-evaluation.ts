import {
  type AveragedFigures,
  accuracyOf,
  balancedAccuracyOf,
  type ClassFigures,
  classFigures,
  countClasses,
  macroAverage,
  weightedAverage,
} from './class-counts.js';
import {
  bestTemperature,
  brierScores,
  type CalibrationBin,
  calibrationBins,
  calibrationError,
  logLosses,
  mostProbable,
  type Probabilities,
  temperedLogLoss,
  topShare,
} from './probabilities.js';
import { areasUnder, type CurvePoint, curvePoints, rankRows } from './ranking.js';
import { type Bootstrap, bootstrap } from './resampling.js';
import { meanOf, weightedMean, worst } from './row-figures.js';

/** Probabilities for rows whose class is known. */
export interface ClassedRows {
  probabilities: Probabilities;
  /** Index of each row's class. */
  truth: ArrayLike<number>;
}

/** How well a network tells classes apart. Names and definitions are scikit-learn's. */
export interface ClassEvaluation {
  kind: 'classes';
  rowCount: number;
  /** Figures of all rows; null where rows of one class only leave them undefined. */
  figures: Record<string, number | null>;
  /** 95 % intervals of the figures. */
  bootstrap: Bootstrap;
  macro: AveragedFigures;
  weighted: AveragedFigures;
  classes: ({ name: string; rocArea: number | null; averagePrecision: number | null } & ClassFigures)[];
  /** Rows are true classes, columns answers. */
  confusion: number[][];
  /** By class; of two classes the second alone. */
  curves: { name: string; points: CurvePoint[] }[];
  /** Of the answers' probabilities; of two classes that of the second. */
  calibration: CalibrationBin[];
  /** What the validation rows ask for; null without them. */
  temperature: { value: number; logLossBefore: number; logLossAfter: number } | null;
  worstErrors: { row: number; truth: string; answer: string; probability: number; loss: number }[];
}

const topCount = 5;
const curvePointsMax = 101;
const binCount = 10;

/** @param validation rows that the network was not trained on and is not reported on, or null; the temperature is found on them */
export async function evaluateClasses(
  test: ClassedRows,
  validation: ClassedRows | null,
  names: readonly string[],
  seed: number,
  signal: AbortSignal,
): Promise<ClassEvaluation> {
  const { probabilities, truth } = test;
  const { rows, classes } = probabilities;
  const answers = mostProbable(probabilities);
  const losses = logLosses(probabilities, truth);
  const briers = brierScores(probabilities, truth);
  // The first of two classes has the curves of the second, turned round.
  const ranked = names.map((name, k) => ({ name, k })).slice(classes === 2 ? 1 : 0);
  const rankings = ranked.map(({ name, k }) => {
    const scores = Float32Array.from({ length: rows }, (_, row) => probabilities.values[row * classes + k]!);
    const isOfClass = Uint8Array.from({ length: rows }, (_, row) => (truth[row] === k ? 1 : 0));
    return { name, k, scores, isOfClass, ranking: rankRows(scores) };
  });

  const areasOf = (weights: Uint16Array | null) =>
    rankings.map(({ ranking, isOfClass }) => areasUnder(ranking, isOfClass, weights));
  const figuresOf = (weights: Uint16Array | null): Record<string, number | null> => {
    const counts = countClasses(classes, truth, answers, weights);
    const byClass = classFigures(counts);
    const areas = areasOf(weights);
    return {
      accuracy: accuracyOf(counts),
      balanced_accuracy: balancedAccuracyOf(byClass),
      ...prefixed('macro', macroAverage(counts, byClass)),
      ...prefixed('weighted', weightedAverage(byClass)),
      roc_auc: meanOf(areas.map(({ roc }) => roc)),
      average_precision: meanOf(areas.map(({ averagePrecision }) => averagePrecision)),
      log_loss: weightedMean(losses, weights),
      brier_score: weightedMean(briers, weights),
    };
  };

  const counts = countClasses(classes, truth, answers, null);
  const byClass = classFigures(counts);
  const areas = new Map(areasOf(null).map((area, i) => [rankings[i]!.k, area]));
  const promised = classes === 2 ? rankings[0]!.scores : valuesAt(probabilities, answers);
  const hits = classes === 2 ? rankings[0]!.isOfClass : answers.map((answer, row) => (answer === truth[row] ? 1 : 0));
  const calibration = calibrationBins(promised, hits, binCount);
  const top: Record<string, number> =
    classes > topCount ? { [`top_${topCount}_accuracy`]: topShare(probabilities, truth, topCount) } : {};
  return {
    kind: 'classes',
    rowCount: rows,
    figures: { ...figuresOf(null), ...top, calibration_error: calibrationError(calibration) },
    bootstrap: await bootstrap(rows, seed, figuresOf, signal),
    macro: macroAverage(counts, byClass),
    weighted: weightedAverage(byClass),
    classes: byClass.map((figures, k) => {
      // Whether a row is of the first of two classes is told by the same scores.
      const area = areas.get(k) ?? { roc: areas.get(1)!.roc, averagePrecision: null };
      return { name: names[k]!, ...figures, rocArea: area.roc, averagePrecision: area.averagePrecision };
    }),
    confusion: names.map((_, k) => [...counts.counts.subarray(k * classes, (k + 1) * classes)]),
    curves: rankings.map(({ name, ranking, scores, isOfClass }) => ({
      name,
      points: curvePoints(ranking, scores, isOfClass, curvePointsMax),
    })),
    calibration,
    temperature: validation && temperatureOf(validation, test),
    worstErrors: worst(losses).map((row) => ({
      row: row + 1,
      truth: names[truth[row]!]!,
      answer: names[answers[row]!]!,
      probability: probabilities.values[row * classes + answers[row]!]!,
      loss: losses[row]!,
    })),
  };
}

function temperatureOf(validation: ClassedRows, test: ClassedRows): ClassEvaluation['temperature'] {
  const value = bestTemperature(validation.probabilities, validation.truth);
  return {
    value,
    logLossBefore: temperedLogLoss(test.probabilities, test.truth, 1),
    logLossAfter: temperedLogLoss(test.probabilities, test.truth, value),
  };
}

function prefixed(prefix: string, { precision, recall, f1 }: AveragedFigures): Record<string, number> {
  return { [`${prefix}_precision`]: precision, [`${prefix}_recall`]: recall, [`${prefix}_f1`]: f1 };
}

function valuesAt({ rows, classes, values }: Probabilities, columns: Uint32Array): Float32Array {
  return Float32Array.from({ length: rows }, (_, row) => values[row * classes + columns[row]!]!);
}
