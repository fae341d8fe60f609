import { figuresOf } from './class-counts.js';
import { type FigureTable, once } from './figure-table.js';
import { areasUnder, rankRows } from './ranking.js';
import { meanOf } from './row-figures.js';

/** A label is answered from this probability on. */
const threshold = 0.5;

/** Of one label, or of all. */
interface Tally {
  /** Rows that have the label and are answered with it. */
  right: number;
  answered: number;
  actual: number;
}

/** What there is to know of the answers to rows of several labels; each part is worked out when it is asked for. */
export class LabelSetMeasures {
  readonly rows: number;
  /** One a label, with 1 or 0 a row. */
  readonly #columns: { scores: Float32Array; isTrue: Uint8Array; isAnswered: Uint8Array }[];
  readonly #rankings;
  readonly #wrongLabels;

  /** @param probabilities row-major [rows, labels] @param truth 1 or 0, row-major [rows, labels] */
  constructor(
    probabilities: Float32Array,
    truth: ArrayLike<number>,
    private readonly labels: number,
  ) {
    this.rows = truth.length / labels;
    const length = this.rows;
    this.#columns = Array.from({ length: labels }, (_column, k) => {
      const scores = Float32Array.from({ length }, (_, row) => probabilities[row * labels + k]!);
      const isTrue = Uint8Array.from({ length }, (_, row) => truth[row * labels + k]!);
      return { scores, isTrue, isAnswered: Uint8Array.from(scores, (score) => (score >= threshold ? 1 : 0)) };
    });
    this.#rankings = once(() => this.#columns.map(({ scores }) => rankRows(scores)));
    this.#wrongLabels = once(() =>
      Uint32Array.from({ length }, (_, row) =>
        this.#columns.reduce((sum, { isTrue, isAnswered }) => sum + (isTrue[row] === isAnswered[row] ? 0 : 1), 0),
      ),
    );
  }

  /** @param weights how often each row counts; null: once */
  talliesOf(weights: Uint16Array | null): Tally[] {
    return this.#columns.map(({ isTrue, isAnswered }) => {
      const tally = { right: 0, answered: 0, actual: 0 };
      for (let row = 0; row < this.rows; row++) {
        const weight = weights === null ? 1 : weights[row]!;
        tally.actual += weight * isTrue[row]!;
        tally.answered += weight * isAnswered[row]!;
        tally.right += weight * (isTrue[row]! & isAnswered[row]!);
      }
      return tally;
    });
  }

  /** One a label. @param weights how often each row counts; null: once */
  areasOf(weights: Uint16Array | null) {
    return this.#rankings().map((ranking, k) => areasUnder(ranking, this.#columns[k]!.isTrue, weights));
  }

  /** Figures of a sample, from how often it has each row; null: of all rows once. */
  sample(weights: Uint16Array | null): FigureTable {
    const tallies = once(() => this.talliesOf(weights));
    const areas = once(() => this.areasOf(weights));
    const sum = (key: keyof Tally) => tallies().reduce((total, tally) => total + tally[key], 0);
    const micro = once(() => figuresOf(sum('right'), sum('answered'), sum('actual')));
    const mistakes = once(() => this.#mistakesOf(weights));
    return {
      subset_accuracy: () => mistakes().exact / mistakes().rows,
      hamming_loss: () => mistakes().wrong / (mistakes().rows * this.labels),
      micro_precision: () => micro().precision,
      micro_recall: () => micro().recall,
      micro_f1: () => micro().f1,
      macro_f1: () => meanOf(tallies().map(({ right, answered, actual }) => figuresOf(right, answered, actual).f1)),
      roc_auc: () => meanOf(areas().map(({ roc }) => roc)),
      average_precision: () => meanOf(areas().map(({ averagePrecision }) => averagePrecision)),
    };
  }

  #mistakesOf(weights: Uint16Array | null) {
    const wrongLabels = this.#wrongLabels();
    let [wrong, exact, rows] = [0, 0, 0];
    for (let row = 0; row < this.rows; row++) {
      const weight = weights === null ? 1 : weights[row]!;
      rows += weight;
      wrong += weight * wrongLabels[row]!;
      exact += wrongLabels[row] === 0 ? weight : 0;
    }
    return { wrong, exact, rows };
  }
}
