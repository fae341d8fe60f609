import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluateClasses } from '../../../services/training/report/class-evaluation.js';
import { evaluateLabelSets } from '../../../services/training/report/label-set-evaluation.js';
import { evaluateNumber } from '../../../services/training/report/number-evaluation.js';
import { evaluateNumbers } from '../../../services/training/report/numbers-evaluation.js';
import { rankRows } from '../../../services/training/report/ranking.js';
import { bootstrap } from '../../../services/training/report/resampling.js';

type Figures = Record<string, number | null>;

interface ClassCase {
  classes: number;
  truth: number[];
  probabilities: number[];
  figures: Figures;
  byClass: {
    roc: number | null;
    ap: number | null;
    precision: number;
    recall: number;
    f1: number;
    rowCount: number;
  }[];
  confusion: number[][];
  calibration: { share: number[]; mean: number[] };
  temperature: number;
  temperedLogLoss: number;
  roc: { class: number; falsePositive: number[]; truePositive: number[]; thresholds: number[] };
}

const golden = JSON.parse(readFileSync(new URL('../../golden/evaluation.json', import.meta.url), 'utf8')) as {
  classes: Record<string, ClassCase>;
  numbers: Record<string, { truth: number[]; answers: number[]; figures: Figures; quantiles: number[] }>;
  labels: Record<string, { labels: number; truth: number[]; probabilities: number[]; figures: Figures }>;
};

// float32 rows sum to 1 within 1e-7 only; scikit-learn was given them divided by their sum.
const tolerance = 1e-6;
const never = new AbortController().signal;

function expectNear(own: Figures, theirs: Figures): void {
  for (const [name, value] of Object.entries(theirs)) {
    expect(own, name).toHaveProperty(name);
    value === null
      ? expect(own[name], name).toBeNull()
      : expect(Math.abs(own[name]! - value), `${name}: ${own[name]} beside ${value}`).toBeLessThan(tolerance);
  }
}

const namesOf = (count: number) => Array.from({ length: count }, (_, k) => `class ${k}`);

function expectAllNear(own: number[], theirs: number[]): void {
  expect(own.length).toBe(theirs.length);
  for (const [i, value] of theirs.entries()) {
    expect(Math.abs(own[i]! - value), `${i}`).toBeLessThan(tolerance);
  }
}

describe.each(Object.entries(golden.classes))('of classes: %s', (_, known) => {
  const { classes, truth } = known;
  const rows = {
    truth,
    probabilities: { rows: truth.length, classes, values: Float32Array.from(known.probabilities) },
  };
  const evaluated = evaluateClasses(rows, rows, namesOf(classes), 1, never);

  it('has scikit-learn’s figures', async () => {
    const { figures, confusion } = await evaluated;
    expectNear(figures, known.figures);
    expect(confusion).toEqual(known.confusion);
  });

  it('has them of each class', async () => {
    for (const [k, { roc, ap, precision, recall, f1, rowCount }] of known.byClass.entries()) {
      // Of two classes the first has no curve of its own.
      const averagePrecision = classes === 2 && k === 0 ? null : ap;
      const own = (await evaluated).classes[k]!;
      expectNear({ ...own, name: null }, { rocArea: roc, averagePrecision, precision, recall, f1, rowCount });
    }
  });

  it('has its calibration curve and the temperature of SciPy’s search', async () => {
    const { calibration, temperature } = await evaluated;
    const calibrationOf = (key: 'share' | 'meanProbability') => calibration.map((bin) => bin[key]);
    expectAllNear(calibrationOf('share'), known.calibration.share);
    expectAllNear(calibrationOf('meanProbability'), known.calibration.mean);
    expect(Math.abs(temperature!.value / known.temperature - 1)).toBeLessThan(1e-4);
    expect(Math.abs(temperature!.logLossAfter - known.temperedLogLoss)).toBeLessThan(tolerance);
    expect(temperature!.logLossAfter).toBeLessThanOrEqual(temperature!.logLossBefore);
  });

  it('has points of its ROC curve, the last one and no more than asked for', async () => {
    const { curves } = await evaluated;
    const { points } = curves.find(({ name }) => name === `class ${known.roc.class}`)!;
    expect(points.length).toBeLessThanOrEqual(102);
    expect(points.length).toBeGreaterThanOrEqual(Math.min(50, known.roc.thresholds.length));
    expect(points.at(-1)!.truePositiveRate).toBe(1);
    for (const { threshold, falsePositiveRate, truePositiveRate } of points) {
      const i = known.roc.thresholds.findIndex((other) => Math.abs(other - threshold) < 1e-12);
      expectAllNear([falsePositiveRate, truePositiveRate], [known.roc.falsePositive[i]!, known.roc.truePositive[i]!]);
    }
  });

  it('has intervals around the figures, and the worst rows first', async () => {
    const { bootstrap: drawn, figures, worstErrors } = await evaluated;
    for (const name of ['accuracy', 'balanced_accuracy', 'macro_f1', 'log_loss', 'brier_score']) {
      const { low, high } = drawn.intervals[name]!;
      expect(low, name).toBeLessThan(figures[name]!);
      expect(high, name).toBeGreaterThan(figures[name]!);
    }
    const losses = worstErrors.map(({ loss }) => loss);
    expect(losses).toEqual(losses.toSorted((a, b) => b - a));
    const ownLosses = truth.map((k, row) => -Math.log(rows.probabilities.values[row * classes + k]!));
    expect(losses[0]).toBeCloseTo(Math.max(...ownLosses), 12);
    expect(worstErrors[0]!.row).toBe(ownLosses.indexOf(Math.max(...ownLosses)) + 1);
  });
});

it.each(Object.entries(golden.numbers))('of numbers, %s, has scikit-learn’s figures', async (_, known) => {
  const evaluated = await evaluateNumber(Float64Array.from(known.answers), Float64Array.from(known.truth), 1, never);
  expectNear(evaluated.figures, known.figures);
  expectAllNear(
    evaluated.residuals.quantiles.map(({ value }) => value),
    known.quantiles,
  );
  for (const [name, value] of Object.entries(known.figures)) {
    expect(evaluated.bootstrap.intervals[name]!.low, name).toBeLessThan(value!);
    expect(evaluated.bootstrap.intervals[name]!.high, name).toBeGreaterThan(value!);
  }
});

it('of several numbers has the figures of each, and their means', async () => {
  const [first, second] = Object.values(golden.numbers);
  const rows = Math.min(first!.truth.length, second!.truth.length);
  const part = (values: number[]) => Float64Array.from(values.slice(0, rows));
  const targets = [first!, second!].map(({ answers, truth }, i) => {
    return { name: `n${i}`, answers: part(answers), truth: part(truth) };
  });
  const alone = await Promise.all(targets.map(({ answers, truth }) => evaluateNumber(answers, truth, 1, never)));
  const evaluated = await evaluateNumbers(targets, 1, never);
  expect(evaluated).toMatchObject({ kind: 'numbers', rowCount: rows });
  // What scikit-learn calls `uniform_average`.
  const [one, other] = alone.map(({ figures }) => figures);
  for (const [name, value] of Object.entries(evaluated.figures)) {
    expect(value, name).toBeCloseTo((one![name]! + other![name]!) / 2, 12);
  }
  expect(Object.keys(evaluated.bootstrap.intervals)).toEqual(Object.keys(one!));
  expect(evaluated.targets).toEqual(
    alone.map(({ figures, bootstrap: drawn, residuals, worstErrors }, i) => {
      return { name: `n${i}`, figures, intervals: drawn.intervals, residuals, worstErrors };
    }),
  );
});

it.each(Object.entries(golden.labels))('of %s has scikit-learn’s figures', async (_, known) => {
  const probabilities = Float32Array.from(known.probabilities);
  const evaluated = await evaluateLabelSets(probabilities, known.truth, namesOf(known.labels), 1, never);
  expectNear(evaluated.figures, known.figures);
  expect(evaluated.labels.map(({ name }) => name)).toEqual(namesOf(known.labels));
});

describe('bootstrap', () => {
  const values = Float64Array.from({ length: 400 }, (_, i) => i % 2);
  const shareOf = (weights: Uint16Array) => ({
    share: values.reduce((sum, value, i) => sum + value * weights[i]!, 0) / 400,
  });

  it('has the width that theory tells, is the same again, and another with another seed', async () => {
    const { intervals, samples } = await bootstrap(400, 3, shareOf, never);
    expect(samples).toBe(1_000);
    // 1.96 standard errors of a share of one half among 400: 0.049 each side, itself known to some percent.
    expect(intervals.share!.low).toBeGreaterThan(0.5 - 0.06);
    expect(intervals.share!.low).toBeLessThan(0.5 - 0.04);
    expect(intervals.share!.high).toBeGreaterThan(0.5 + 0.04);
    expect(intervals.share!.high).toBeLessThan(0.5 + 0.06);
    expect(await bootstrap(400, 3, shareOf, never)).toEqual({ intervals, samples });
    const placeOf = (weights: Uint16Array) => ({ place: weights.reduce((sum, weight, i) => sum + weight * i, 0) });
    expect(await bootstrap(400, 4, placeOf, never)).not.toEqual(await bootstrap(400, 3, placeOf, never));
  });

  it('leaves out a figure that some samples do not have, and ends when it is told to', async () => {
    let sample = 0;
    const { intervals } = await bootstrap(10, 1, () => ({ rare: sample++ === 5 ? null : 1, sure: 2 }), never);
    expect(intervals).toEqual({ sure: { low: 2, high: 2 } });
    await expect(bootstrap(10, 1, () => ({}), AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

it('ranks rows by falling score, negative ones and both zeros too', () => {
  const scores = [0.25, -1, 0, 3, -0, -2.5, 3];
  const { order, ends } = rankRows(Float32Array.from(scores));
  expect([...order].map((row) => scores[row])).toEqual([3, 3, 0.25, 0, -0, -1, -2.5]);
  expect([...ends]).toEqual([2, 3, 5, 6, 7]);
});
