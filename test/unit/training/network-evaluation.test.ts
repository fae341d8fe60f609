import { describe, expect, it } from 'vitest';
import { Network } from '../../../native/index.js';
import type { EpochMetrics } from '../../../services/training/job.js';
import type { JobExamples } from '../../../services/training/job-examples.js';
import { figureNames } from '../../../services/training/report/figure-names.js';
import { findingsOf } from '../../../services/training/report/findings.js';
import { evaluateNetwork, measureFigures } from '../../../services/training/report/network-evaluation.js';

const never = new AbortController().signal;

/** One column whose bytes become (byte / 255). */
function bytes(values: number[], targets: number[]): JobExamples {
  const block = { type: 'uint8' as const, columns: 1, data: Uint8Array.from(values), scale: 1 / 255, offset: 0 };
  return { rows: values.length, features: [block], targets: Float32Array.from(targets) };
}

const oneUnit = (activation: 'linear' | 'sigmoid') =>
  Network.create({ inputs: 1, layers: [{ type: 'dense', units: 1, activation }] }, 1);

describe('evaluateNetwork', () => {
  it('tells numbers in the units of the label', async () => {
    const network = oneUnit('linear');
    const [answer] = network.predict(Float32Array.of(1), 1);
    const task = {
      labelKind: 'number' as const,
      pipeline: { classes: [], labelUnits: [{ scale: 100, offset: 7 }] },
      seed: 1,
    };
    // Answers are 0 and `answer`; the truths are one label unit above.
    const test = bytes([0, 255], [0.01, answer! + 0.01]);
    const evaluation = await evaluateNetwork(network, task, test, null, never);
    expect(evaluation).toMatchObject({ kind: 'number', rowCount: 2 });
    expect(evaluation.figures.mae).toBeCloseTo(1, 4);
    const truths = evaluation.kind === 'number' ? evaluation.worstErrors.map(({ truth }) => Math.round(truth)) : [];
    expect(truths.toSorted()).toEqual([8, Math.round(answer! * 100 + 8)].toSorted());
    network.dispose();
  });

  it('reads one output as the probability of the second class, and finds the temperature on validation rows', async () => {
    const network = oneUnit('sigmoid');
    const [ofTwoHundred] = network.predict(Float32Array.of(Math.fround(200 * Math.fround(1 / 255))), 1);
    const task = { labelKind: 'binary' as const, pipeline: { classes: ['no', 'yes'], labelUnits: null }, seed: 1 };
    const test = bytes([0, 200, 0, 200], [0, 1, 1, 1]);
    const evaluation = await evaluateNetwork(network, task, test, test, never);
    const answered = ofTwoHundred! > 0.5 ? 'yes' : 'no';
    expect(evaluation).toMatchObject({
      kind: 'classes',
      confusion:
        answered === 'yes'
          ? [
              [1, 0],
              [1, 2],
            ]
          : [
              [1, 0],
              [3, 0],
            ],
    });
    const classes = evaluation.kind === 'classes' ? evaluation.classes : [];
    expect(classes.map(({ name, rowCount }) => [name, rowCount])).toEqual([
      ['no', 1],
      ['yes', 3],
    ]);
    expect(evaluation).toHaveProperty('temperature.value');
    expect(await evaluateNetwork(network, task, test, null, never)).toMatchObject({ temperature: null });
    network.dispose();
  });
});

it.each([
  ['classes', 'classes', 6, [0, 1, 2, 1]],
  ['binary', 'classes', 1, [0, 1, 1, 0]],
  ['number', 'number', 1, [1, 2, 3, 4]],
  ['numbers', 'numbers', 2, [1, 2, 3, 4, 5, 6, 7, 8]],
  ['labels', 'labels', 2, [0, 1, 1, 0, 1, 1, 0, 0]],
] as const)('measures what may be asked of a label of %s', async (labelKind, kind, units, targets) => {
  const activation = labelKind === 'classes' ? 'softmax' : 'sigmoid';
  const network = Network.create({ inputs: 1, layers: [{ type: 'dense', units, activation }] }, 1);
  const names = labelKind === 'binary' ? ['no', 'yes'] : ['a', 'b', 'c', 'd', 'e', 'f'].slice(0, units);
  const task = { labelKind, pipeline: { classes: names, numbers: names, labelUnits: null }, seed: 1 };
  const evaluation = await evaluateNetwork(network, task, bytes([0, 1, 2, 3], [...targets]), null, never);
  expect(evaluation.kind).toBe(kind);
  // Loss and accuracy are also told by the engine.
  const named = figureNames[labelKind].filter((name) => name !== 'loss' && !(name === 'accuracy' && kind === 'labels'));
  expect(Object.keys(evaluation.figures).toSorted()).toEqual(named.toSorted());
  // What is measured in an epoch is measured as in the report.
  expect(await measureFigures(network, task, bytes([0, 1, 2, 3], [...targets]), named, never)).toEqual(
    evaluation.figures,
  );
  network.dispose();
});

describe('findingsOf', () => {
  const epochs = (losses: number[], validation: (number | null)[]): EpochMetrics[] =>
    losses.map((loss, i) => ({
      ...{ epoch: i + 1, epochs: losses.length, loss, accuracy: null, validationLoss: validation[i] ?? null },
      ...{ validationAccuracy: null, seconds: 1, examplesPerSecond: 1, remainingSeconds: 0, learningRate: 0.1 },
      ...{ gradientNorm: 1, weightNorm: 1, steps: 1 },
    }));
  const good = { figure: 'accuracy', value: 0.9, constant: 0.1 };
  const kinds = (...args: Parameters<typeof findingsOf>) => findingsOf(...args).map(({ kind }) => kind);

  it.each([
    ['rising validation loss', epochs([1, 0.5, 0.2, 0.1], [1, 0.6, 0.7, 0.9]), good, ['overfitting']],
    ['held-out rows far behind', epochs([1, 0.5, 0.2, 0.2], [1, 0.8, 0.7, 0.7]), good, ['overfitting']],
    ['a loss that goes on falling', epochs([1, 0.8, 0.6, 0.5], [1, 0.9, 0.8, 0.7]), good, ['unfinished']],
    ['a loss that jumps', epochs([1, 2, 1, 2], []), good, ['unstable']],
    ['nothing learned', epochs([1, 1, 1, 1], [1, 1, 1, 1]), { ...good, value: 0.11 }, ['underfitting']],
    ['a good course', epochs([1, 0.4, 0.31, 0.31], [1, 0.5, 0.4, 0.4]), good, ['fits']],
    ['one epoch', epochs([1], [null]), null, ['fits']],
    ['no epoch', [], null, []],
  ])('names %s', (_, course, baseline, expected) => {
    expect(kinds(course, baseline)).toEqual(expected);
  });

  it('names the epoch to stop at', () => {
    const [finding] = findingsOf(epochs([1, 0.5, 0.2, 0.1], [1, 0.6, 0.7, 0.9]), good);
    expect(finding!.text).toContain('least after epoch 2 (0.6)');
    expect(finding!.advice[0]).toContain('epoch 2');
  });
});
