import type { EpochMetrics } from '../job.js';

/** What the course of a training shows, in words. */
export interface Finding {
  kind: 'overfitting' | 'underfitting' | 'unfinished' | 'unstable' | 'fits';
  /** What was seen, with the figures that show it. */
  text: string;
  /** What to try, the most promising first. */
  advice: string[];
}

/** What is reached without learning anything: the most frequent class, or the mean. */
export interface Baseline {
  /** `accuracy` or `R2`. */
  figure: string;
  /** Of the network on test rows. */
  value: number;
  /** Of who always gives one answer. */
  constant: number;
}

/** A loss on held-out rows that has risen by so much over its least value. */
const riseMin = 0.05;
/** Held-out rows that lose so many times what the training rows do. */
const gapMin = 2;
/** How far above the constant answer a network must come, as a share of what it could win. */
const winMin = 0.1;
/** A loss that still falls by so much an epoch. */
const fallMin = 0.01;
const lastEpochs = 3;
/** Epochs in which the training loss rose by so much. */
const jumpMin = 0.1;
const jumpShare = 0.2;

/** Reads the learning curves. Over- and underfitting can both be there: each has its line. */
export function findingsOf(epochs: readonly EpochMetrics[], baseline: Baseline | null): Finding[] {
  const findings = [overfitting(epochs), underfitting(baseline), unstable(epochs), unfinished(epochs)];
  const found = findings.filter((finding) => finding !== null);
  return found.length > 0 || epochs.length === 0
    ? found
    : [{ kind: 'fits', text: 'The curves show neither overfitting nor underfitting.', advice: [] }];
}

function overfitting(epochs: readonly EpochMetrics[]): Finding | null {
  const held = epochs.flatMap(({ epoch, validationLoss }) =>
    validationLoss === null ? [] : [{ epoch, validationLoss }],
  );
  const last = held.at(-1);
  const own = epochs.at(-1);
  if (!last || !own) {
    return null;
  }
  const least = held.reduce((best, other) => (other.validationLoss < best.validationLoss ? other : best));
  const advice = [
    `Stop earlier: after epoch ${least.epoch}, or by a stopping rule with a patience of a few epochs.`,
    'Regularise: a layer of dropout, L2 or weight decay.',
    'Give it more rows, or augment those that there are.',
    'Take a smaller network.',
  ];
  if (last.validationLoss > least.validationLoss * (1 + riseMin)) {
    const text =
      `Overfitting: the loss on validation rows was least after epoch ${least.epoch} (${shown(least.validationLoss)}) and has ` +
      `risen to ${shown(last.validationLoss)}, while that on the training rows is ${shown(own.loss)}. The network learns its rows by heart.`;
    return { kind: 'overfitting', text, advice };
  }
  if (last.validationLoss > own.loss * gapMin) {
    const text =
      `Overfitting: validation rows lose ${shown(last.validationLoss)}, ${shown(last.validationLoss / own.loss)} times what the ` +
      `training rows do (${shown(own.loss)}), though more epochs have not made it worse.`;
    return { kind: 'overfitting', text, advice: advice.slice(1) };
  }
  return null;
}

function underfitting(baseline: Baseline | null): Finding | null {
  if (!baseline) {
    return null;
  }
  const { figure, value, constant } = baseline;
  if (value >= constant + winMin * (1 - constant)) {
    return null;
  }
  return {
    kind: 'underfitting',
    text:
      `Underfitting: on test rows the network reaches ${figure} ${shown(value)}; the same answer for every row reaches ` +
      `${shown(constant)}. It has learned little or nothing.`,
    advice: [
      'See that the columns tell something about the label, and that numbers are scaled (`standardise`).',
      'Train longer, or with another learning rate, ten times larger or smaller.',
      'Take a larger network: more units, one more layer.',
      'Take regularisation and dropout away.',
    ],
  };
}

function unfinished(epochs: readonly EpochMetrics[]): Finding | null {
  const tail = epochs.slice(-lastEpochs - 1).map(({ loss, validationLoss }) => validationLoss ?? loss);
  const falls = tail.slice(1).every((loss, i) => tail[i]! > 0 && loss < tail[i]! * (1 - fallMin));
  if (tail.length <= lastEpochs || !falls) {
    return null;
  }
  const text = `Unfinished: in each of the last ${lastEpochs} epochs the loss fell by more than 1 %, from ${shown(tail[0]!)} to ${shown(tail.at(-1)!)}.`;
  return { kind: 'unfinished', text, advice: ['Train for more epochs.', 'Take a larger learning rate.'] };
}

function unstable(epochs: readonly EpochMetrics[]): Finding | null {
  const jumps = epochs.slice(1).filter(({ loss }, i) => loss > epochs[i]!.loss * (1 + jumpMin)).length;
  if (epochs.length < lastEpochs || jumps <= jumpShare * (epochs.length - 1)) {
    return null;
  }
  const text = `Unstable: in ${jumps} of ${epochs.length - 1} epochs the loss on the training rows rose by more than 10 %.`;
  return {
    kind: 'unstable',
    text,
    advice: [
      'Take a smaller learning rate, or a schedule with a warm-up.',
      'Take larger batches.',
      'Clip the gradient.',
    ],
  };
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}
