import { type CrossValidationScore, type FoldScore, summarise } from '../folds.js';

/** What the folds come to at one size. */
export interface LearningCurvePoint {
  /** Share of the rows without a fold. */
  trainSize: number;
  /** Where folds differ by one, of the first. */
  trainRowCount: number;
  /** On the rows that were trained on. */
  train: FoldsScore;
  /** On the folds. */
  held: FoldsScore;
}

type FoldsScore = CrossValidationScore & { folds: number };

/** Scores by the number of training rows, and in words whether more of them would help. */
export interface LearningCurveScore {
  /** The smallest size first. */
  points: LearningCurvePoint[];
  text: string;
  /** What to try, the most promising first. */
  advice: string[];
}

/** Of the figures that there are, the first is looked at. */
const figures = [
  { name: 'accuracy', isSmallerBetter: false },
  { name: 'rmse', isSmallerBetter: true },
  { name: 'loss', isSmallerBetter: true },
];
/** A gain from the last size but one that is more than chance: so many standard errors of the mean over the folds. */
const errorsMin = 1;
/** And so much of what is left to win: of the distance to 1, or of the error. */
const gainMin = 0.03;
/** Rows that were trained on do better than others by so much of what is left to win. */
const gapMin = 0.2;

/** @param scores of a job's parts; null: there is no learning curve among them */
export function learningCurveOf(scores: readonly FoldScore[]): LearningCurveScore | null {
  const sizes = [...new Set(scores.flatMap(({ trainSize }) => trainSize ?? []))];
  const points = sizes.map((trainSize) => {
    const own = scores.filter((score) => score.trainSize === trainSize);
    const folds = own.length;
    return {
      trainSize,
      trainRowCount: own[0]!.trainRowCount!,
      train: { folds, ...summarise(own.map((score) => ({ ...score, metrics: score.trainMetrics! }))) },
      held: { folds, ...summarise(own) },
    };
  });
  return points.length === 0 ? null : { points, ...verdict(points) };
}

function verdict(points: readonly LearningCurvePoint[]): { text: string; advice: string[] } {
  const [before, last] = points.slice(-2) as [LearningCurvePoint, LearningCurvePoint];
  const { name, isSmallerBetter } = figures.find((figure) => points.every(({ held }) => figure.name in held.mean))!;
  const held = last.held.mean[name]!;
  const earlier = before.held.mean[name]!;
  const seen = last.train.mean[name]!;
  const better = (one: number, other: number) => (isSmallerBetter ? other - one : one - other);
  const left = isSmallerBetter ? Math.abs(held) : 1 - held;
  const error = last.held.deviation[name]! / Math.sqrt(last.held.folds);
  const gain = better(held, earlier);
  const rows = `from ${count(before.trainRowCount)} to ${count(last.trainRowCount)} training rows`;
  const course = `the ${name} of other rows went from ${shown(earlier)} to ${shown(held)} (± ${shown(error)})`;
  const hardly = gain > 0 ? 'which is hardly better' : 'which is no better';
  const own = `rows that were trained on reach ${shown(seen)}`;
  if (gain > errorsMin * error && gain > gainMin * left) {
    return {
      text: `More rows would help: ${rows} ${course}, and the curve has not levelled off; ${own}.`,
      advice: ['Collect or label more rows.', 'Augment those that there are.'],
    };
  }
  if (better(seen, held) > gapMin * left && better(seen, held) > 2 * error) {
    return {
      text: `More rows of this kind would help little: ${rows} ${course}, ${hardly}. But ${own}: the network overfits.`,
      advice: ['Regularise: a layer of dropout, L2 or weight decay.', 'Take a smaller network.', 'Stop earlier.'],
    };
  }
  return {
    text: `More rows would not help: ${rows} ${course}, ${hardly}, and ${own}, hardly better either.`,
    advice: [
      'Give it columns that tell more about the label, or prepare them otherwise.',
      'Take a larger network, or train longer.',
      'If this is what the labels allow, fewer rows will do.',
    ],
  };
}

const shown = (value: number) => String(Number(value.toPrecision(3)));
const count = (value: number) => value.toLocaleString('en-US');
