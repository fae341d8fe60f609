import { EngineError, type Examples, Network, Trainer } from '../../../native/index.js';
import type { Assignment, SearchSpace } from '../../../services/training/tuning/search-space.js';

/** A dataset as scikit-learn has it. */
export interface Table {
  features: number[][];
  classes: number[];
}

const epochs = 10;
/** Networks whose mean loss counts: that of a single small one depends much on where it begins. */
const seeds = [1, 2, 3];
/** Stands for the loss of a training that diverged: no other comes near. */
const divergedLoss = 100;

/** Depth, width and what a network is trained with. */
export const space: SearchSpace = [
  { name: 'depth', range: { type: 'integer', low: 1, high: 3, step: 1, log: false }, when: [] },
  { name: 'width', range: { type: 'integer', low: 4, high: 128, step: 1, log: true }, when: [] },
  { name: 'activation', range: { type: 'choice', options: ['relu', 'tanh', 'sigmoid'] }, when: [] },
  { name: 'dropout', range: { type: 'uniform', low: 0, high: 0.6 }, when: [] },
  { name: 'optimizer', range: { type: 'choice', options: ['adam', 'sgd'] }, when: [] },
  { name: 'learningRate', range: { type: 'logUniform', low: 1e-4, high: 1e-1 }, when: [] },
  {
    name: 'momentum',
    range: { type: 'uniform', low: 0, high: 0.99 },
    when: [{ parameter: 'optimizer', oneOf: ['sgd'] }],
  },
  { name: 'batchSize', range: { type: 'integer', low: 8, high: 128, step: 1, log: true }, when: [] },
  { name: 'l2', range: { type: 'logUniform', low: 1e-6, high: 1e-1 }, when: [] },
];

/** More would only take longer. */
const rowsMax = 600;

/** Two thirds of a table's first rows to train on, and the others to validate. */
export class Problem {
  readonly #train: Examples;
  readonly #validation: Examples;
  readonly #classCount: number;

  constructor({ features, classes: all }: Table) {
    const classes = all.slice(0, rowsMax);
    const columns = features[0]!.length;
    this.#classCount = Math.max(...classes) + 1;
    const isTraining = (row: number) => (Math.imul(row + 1, 0x9e3779b1) >>> 0) % 3 !== 0;
    const rows = classes.map((_, row) => row);
    const train = rows.filter(isTraining);
    const means = column(columns, (i) => sum(train, (row) => features[row]![i]!) / train.length);
    const deviations = column(columns, (i) =>
      Math.sqrt(sum(train, (row) => (features[row]![i]! - means[i]!) ** 2) / train.length),
    );
    const examples = (chosen: number[]): Examples => ({
      rows: chosen.length,
      features: [
        {
          ...{ type: 'float32', columns },
          data: Float32Array.from(
            chosen.flatMap((row) => features[row]!.map((value, i) => (value - means[i]!) / (deviations[i]! || 1))),
          ),
        },
      ],
      targets: Int32Array.from(chosen, (row) => classes[row]!),
    });
    this.#train = examples(train);
    this.#validation = examples(rows.filter((row) => !isTraining(row)));
  }

  /** The validation loss after each epoch: the same for the same values. */
  async *losses(values: Assignment): AsyncGenerator<number, void> {
    const { depth, width, activation, dropout, optimizer, learningRate, momentum, batchSize, l2 } = values as {
      [name: string]: number;
    } & { activation: 'relu'; optimizer: string };
    const hidden = Array.from({ length: depth! }, () => [
      { type: 'dense' as const, units: width!, activation },
      { type: 'dropout' as const, rate: dropout! },
    ]).flat();
    const last = { type: 'dense' as const, units: this.#classCount, activation: 'softmax' as const };
    const spec = { inputs: this.#train.features[0]!.columns, layers: [...hidden, last] };
    const trainings = seeds.map((seed) => {
      const network = Network.create(spec, seed);
      const trainer = new Trainer(network, {
        loss: 'categoricalCrossEntropy',
        optimizer:
          optimizer === 'adam'
            ? { type: 'adam', learningRate: learningRate! }
            : { type: 'sgd', learningRate: learningRate!, momentum: momentum! },
        regularization: { l2: l2! },
        batchSize: batchSize!,
        seed,
        threads: 1,
      });
      return { network, trainer };
    });
    try {
      for (let epoch = 1; epoch <= epochs; epoch++) {
        let total = 0;
        for (const { trainer } of trainings) {
          await trainer.trainEpoch(this.#train, { epoch, progressIntervalMs: 0, onProgress: null, signal: null });
          total += (await trainer.evaluate(this.#validation)).loss;
        }
        yield total / seeds.length;
      }
    } catch (error) {
      if (!(error instanceof EngineError && error.code === 'DIVERGED')) {
        throw error;
      }
      yield divergedLoss;
    } finally {
      for (const { network, trainer } of trainings) {
        trainer.dispose();
        network.dispose();
      }
    }
  }
}

function column(length: number, value: (i: number) => number): number[] {
  return Array.from({ length }, (_, i) => value(i));
}

function sum(rows: number[], value: (row: number) => number): number {
  return rows.reduce((total, row) => total + value(row), 0);
}
