import { describe, expect, test } from 'vitest';
import { EngineError, type Examples, type Loss, Network, type Trainer } from '../../native/index.js';
import { epochOptions, floatBlock, networkWith, noise, specOf, trainerOf } from './build-network.js';

const linear = specOf(4, '3 linear');
const softmax = specOf(4, '3 softmax');
const sigmoid = specOf(4, '3 sigmoid');

describe('a trainer refuses', () => {
  test.each<[string, ReturnType<typeof specOf>, unknown, string, string]>([
    ['an unknown loss', linear, 'regret', 'loss', 'one of meanSquaredError, '],
    ['an unknown type', linear, { type: 'regret' }, 'loss.type', 'one of meanSquaredError, '],
    ['no type', linear, {}, 'loss.type', 'received undefined'],
    ['a number', linear, 3, 'loss', 'name of a loss'],
    ['null', linear, null, 'loss', 'received null'],
    ['a delta of 0', linear, { type: 'huber', delta: 0 }, 'loss.delta', 'positive'],
    ['a delta of NaN', linear, { type: 'huber', delta: Number.NaN }, 'loss.delta', 'finite number'],
    ['a delta of null', linear, { type: 'huber', delta: null }, 'loss.delta', 'received null'],
    ['a delta that no loss takes', linear, { type: 'logCosh', delta: 1 }, 'loss.delta', 'for huber only'],
    ['a smoothing of 1', softmax, { type: 'categoricalCrossEntropy', labelSmoothing: 1 }, 'loss.labelSmoothing', '1.0'],
    ['a negative smoothing', sigmoid, { type: 'binaryCrossEntropy', labelSmoothing: -1 }, 'loss.labelSmoothing', '-1'],
    ['smoothed numbers', linear, { type: 'huber', labelSmoothing: 0.1 }, 'loss.labelSmoothing', 'for huber'],
    [
      'two weights for three classes',
      softmax,
      { type: 'categoricalCrossEntropy', classWeights: [1, 2] },
      'loss.classWeights',
      'to have 3 numbers but received 2',
    ],
    [
      'a negative class weight',
      softmax,
      { type: 'categoricalCrossEntropy', classWeights: [1, -2, 1] },
      'loss.classWeights[1]',
      '-2',
    ],
    [
      'an infinite class weight',
      softmax,
      { type: 'categoricalCrossEntropy', classWeights: [1, 2, 1e39] },
      'loss.classWeights[2]',
      'inf',
    ],
    [
      'a class weight of text',
      softmax,
      { type: 'categoricalCrossEntropy', classWeights: [1, '2', 1] },
      'loss.classWeights[1]',
      'received "2"',
    ],
    [
      'no class weights',
      softmax,
      { type: 'categoricalCrossEntropy', classWeights: [] },
      'loss.classWeights',
      'a number a class',
    ],
    [
      'class weights as an object',
      softmax,
      { type: 'categoricalCrossEntropy', classWeights: {} },
      'loss.classWeights',
      'an array',
    ],
    ['class weights of numbers', linear, { type: 'huber', classWeights: [1, 1, 1] }, 'loss.classWeights', 'for huber'],
    [
      'class weights of many answers',
      sigmoid,
      { type: 'binaryCrossEntropy', classWeights: [1, 1] },
      'loss.classWeights',
      'binaryCrossEntropy of 1 output',
    ],
    ['classes of linear outputs', linear, 'categoricalCrossEntropy', 'loss', 'softmax or logSoftmax'],
    ['one class', specOf(4, '1 softmax'), 'categoricalCrossEntropy', 'loss', 'at least 2 units'],
    ['binary answers of linear outputs', linear, 'binaryCrossEntropy', 'loss', 'sigmoid'],
    ['the logarithm of linear outputs', linear, 'poisson', 'loss', 'never negative'],
    ['a divergence of linear outputs', linear, 'kullbackLeibler', 'loss', 'never negative'],
    ['a hinge of one side', sigmoid, 'hinge', 'loss', 'both signs'],
  ])('%s', (_, spec, loss, field, message) => {
    const network = Network.create(spec, 1);
    const make = () => trainerOf(network, { loss: loss as Loss });
    expect(make).toThrow(EngineError);
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
    expect(make).toThrow(message);
  });
});

function batch(targets: Examples['targets'], weights?: Float32Array): Examples {
  return { rows: 2, features: floatBlock(4, noise(8)), targets, ...(weights !== undefined && { weights }) };
}

describe('targets and weights are refused with their place:', () => {
  const classes = Int32Array.of(0, 2);
  test.each<[string, Loss, ReturnType<typeof specOf>, Examples, string]>([
    ['a class past the last', 'categoricalCrossEntropy', softmax, batch(Int32Array.of(0, 3)), 'in row 1.'],
    [
      'probabilities that add up to 0.9',
      'categoricalCrossEntropy',
      softmax,
      batch(Float32Array.of(1, 0, 0, 0.5, 0.4, 0)),
      'sum of 0.900000 in row 1',
    ],
    [
      'a probability of -1',
      'categoricalCrossEntropy',
      softmax,
      batch(Float32Array.of(1, 0, 0, 2, -1, 0)),
      'received 2.000000 in row 1, column 0',
    ],
    [
      'neither classes nor probabilities',
      'categoricalCrossEntropy',
      softmax,
      batch(new Float32Array(2)),
      'Int32Array of 2 elements or a Float32Array of 6',
    ],
    [
      'a distribution that adds up to 2',
      'kullbackLeibler',
      softmax,
      batch(Float32Array.of(1, 1, 0, 1, 0, 0)),
      'sum of 2.000000 in row 0',
    ],
    [
      'a binary target of 2',
      'binaryCrossEntropy',
      sigmoid,
      batch(Float32Array.of(0, 0, 0, 1, 0, 2)),
      'row 1, column 2',
    ],
    [
      'a side of 2',
      'hinge',
      linear,
      batch(Float32Array.of(1, -1, 0, 1, 0, 2)),
      '-1 or 1 (or 0 or 1) for hinge but received 2.000000 in row 1, column 2',
    ],
    ['a negative count', 'poisson', sigmoid, batch(Float32Array.of(1, 1, 0, -1, 0, 2)), 'row 1, column 0'],
    ['NaN', 'logCosh', linear, batch(Float32Array.of(1, 1, Number.NaN, -1, 0, 2)), 'row 0, column 2'],
    ['classes where numbers are wanted', 'meanSquaredError', linear, batch(classes), 'Float32Array of 6'],
    [
      'a negative weight',
      'categoricalCrossEntropy',
      softmax,
      batch(classes, Float32Array.of(1, -1)),
      '-1.000000 in row 1',
    ],
    [
      'an infinite weight',
      'categoricalCrossEntropy',
      softmax,
      batch(classes, Float32Array.of(Number.POSITIVE_INFINITY, 1)),
      'in row 0',
    ],
    ['too few weights', 'categoricalCrossEntropy', softmax, batch(classes, Float32Array.of(1)), 'Float32Array of 2'],
    [
      'weights of another type',
      'categoricalCrossEntropy',
      softmax,
      batch(classes, new Float64Array(2) as never),
      'Float32Array of 2',
    ],
    ['weights of null', 'categoricalCrossEntropy', softmax, batch(classes, null as never), 'Float32Array of 2'],
  ])('%s', async (_, loss, spec, examples, message) => {
    const network = Network.create(spec, 1);
    const trainer = trainerOf(network, { loss });
    for (const call of [
      () => trainer.evaluate(examples),
      () => trainer.gradients(examples),
      () => trainer.trainEpoch(examples, epochOptions()),
    ]) {
      const refused = call();
      await expect(refused).rejects.toThrow(EngineError);
      await expect(refused).rejects.toThrow(message);
    }
    expect(trainer.step).toBe(0);
  });

  test('weights that are checked again when only they change', async () => {
    const trainer = trainerOf(Network.create(softmax, 1));
    const good = batch(classes, Float32Array.of(1, 2));
    await trainer.trainEpoch(good, epochOptions());
    const bad = trainer.trainEpoch({ ...good, weights: Float32Array.of(1, -2) }, epochOptions(1));
    await expect(bad).rejects.toMatchObject({ field: 'weights' });
  });
});

/** Answers with its inputs: what a loss makes of chosen outputs or logits. */
function identity(columns: number, activation: string): Network {
  const kernel = Array.from({ length: columns ** 2 }, (_, index) => (index % (columns + 1) === 0 ? 1 : 0));
  return networkWith(specOf(columns, `${columns} ${activation}`), [kernel, new Array<number>(columns).fill(0)]);
}

const evaluated = async (
  trainer: Trainer,
  columns: number,
  features: number[],
  targets: Examples['targets'],
  weights?: number[],
) =>
  trainer.evaluate({
    rows: features.length / columns,
    features: floatBlock(columns, Float32Array.from(features)),
    targets,
    ...(weights && { weights: Float32Array.from(weights) }),
  });

describe('evaluate', () => {
  test('divides the weighted sum by the rows and counts right answers without weights', async () => {
    const trainer = trainerOf(identity(2, 'softmax'), { loss: 'categoricalCrossEntropy' });
    const features = [2, 0, 0, 1, 3, 0];
    const result = await evaluated(trainer, 2, features, Int32Array.of(0, 0, 1), [0.5, 2, 0]);
    const [first, second] = [Math.log1p(Math.exp(-2)), Math.log1p(Math.exp(1))];
    expect(result.loss).toBeCloseTo((0.5 * first + 2 * second) / 3, 6);
    expect(result.accuracy).toBe(1 / 3);
    expect([...result.confusion!]).toEqual([1, 1, 1, 0]);
  });

  test('counts the same of classes and of probabilities', async () => {
    const trainer = trainerOf(identity(3, 'softmax'), { loss: 'categoricalCrossEntropy' });
    const features = [...noise(60)];
    const classes = Int32Array.from({ length: 20 }, (_, row) => (row * 7) % 3);
    const oneHot = Float32Array.from({ length: 60 }, (_, at) => (at % 3 === classes[Math.floor(at / 3)] ? 1 : 0));
    const [sparse, dense] = [
      await evaluated(trainer, 3, features, classes),
      await evaluated(trainer, 3, features, oneHot),
    ];
    expect(dense).toEqual({ ...sparse, loss: expect.closeTo(sparse.loss, 6) });
    expect(sparse.confusion!.reduce((sum, count) => sum + count, 0)).toBe(20);
  });

  test('takes 0 for -1 with hinge, and counts sides', async () => {
    const trainer = trainerOf(identity(2, 'linear'), { loss: 'hinge' });
    const outputs = [0.5, -3, 2, 0.25];
    const expected = (0.5 + 0 + 3 + 0.75) / 4;
    for (const wrong of [-1, 0]) {
      const result = await evaluated(trainer, 2, outputs, Float32Array.of(1, wrong, wrong, 1));
      expect(result).toEqual({ loss: expected, accuracy: 3 / 4, confusion: null });
    }
  });

  test.each(['meanSquaredError', 'meanAbsoluteError', 'huber', 'logCosh'] as const)(
    'knows no accuracy of %s',
    async (loss) => {
      const result = await evaluated(trainerOf(identity(2, 'linear'), { loss }), 2, [1, 2], Float32Array.of(1, 2));
      expect(result).toMatchObject({ loss: 0, accuracy: null, confusion: null });
    },
  );

  test('stays finite for logits and errors as large as they come', async () => {
    const huge = 1e4;
    const binary = trainerOf(identity(2, 'sigmoid'), { loss: 'binaryCrossEntropy' });
    expect((await evaluated(binary, 2, [huge, -huge], Float32Array.of(0, 0))).loss).toBe(huge / 2);
    const categorical = trainerOf(identity(2, 'softmax'), { loss: 'categoricalCrossEntropy' });
    expect((await evaluated(categorical, 2, [huge, -huge], Int32Array.of(1))).loss).toBe(2 * huge);
    const cosh = trainerOf(identity(2, 'linear'), { loss: 'logCosh' });
    expect((await evaluated(cosh, 2, [huge, -huge], new Float32Array(2))).loss).toBeCloseTo(huge - Math.LN2, 9);
  });

  test.each(['meanSquaredError', 'meanAbsoluteError', 'huber', 'logCosh', 'hinge'] as const)(
    'never hides an overflow from %s',
    async (loss) => {
      // 3e38 + 3e38 is infinite, and infinity times 0 is no number.
      const network = networkWith(specOf(2, '2 linear', '1 linear'), [[1, 1, 1, 1], [0, 0], [1, -1], [0]]);
      const trainer = trainerOf(network, { loss });
      const result = await evaluated(trainer, 2, [3e38, 3e38], Float32Array.of(1));
      expect(result.loss).toBeNaN();
    },
  );
});

describe('weights', () => {
  const examples = { rows: 50, features: floatBlock(4, noise(200)) };
  const labels = new Int32Array(50).map((_, row) => (row * 5) % 3);
  const gradientsOf = (loss: Loss, weights?: Float32Array) =>
    trainerOf(Network.create(softmax, 3), { loss }).gradients({
      ...examples,
      targets: labels,
      ...(weights && { weights }),
    });

  test('of classes are the weights of their rows', async () => {
    const classWeights = [0.5, 2, 3];
    const byClass = await gradientsOf({ type: 'categoricalCrossEntropy', classWeights });
    const byRow = await gradientsOf(
      'categoricalCrossEntropy',
      Float32Array.from(labels, (label) => classWeights[label]!),
    );
    expect(byClass).toEqual(byRow);
  });

  test('of 1 change no bit', async () => {
    expect(await gradientsOf('categoricalCrossEntropy', new Float32Array(50).fill(1))).toEqual(
      await gradientsOf('categoricalCrossEntropy'),
    );
  });

  test('of 0 leave the network as it is', async () => {
    const network = Network.create(softmax, 3);
    const before = network.toSafetensors({});
    const trainer = trainerOf(network, { optimizer: { type: 'gradientDescent', learningRate: 1 } });
    const result = await trainer.trainEpoch(
      { ...examples, targets: labels, weights: new Float32Array(50) },
      epochOptions(),
    );
    expect(result.loss).toBe(0);
    expect(network.toSafetensors({})).toEqual(before);
  });

  test('go with their rows through the shuffle', async () => {
    // Only the rows that say class 2 count: the network must learn to say so of every row.
    const network = Network.create(softmax, 3);
    const trainer = trainerOf(network, { optimizer: { type: 'gradientDescent', learningRate: 1 }, batchSize: 7 });
    const weights = Float32Array.from(labels, (label) => (label === 2 ? 1 : 0));
    const data = { ...examples, targets: labels, weights };
    for (let epoch = 0; epoch < 20; epoch += 1) await trainer.trainEpoch(data, epochOptions(epoch));
    const { confusion } = await trainer.evaluate(data);
    expect([...confusion!].filter((_, at) => at % 3 !== 2)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
