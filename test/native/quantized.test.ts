import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { EngineError, Network, type QuantizationOptions, QuantizedNetwork } from '../../native/index.js';
import { mnist } from '../bench/engine.js';
import { epochOptions, examplesOf, networkWith, noise, specOf, trainerOf } from './build-network.js';

const spec = specOf(4, '3 tanh', '2 softmax');
const dynamic: QuantizationOptions = { type: 'int8', calibration: null };
const bfloat16: QuantizationOptions = { type: 'bfloat16' };
const precisions = { dynamic, bfloat16 };

function refusal(call: () => unknown): EngineError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return error as EngineError;
  }
  throw new Error('Expected an EngineError.');
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a).toHaveLength(b.length);
  // Math.max keeps NaN.
  return a.reduce((top, value, index) => Math.max(top, Math.abs(value - b[index]!)), 0);
}

describe('quantize', () => {
  const network = Network.create(spec, 1);
  const rows = (input: unknown, count: unknown = 1) => ({ type: 'int8', calibration: { input, rows: count } });

  test.each([
    ['nothing', undefined, 'options'],
    ['another type', { type: 'int4' }, 'type'],
    ['int8 without a word on calibration', { type: 'int8' }, 'calibration'],
    ['calibration that is no object', { type: 'int8', calibration: 3 }, 'calibration'],
    ['no calibration rows', rows(new Float32Array(0), 0), 'calibration.rows'],
    ['calibration rows of another width', rows(new Float32Array(5)), 'calibration.input'],
    ['calibration in doubles', rows(new Float64Array(4)), 'calibration.input'],
    ['NaN in calibration', rows(Float32Array.of(1, 2, Number.NaN, 4)), 'calibration.input'],
    ['an infinity in calibration', rows(Float32Array.of(1, 2, 3, Number.NEGATIVE_INFINITY)), 'calibration.input'],
  ])('refuses %s', (_, options, field) => {
    expect(refusal(() => network.quantize(options as QuantizationOptions))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
  });

  test('names the element of the calibration that is not finite', () => {
    const options = rows(Float32Array.of(1, 2, Number.NaN, 4)) as QuantizationOptions;
    expect(refusal(() => network.quantize(options)).message).toContain('nan in element 2');
  });

  test('refuses a network in training, and one that has been disposed of', async () => {
    const busy = Network.create(spec, 1);
    const trainer = trainerOf(busy);
    const running = trainer.trainEpoch(examplesOf(5000, 4, 2), epochOptions());
    expect(refusal(() => busy.quantize(dynamic))).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'network' });
    await running;
    const quantized = busy.quantize(dynamic);
    trainer.dispose();
    busy.dispose();
    expect(refusal(() => busy.quantize(dynamic))).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'network' });
    expect(quantized.predict(noise(4), 1)).toHaveLength(2);
  });

  test('is a copy: training on does not change it', async () => {
    const learner = Network.create(spec, 1);
    const quantized = learner.quantize(dynamic);
    const before = quantized.predict(noise(40), 10);
    const trainer = trainerOf(learner);
    await trainer.trainEpoch(examplesOf(500, 4, 2), epochOptions());
    expect(quantized.predict(noise(40), 10)).toEqual(before);
    expect(largestDifference(learner.predict(noise(40), 10), before)).toBeGreaterThan(0.001);
  });

  test('takes a quarter and half of the memory', () => {
    const wide = Network.create(specOf(1024, '1024 relu', '16 linear'), 1);
    const floats = 4 * wide.parameterCount;
    expect(wide.quantize(dynamic).sizeBytes).toBeLessThan(0.26 * floats);
    expect(wide.quantize(bfloat16).sizeBytes).toBeLessThan(0.51 * floats);
  });
});

describe.each(Object.entries(precisions))('predict in %s', (_, options) => {
  const quantized = Network.create(spec, 1).quantize(options);

  test.each([
    ['an array', [1, 2, 3, 4]],
    ['doubles', new Float64Array(4)],
    ['too few numbers', new Float32Array(3)],
    ['nothing', undefined],
  ])('refuses %s', async (_name, input) => {
    const expected = { code: 'INVALID_ARGUMENT', field: 'input' };
    expect(refusal(() => quantized.predict(input as Float32Array, 1))).toMatchObject(expected);
    await expect(quantized.predictAsync(input as Float32Array, 1)).rejects.toMatchObject(expected);
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 40])('refuses %s rows', (rows) => {
    expect(refusal(() => quantized.predict(new Float32Array(4), rows))).toMatchObject({ field: 'rows' });
  });

  test('refuses a receiver that is none', () => {
    const call = QuantizedNetwork.prototype.predict as (this: unknown, input: Float32Array, rows: number) => unknown;
    expect(refusal(() => call.call({}, new Float32Array(4), 1))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('refuses work after disposal, and still answers what was under way', async () => {
    const gone = Network.create(spec, 1).quantize(options);
    const expected = gone.predict(noise(4000), 1000);
    const answer = gone.predictAsync(noise(4000), 1000);
    gone.dispose();
    gone.dispose();
    expect(await answer).toEqual(expected);
    expect(refusal(() => gone.predict(noise(4), 1))).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'network' });
    await expect(gone.predictAsync(noise(4), 1)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  test.each([1, 2, 3, 4, 5, 7, 31, 64, 65, 257])('gives %d rows the bits that each has alone', async (rows) => {
    const wide = Network.create(specOf(37, '53 relu', '19 tanh', '11 softmax'), 2).quantize(options);
    const input = noise(rows * 37);
    const together = wide.predict(input, rows);
    for (let row = 0; row < rows; row += 1) {
      const alone = wide.predict(input.slice(row * 37, (row + 1) * 37), 1);
      expect(together.subarray(row * 11, (row + 1) * 11)).toEqual(alone);
    }
    expect(await wide.predictAsync(input, rows)).toEqual(together);
  });

  test.each(['1 linear', '17 relu', '3 sigmoid', '257 tanh', '10 softmax'])('is near float32: 4097 to %s', (layer) => {
    const network = Network.create(specOf(4097, layer), 3);
    const input = noise(5 * 4097);
    // Glorot's limits keep logits near 1 to 2; the kernels' error of 1 to 2 % of them reaches 4 deviations of it.
    const allowed = options.type === 'int8' ? 0.12 : 0.012;
    expect(largestDifference(network.quantize(options).predict(input, 5), network.predict(input, 5))).toBeLessThan(
      allowed,
    );
  });

  test('answers a row with NaN by NaN, and leaves its neighbours alone', () => {
    for (const activation of ['relu', 'tanh', 'sigmoid', 'linear', 'softmax']) {
      const network = Network.create(specOf(20, '5 relu', `3 ${activation}`), 1).quantize(options);
      const input = noise(60);
      const clean = network.predict(input, 3);
      input[27] = Number.NaN;
      const output = network.predict(input, 3);
      expect([...output.subarray(3, 6)].every(Number.isNaN)).toBe(true);
      expect(output.subarray(0, 3)).toEqual(clean.subarray(0, 3));
      expect(output.subarray(6)).toEqual(clean.subarray(6));
    }
  });

  test('is right at the extremes: zeros, huge numbers, one outlier, negative rows', () => {
    const kernel = Array.from(noise(64 * 2, 5));
    const network = networkWith(specOf(64, '2 linear'), [kernel, [0.25, -4]]);
    const small = network.quantize(options);
    expect([...small.predict(new Float32Array(64), 1)]).toEqual([0.25, -4]);
    const inputs = {
      huge: noise(64).map((value) => value * 1e37),
      negative: noise(64).map((value) => -Math.abs(value)),
      outlier: noise(64).map((value, index) => (index === 9 ? 1e6 : value)),
    };
    for (const input of Object.values(inputs)) {
      const exact = network.predict(input, 1);
      const size = Math.hypot(...input.map((value) => value / 1e3)) * 1e3;
      // Relative to the size of the row, since its largest number sets the steps of all.
      expect(largestDifference(small.predict(input, 1), exact) / size).toBeLessThan(0.05);
    }
  });
});

test('calibration fixes the ranges: numbers beyond them are taken for their ends', () => {
  const network = networkWith(specOf(2, '1 linear'), [[1, 1], [0]]);
  const input = Float32Array.of(1, -1, 0.5, 0.25, -0.5, 0.75, 1, 0);
  const quantized = network.quantize({ type: 'int8', calibration: { input, rows: 4 } });
  const near = (numbers: number[]) => quantized.predict(Float32Array.from(numbers), 1)[0];
  // A step is 2 / 127.
  expect(near([0.5, 0.25])).toBeCloseTo(0.75, 1);
  expect(near([100, 0])).toBeCloseTo(1, 1);
  expect(near([-100, 0.5])).toBeCloseTo(-0.5, 1);
  expect(near([Number.NaN, 0])).toBeNaN();
});

test('calibration on rows of zeros leaves each row its own range', () => {
  const network = networkWith(specOf(2, '1 linear'), [[1, 1], [0]]);
  const quantized = network.quantize({ type: 'int8', calibration: { input: new Float32Array(8), rows: 4 } });
  expect(quantized.predict(Float32Array.of(3, 4), 1)[0]).toBeCloseTo(7, 1);
});

test('int8 has the same bits on the narrowest instruction set', { timeout: 60_000 }, () => {
  const loader = fileURLToPath(new URL('../support/source-process.mjs', import.meta.url));
  const program = fileURLToPath(new URL('quantized-bits.ts', import.meta.url));
  const run = (instructionSet: string) => {
    const env = { ...process.env, MILLRACE_INSTRUCTION_SET: instructionSet };
    const { stdout, stderr } = spawnSync(process.execPath, [loader, program], { encoding: 'utf8', env });
    expect(stdout, stderr).toMatch(/^\w+ [0-9a-f]{64}\n$/);
    return stdout.trim().split(' ');
  };
  const [narrow, bits] = run('portable');
  expect(narrow).toBe('portable');
  expect(run('avx2')[1]).toBe(bits);
  expect(run('')[1]).toBe(bits);
});

test('keeps the accuracy of the seed example on the 10,000 test images of MNIST within 0.2 points', async () => {
  const network = Network.create(specOf(784, '128 relu', '128 relu', '10 softmax'), 1);
  const trainer = trainerOf(network, { threads: 0 });
  await trainer.trainEpoch(mnist('train'), epochOptions());
  trainer.dispose();
  const images = mnist('t10k');
  const labels = images.targets as Int32Array;
  const input = Float32Array.from(images.features[0]!.data as Uint8Array, (value) => value / 255);
  const calibrated: QuantizationOptions = {
    type: 'int8',
    calibration: { input: input.slice(0, 784 * 1000), rows: 1000 },
  };
  const accuracy = (output: Float32Array) => {
    let right = 0;
    for (let row = 0; row < images.rows; row += 1) {
      const scores = output.subarray(row * 10, row * 10 + 10);
      if (scores.indexOf(Math.max(...scores)) === labels[row]) right += 1;
    }
    return right / images.rows;
  };
  const full = accuracy(network.predict(input, images.rows));
  expect(full).toBeGreaterThan(0.95);
  for (const options of [dynamic, calibrated, bfloat16]) {
    const quantized = network.quantize(options);
    const together = quantized.predict(input, images.rows);
    // 10,000 rows are shared out among threads, 32 are not.
    expect(together.subarray(10 * 5000, 10 * 5032)).toEqual(quantized.predict(input.slice(784 * 5000, 784 * 5032), 32));
    const reduced = accuracy(together);
    expect(Math.abs(reduced - full)).toBeLessThanOrEqual(0.002);
  }
});
