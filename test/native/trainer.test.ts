import { describe, expect, test } from 'vitest';
import {
  EngineError,
  type EpochProgress,
  type Examples,
  type FeatureBlock,
  Network,
  Trainer,
  type TrainerOptions,
} from '../../native/index.js';
import {
  adam,
  digestOf,
  epochOptions,
  examplesOf,
  floatBlock,
  networkWith,
  noise,
  specOf,
  trainerOf,
} from './build-network.js';

const spec = specOf(4, '8 relu', '3 softmax');

function expectRefusal(call: () => unknown, expected: Partial<EngineError>): void {
  expect(call).toThrow(EngineError);
  expect(call).toThrow(expect.objectContaining(expected));
}

describe('new Trainer', () => {
  const network = Network.create(spec, 1);

  test.each<[string, Partial<TrainerOptions>, string]>([
    ['a learning rate of 0', { optimizer: { ...adam, learningRate: 0 } }, 'optimizer.learningRate'],
    ['a learning rate of NaN', { optimizer: { ...adam, learningRate: Number.NaN } }, 'optimizer.learningRate'],
    ['a beta of 1', { optimizer: { ...adam, beta2: 1 } as never }, 'optimizer.beta2'],
    ['a negative epsilon', { optimizer: { ...adam, epsilon: -1 } as never }, 'optimizer.epsilon'],
    [
      'a momentum of 1',
      { optimizer: { type: 'sgd', learningRate: 1, momentum: 1, nesterov: false } },
      'optimizer.momentum',
    ],
    ['an unknown optimizer', { optimizer: { type: 'magic' } as never }, 'optimizer.type'],
    ['no optimizer', { optimizer: null as never }, 'optimizer'],
    ['a batch size of 0', { batchSize: 0 }, 'batchSize'],
    ['a batch size of -3', { batchSize: -3 }, 'batchSize'],
    ['an unknown loss', { loss: 'regret' as never }, 'loss'],
    ['a loss that does not fit the last layer', { loss: 'binaryCrossEntropy' }, 'loss'],
    ['too many threads', { threads: 1000 }, 'threads'],
    ['a seed of 0.5', { seed: 0.5 }, 'seed'],
  ])('refuses %s', (_, options, field) => {
    expectRefusal(() => trainerOf(network, options), { code: 'INVALID_ARGUMENT', field });
  });

  test('says what was expected and what came', () => {
    expect(() => trainerOf(network, { batchSize: -3 })).toThrow(
      'Expected `batchSize` to be an integer from 1 to 4294967295 but received -3.',
    );
  });

  test('refuses what is no network', () => {
    for (const wrong of [null, {}, 3, Object.create(Network.prototype)]) {
      expectRefusal(() => trainerOf(wrong as Network), { code: 'INVALID_ARGUMENT', field: 'network' });
    }
  });

  test('refuses a network that has been disposed of', () => {
    const gone = Network.create(spec, 1);
    gone.dispose();
    expectRefusal(() => trainerOf(gone), { code: 'FAILED_PRECONDITION', field: 'network' });
  });
});

describe('trainEpoch refuses, before a weight has changed,', () => {
  const good = examplesOf(10, 4, 3);
  const data = good.features[0]!.data as Float32Array;
  const block = (wrong: object) => ({ features: [{ ...good.features[0]!, ...wrong }] as FeatureBlock[] });
  const label = (index: number, value: number) => ({
    targets: Int32Array.from(good.targets).fill(value, index, index + 1),
  });
  const feature = (index: number, value: number) => block({ data: data.slice().fill(value, index, index + 1) });

  test.each<[string, Partial<Examples>, string, string]>([
    ['NaN', feature(17, Number.NaN), 'features[0].data', 'in row 4, column 1'],
    ['infinity', feature(39, Number.POSITIVE_INFINITY), 'features[0].data', 'in row 9, column 3'],
    ['a label past the classes', label(6, 3), 'targets', 'from 0 to 2 but received 3 in row 6'],
    ['a negative label', label(0, -1), 'targets', 'received -1 in row 0'],
    ['too few features', block({ data: new Float32Array(39) }), 'features[0].data', 'Float32Array of 40 elements'],
    ['features of another type', block({ data: new Int8Array(40) }), 'features[0].data', 'Float32Array of 40'],
    ['labels of another type', { targets: new Float32Array(10) }, 'targets', 'Int32Array of 10'],
    ['no rows', { rows: 0 }, 'rows', 'integer from 1'],
    ['a scale of NaN', block({ scale: Number.NaN }), 'features[0].scale', 'finite number'],
  ])('%s', async (_, wrong, field, message) => {
    const network = Network.create(spec, 1);
    const before = digestOf(network);
    const trainer = trainerOf(network);
    const failing = trainer.trainEpoch({ ...good, ...wrong }, epochOptions());
    await expect(failing).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', field });
    await expect(failing).rejects.toThrow(message);
    expect(digestOf(network)).toBe(before);
    expect(trainer.step).toBe(0);
    await expect(trainer.trainEpoch(good, epochOptions())).resolves.toMatchObject({ examples: 10 });
  });

  test('a target of 2 for binary cross-entropy', async () => {
    const network = Network.create(specOf(4, '1 sigmoid'), 1);
    const trainer = trainerOf(network, { loss: 'binaryCrossEntropy' });
    const targets = Float32Array.of(0, 1, 2, 0, 0, 0, 0, 0, 0, 0);
    await expect(trainer.trainEpoch({ ...good, targets }, epochOptions())).rejects.toThrow(
      'received 2.000000 in row 2',
    );
  });

  test('a detached array', async () => {
    const features = new Float32Array(40);
    structuredClone(features.buffer, { transfer: [features.buffer] });
    const trainer = trainerOf(Network.create(spec, 1));
    const examples = { ...good, features: floatBlock(4, features) };
    await expect(trainer.trainEpoch(examples, epochOptions())).rejects.toMatchObject({
      field: 'features[0].data',
    });
  });

  test('an array that could shrink', async () => {
    const Resizable = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
    const features = new Float32Array(new Resizable(160, { maxByteLength: 320 }));
    const trainer = trainerOf(Network.create(spec, 1));
    const examples = { ...good, features: floatBlock(4, features) };
    await expect(trainer.trainEpoch(examples, epochOptions())).rejects.toMatchObject({
      field: 'features[0].data',
    });
  });

  test.each([null, undefined, 3, []])('%s as examples', async (wrong) => {
    const trainer = trainerOf(Network.create(spec, 1));
    await expect(trainer.trainEpoch(wrong as never, epochOptions())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('one at a time', () => {
  const examples = examplesOf(20_000, 4, 3);

  test('a second epoch, a disposal and a checkpoint are refused while one runs', async () => {
    const network = Network.create(spec, 1);
    const trainer = trainerOf(network);
    const running = trainer.trainEpoch(examples, epochOptions());
    const busy = { code: 'FAILED_PRECONDITION', field: 'trainer' };
    await expect(trainer.trainEpoch(examples, epochOptions())).rejects.toMatchObject(busy);
    await expect(trainer.evaluate(examples)).rejects.toMatchObject(busy);
    expectRefusal(() => trainer.dispose(), busy as EngineError);
    expectRefusal(() => trainer.saveState(), busy as EngineError);
    await running;
    trainer.dispose();
    trainer.dispose();
    await expect(trainer.trainEpoch(examples, epochOptions())).rejects.toMatchObject(busy);
  });

  test('two trainers on one network are refused while one runs', async () => {
    const network = Network.create(spec, 1);
    const [first, second] = [trainerOf(network), trainerOf(network)];
    const running = first.trainEpoch(examples, epochOptions());
    const expected = { code: 'FAILED_PRECONDITION', field: 'network' };
    await expect(second.trainEpoch(examples, epochOptions())).rejects.toMatchObject(expected);
    await running;
    await expect(second.trainEpoch(examples, epochOptions())).resolves.toBeDefined();
  });

  test('a receiver that is no trainer is refused', async () => {
    const call = Trainer.prototype.trainEpoch as (this: unknown, ...rest: unknown[]) => Promise<unknown>;
    await expect(call.call({}, examples, epochOptions())).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('what nobody holds any more is trained to the end', async () => {
    const running = trainerOf(Network.create(spec, 1)).trainEpoch(examplesOf(20_000, 4, 3), epochOptions());
    (globalThis as { gc?: () => void }).gc?.();
    await expect(running).resolves.toMatchObject({ examples: 20_000 });
  });
});

describe('cancelling', () => {
  const examples = examplesOf(100_000, 4, 3);

  test('before the start changes nothing', async () => {
    const network = Network.create(spec, 1);
    const before = digestOf(network);
    const running = trainerOf(network).trainEpoch(examples, { ...epochOptions(), signal: AbortSignal.abort() });
    await expect(running).rejects.toMatchObject({ name: 'EngineError', code: 'CANCELLED' });
    expect(digestOf(network)).toBe(before);
  });

  test.each([32, 'full'] as const)('ends a run of batch size %s early, with finite weights', async (batchSize) => {
    const network = Network.create(spec, 1);
    const trainer = trainerOf(network, { batchSize: batchSize === 'full' ? 'full' : 1 });
    const controller = new AbortController();
    const running = trainer.trainEpoch(examples, { ...epochOptions(), signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(trainer.step).toBeLessThan(batchSize === 'full' ? 1 : 100_000);
    expect(network.predict(noise(4), 1).every(Number.isFinite)).toBe(true);
    await expect(trainer.evaluate(examplesOf(10, 4, 3))).resolves.toBeDefined();
  });

  test('an error of the listener ends the epoch with that error', async () => {
    const trainer = trainerOf(Network.create(spec, 1), { batchSize: 1 });
    const onProgress = () => {
      throw new RangeError('the listener broke');
    };
    const running = trainer.trainEpoch(examples, { ...epochOptions(), onProgress });
    await expect(running).rejects.toThrow(new RangeError('the listener broke'));
    expect(trainer.step).toBeLessThan(100_000);
  });
});

describe('diverging', () => {
  test.each([32, 'full'] as const)('with batch size %s is reported with epoch and step', async (batchSize) => {
    const network = Network.create(specOf(4, '8 linear', '1 linear'), 1);
    const options = { loss: 'meanSquaredError', batchSize, threads: 2 } as const;
    const trainer = trainerOf(network, { ...options, optimizer: { type: 'gradientDescent', learningRate: 1e10 } });
    const features = noise(400).map((value) => value * 1e6);
    const examples = { rows: 100, features: floatBlock(4, features), targets: new Float32Array(100) };
    const run = async () => {
      for (let epoch = 0; epoch < 50; epoch += 1) await trainer.trainEpoch(examples, epochOptions(epoch));
    };
    await expect(run()).rejects.toMatchObject({
      code: 'DIVERGED',
      message: expect.stringMatching(/in epoch \d+, step \d+ of/),
    });
  });
});

describe('an epoch', () => {
  const examples = examplesOf(1000, 4, 3);

  test('reports its progress and its result', async () => {
    const reports: EpochProgress[] = [];
    const trainer = trainerOf(Network.create(spec, 1));
    const options = {
      epoch: 4,
      progressIntervalMs: 0,
      onProgress: (p: EpochProgress) => reports.push(p),
      signal: null,
    };
    const result = await trainer.trainEpoch(examples, options);
    // 31 batches of 32 and one of 8.
    expect(result).toMatchObject({ epoch: 4, steps: 32, examples: 1000 });
    const { loss, accuracy } = result;
    expect(reports.at(-1)).toMatchObject({ epoch: 4, step: 32, steps: 32, examples: 1000, loss, accuracy });
    expect(reports.at(-1)!.examplesPerSecond).toBeGreaterThan(0);
    expect(reports.every((report, index) => index === 0 || report.step > reports[index - 1]!.step)).toBe(true);
    expect(trainer.step).toBe(32);
  });

  test('leaves the event loop free', async () => {
    const trainer = trainerOf(Network.create(specOf(4, '256 relu', '256 relu', '3 softmax'), 1));
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 1);
    await trainer.trainEpoch(examplesOf(20_000, 4, 3), epochOptions());
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });

  test('learns, by every loss', async () => {
    const cases = [
      { loss: 'categoricalCrossEntropy', last: '2 softmax', targets: examplesOf(1000, 4, 2).targets },
      { loss: 'binaryCrossEntropy', last: '1 sigmoid', targets: Float32Array.from(examplesOf(1000, 4, 2).targets) },
      { loss: 'meanSquaredError', last: '1 linear', targets: Float32Array.from(examplesOf(1000, 4, 2).targets) },
    ] as const;
    for (const { loss, last, targets } of cases) {
      const trainer = trainerOf(Network.create(specOf(4, '16 tanh', last), 1), {
        loss,
        optimizer: { ...adam, learningRate: 0.01 },
      });
      const data = { ...examples, targets };
      const before = await trainer.evaluate(data);
      for (let epoch = 0; epoch < 10; epoch += 1) await trainer.trainEpoch(data, epochOptions(epoch));
      const after = await trainer.evaluate(data);
      expect(after.loss).toBeLessThan(before.loss / 2);
      if (loss === 'meanSquaredError') expect(after.accuracy).toBeNull();
      else expect(after.accuracy).toBeGreaterThan(0.9);
    }
  });
});

describe('evaluate', () => {
  test('counts right answers and confusions', async () => {
    // The network answers class 1 exactly when the input is positive.
    const network = networkWith(specOf(1, '2 softmax'), [
      [-1, 1],
      [0, 0],
    ]);
    const features = Float32Array.of(-3, -2, 1, 2, 3);
    const targets = Int32Array.of(0, 1, 1, 1, 0);
    const trainer = trainerOf(network);
    const { loss, accuracy, confusion } = await trainer.evaluate({
      rows: 5,
      features: floatBlock(1, features),
      targets,
    });
    expect(accuracy).toBe(3 / 5);
    expect([...confusion!]).toEqual([1, 1, 1, 2]);
    const expected =
      [...features].reduce((sum, x, row) => sum + Math.log1p(Math.exp(targets[row] === 1 ? -2 * x : 2 * x)), 0) / 5;
    // The probabilities are float32.
    expect(loss).toBeCloseTo(expected, 6);
  });

  test('gives the same bits with every number of threads', async () => {
    const network = Network.create(spec, 1);
    const losses = new Set<number>();
    for (const threads of [1, 2, 5])
      losses.add((await trainerOf(network, { threads }).evaluate(examplesOf(999, 4, 3))).loss);
    expect(losses.size).toBe(1);
  });
});

describe('loadState refuses', () => {
  const trainer = trainerOf(Network.create(spec, 1));

  test('a checkpoint of another optimizer', () => {
    const other = trainerOf(Network.create(spec, 1), { optimizer: { type: 'gradientDescent', learningRate: 1 } });
    expectRefusal(() => trainer.loadState(other.saveState()), { code: 'INVALID_ARGUMENT', field: '__metadata__' });
  });

  test('a model without optimizer state', () => {
    expectRefusal(() => trainer.loadState(Network.create(spec, 1).toSafetensors({})), { field: '__metadata__' });
  });

  test('a checkpoint of another network, and keeps its own state', () => {
    const before = trainer.saveState();
    const other = trainerOf(Network.create(specOf(4, '9 relu', '3 softmax'), 1));
    expectRefusal(() => trainer.loadState(other.saveState()), { code: 'INVALID_ARGUMENT' });
    expectRefusal(() => trainer.loadState(before.subarray(0, before.length - 1)), { code: 'INVALID_ARGUMENT' });
    expect(trainer.saveState()).toEqual(before);
  });
});
