import {
  type AveragedFigures,
  type ClassFigures,
  classFigures,
  macroAverage,
  weightedAverage,
} from './class-counts.js';
import { type ClassedRows, ClassMeasures } from './class-measures.js';
import { figuresOf } from './figure-table.js';
import { bestTemperature, type CalibrationBin, temperedLogLoss } from './probabilities.js';
import { type CurvePoint, curvePoints } from './ranking.js';
import { type Bootstrap, bootstrap } from './resampling.js';
import { worst } from './row-figures.js';

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

const curvePointsMax = 101;

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
  const measures = new ClassMeasures(test);
  const rankings = measures.rankings();
  const [answers, losses] = [measures.answers(), measures.losses()];
  const counts = measures.countsOf(null);
  const byClass = classFigures(counts);
  const areas = new Map(measures.areasOf(null).map((area, i) => [rankings[i]!.k, area]));
  return {
    kind: 'classes',
    rowCount: rows,
    figures: figuresOf(measures.all()),
    bootstrap: await bootstrap(rows, seed, (weights) => figuresOf(measures.sample(weights)), signal),
    macro: macroAverage(counts, byClass),
    weighted: weightedAverage(byClass),
    classes: byClass.map((figures, k) => {
      // Whether a row is of the first of two classes is told by the same scores.
      const area = areas.get(k) ?? { roc: areas.get(1)!.roc, averagePrecision: null };
      return { name: names[k]!, ...figures, rocArea: area.roc, averagePrecision: area.averagePrecision };
    }),
    confusion: names.map((_, k) => [...counts.counts.subarray(k * classes, (k + 1) * classes)]),
    curves: rankings.map(({ k, ranking, scores, isOfClass }) => ({
      name: names[k]!,
      points: curvePoints(ranking, scores, isOfClass, curvePointsMax),
    })),
    calibration: measures.calibration(),
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
