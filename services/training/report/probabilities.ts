/** Probabilities of classes, row-major [rows, classes]; each row sums to 1. */
export interface Probabilities {
  rows: number;
  classes: number;
  values: Float32Array;
}

/** Probabilities below it count as it: what a float32 can tell from 1. scikit-learn's `log_loss` does the same. */
const smallest = 2 ** -23;

const clip = (probability: number) => Math.min(Math.max(probability, smallest), 1 - smallest);

/** The most probable class of each row; of equal ones the first. */
export function mostProbable({ rows, classes, values }: Probabilities): Uint32Array {
  const answers = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      best = values[row * classes + k]! > values[row * classes + best]! ? k : best;
    }
    answers[row] = best;
  }
  return answers;
}

/** -log of what the true class of each row was given. */
export function logLosses({ rows, classes, values }: Probabilities, truth: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => -Math.log(clip(values[row * classes + truth[row]!]!)));
}

/** Squared distance of a row's probabilities from the truth (Brier 1950): of two classes that of the second, else of all. */
export function brierScores({ rows, classes, values }: Probabilities, truth: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let k = classes === 2 ? 1 : 0; k < classes; k++) {
      sum += (values[row * classes + k]! - (truth[row] === k ? 1 : 0)) ** 2;
    }
    return sum;
  });
}

/** Share of the rows whose true class is among the `k` most probable ones; of equal ones the first count as more so. */
export function topShare({ rows, classes, values }: Probabilities, truth: ArrayLike<number>, k: number): number {
  let right = 0;
  for (let row = 0; row < rows; row++) {
    const own = values[row * classes + truth[row]!]!;
    let better = 0;
    for (let other = 0; other < classes; other++) {
      const value = values[row * classes + other]!;
      better += value > own || (value === own && other < truth[row]!) ? 1 : 0;
    }
    right += better < k ? 1 : 0;
  }
  return right / rows;
}

/** How often answers of about one probability were right. */
export interface CalibrationBin {
  /** Mean of the probabilities in the bin. */
  meanProbability: number;
  /** Share of its rows that were right, or positive. */
  share: number;
  rowCount: number;
}

/** Bins of equal width; empty ones are left out. @param hits 1 where what was promised came true */
export function calibrationBins(promised: ArrayLike<number>, hits: ArrayLike<number>, count: number): CalibrationBin[] {
  const bins = Array.from({ length: count }, () => ({ sum: 0, hits: 0, rowCount: 0 }));
  for (let row = 0; row < promised.length; row++) {
    // A probability on an edge is in the bin below it, as in scikit-learn's `calibration_curve`; 0 is in the first.
    const bin = bins[Math.max(0, Math.ceil(promised[row]! * count) - 1)]!;
    bin.sum += promised[row]!;
    bin.hits += hits[row]!;
    bin.rowCount++;
  }
  return bins
    .filter(({ rowCount }) => rowCount > 0)
    .map(({ sum, hits, rowCount }) => ({ meanProbability: sum / rowCount, share: hits / rowCount, rowCount }));
}

/** Mean distance of promise and truth over the bins, weighted by their rows (Naeini et al. 2015). */
export function calibrationError(bins: readonly CalibrationBin[]): number {
  const rows = bins.reduce((sum, { rowCount }) => sum + rowCount, 0);
  return bins.reduce(
    (sum, { meanProbability, share, rowCount }) => sum + (rowCount / rows) * Math.abs(meanProbability - share),
    0,
  );
}

const temperatureMin = 0.05;
const temperatureMax = 20;
/** Each takes 0.618 of what the one before left. */
const searchSteps = 30;

/** Mean -log p of the true classes, with probabilities proportional to p^(1 / temperature). */
export function temperedLogLoss(probabilities: Probabilities, truth: ArrayLike<number>, temperature: number): number {
  return lossAt(logarithms(probabilities), probabilities, truth, temperature);
}

/**
 * The temperature that these rows ask for (Guo et al. 2017): above 1 the network is too sure of itself. The loss is convex in
 * 1 / temperature; a golden-section search over its logarithm finds the least.
 */
export function bestTemperature(probabilities: Probabilities, truth: ArrayLike<number>): number {
  const logs = logarithms(probabilities);
  const ratio = (Math.sqrt(5) - 1) / 2;
  const at = (logarithm: number) => lossAt(logs, probabilities, truth, Math.exp(logarithm));
  let [low, high] = [Math.log(temperatureMin), Math.log(temperatureMax)];
  let [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [leftLoss, rightLoss] = [at(left), at(right)];
  for (let step = 0; step < searchSteps; step++) {
    if (leftLoss < rightLoss) {
      [high, right, rightLoss] = [right, left, leftLoss];
      left = high - ratio * (high - low);
      leftLoss = at(left);
    } else {
      [low, left, leftLoss] = [left, right, rightLoss];
      right = low + ratio * (high - low);
      rightLoss = at(right);
    }
  }
  return Math.exp((low + high) / 2);
}

/** Relative to the largest of their row. */
function logarithms({ rows, classes, values }: Probabilities): Float64Array {
  const logs = Float64Array.from(values, (probability) => Math.log(clip(probability)));
  for (let begin = 0; begin < rows * classes; begin += classes) {
    const row = logs.subarray(begin, begin + classes);
    const largest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    for (let k = 0; k < classes; k++) {
      row[k]! -= largest;
    }
  }
  return logs;
}

function lossAt(
  logs: Float64Array,
  { rows, classes }: Probabilities,
  truth: ArrayLike<number>,
  temperature: number,
): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const begin = row * classes;
    let total = 0;
    for (let k = begin; k < begin + classes; k++) {
      total += Math.exp(logs[k]! / temperature);
    }
    sum += Math.log(total) - logs[begin + truth[row]!]! / temperature;
  }
  return sum / rows;
}
