import { describe, expect, test } from 'vitest';
import { EngineError, Network, readSafetensors, writeSafetensors } from '../../native/index.js';
import { digestOf, epochOptions, examplesOf, networkWith, noise, specOf, trainerOf } from './build-network.js';

const spec = specOf(4, '3 tanh', '2 softmax');

function refusal(call: () => unknown): EngineError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toBeInstanceOf(Error);
    return error as EngineError;
  }
  throw new Error('Expected an EngineError.');
}

describe('Network.create', () => {
  test.each([
    ['no layers', { inputs: 4, layers: [] }, 'layers'],
    ['no inputs', specOf(0, '2 softmax'), 'inputs'],
    ['half an input', specOf(1.5, '2 softmax'), 'inputs'],
    ['a layer of 0 units', specOf(4, '3 relu', '0 softmax'), 'layers[1].units'],
    ['too many units', specOf(4, '2000000 relu'), 'layers[0].units'],
    ['an unknown activation', specOf(4, '3 swoosh'), 'layers[0].activation'],
    ['an unknown initializer', specOf(4, '3 relu warm'), 'layers[0].kernelInitializer'],
    ['more memory than is sensible', specOf(1048576, '1048576 relu'), 'layers'],
  ])('refuses %s', (_, wrong, field) => {
    expect(refusal(() => Network.create(wrong, 1))).toMatchObject({ code: 'INVALID_ARGUMENT', field });
  });

  test.each([-1, 0.5, 2 ** 53, Number.NaN, '7', null])('refuses %s as a seed', (seed) => {
    expect(refusal(() => Network.create(spec, seed as number))).toMatchObject({ field: 'seed' });
  });

  test('says what was expected and what came', () => {
    expect(refusal(() => Network.create(specOf(4, '3 swoosh'), 1)).message).toBe(
      'Expected `layers[0].activation` to be one of linear, sigmoid, hardSigmoid, tanh, relu, leakyRelu, elu, selu, gelu, geluTanh, silu, softplus, softsign, softmax, logSoftmax but received "swoosh".',
    );
  });

  test('counts inputs, outputs and parameters', () => {
    const network = Network.create(spec, 1);
    expect(network).toMatchObject({ inputs: 4, outputs: 2, parameterCount: 4 * 3 + 3 + 3 * 2 + 2, spec });
  });

  test('draws kernels within the limits of their initializer, and zero biases', () => {
    const limits = { glorotUniform: Math.sqrt(6 / 300), heUniform: Math.sqrt(6 / 200) };
    for (const [initializer, limit] of Object.entries(limits)) {
      const network = Network.create(specOf(200, `100 relu ${initializer}`), 5);
      const { tensors } = readSafetensors(network.toSafetensors({}));
      const kernel = tensors.get('layers.0.kernel')!.data;
      const largest = kernel.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
      expect(largest).toBeLessThanOrEqual(limit);
      // 20,000 draws leave the largest within 1 % of the limit almost surely; the seed is fixed.
      expect(largest).toBeGreaterThan(limit * 0.99);
      expect(tensors.get('layers.0.bias')!.data.every((value) => value === 0)).toBe(true);
    }
  });

  test('draws normal kernels with the deviation of their initializer', () => {
    const deviations = { glorotNormal: Math.sqrt(2 / 300), heNormal: Math.sqrt(2 / 200) };
    for (const [initializer, deviation] of Object.entries(deviations)) {
      const network = Network.create(specOf(200, `100 relu ${initializer}`), 5);
      const kernel = readSafetensors(network.toSafetensors({})).tensors.get('layers.0.kernel')!.data;
      const variance = kernel.reduce((sum, value) => sum + value * value, 0) / kernel.length;
      // The deviation of 20,000 draws is known to about 0.5 %; 3 % is six times that.
      expect(Math.abs(Math.sqrt(variance) / deviation - 1)).toBeLessThan(0.03);
    }
  });
});

describe('predict', () => {
  const network = Network.create(spec, 1);

  test.each([
    ['an array', [1, 2, 3, 4]],
    ['doubles', new Float64Array(4)],
    ['too few numbers', new Float32Array(3)],
    ['nothing', undefined],
  ])('refuses %s', (_, input) => {
    expect(refusal(() => network.predict(input as Float32Array, 1))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'input',
    });
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 40])('refuses %s rows', (rows) => {
    expect(refusal(() => network.predict(new Float32Array(4), rows))).toMatchObject({ field: 'rows' });
  });

  test('refuses a detached array', () => {
    const input = new Float32Array(4);
    structuredClone(input.buffer, { transfer: [input.buffer] });
    expect(refusal(() => network.predict(input, 1))).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'input' });
  });

  test('refuses a receiver that is no network', () => {
    const call = Network.prototype.predict as (this: unknown, input: Float32Array, rows: number) => unknown;
    expect(refusal(() => call.call({}, new Float32Array(4), 1))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('refuses a network that has been disposed of, and disposes twice', async () => {
    const gone = Network.create(spec, 1);
    gone.dispose();
    gone.dispose();
    const expected = { code: 'FAILED_PRECONDITION', field: 'network' };
    expect(refusal(() => gone.predict(new Float32Array(4), 1))).toMatchObject(expected);
    expect(refusal(() => gone.toSafetensors({}))).toMatchObject(expected);
    await expect(gone.predictAsync(new Float32Array(4), 1)).rejects.toMatchObject(expected);
  });

  test('refuses disposal while a prediction is under way, and then answers it', async () => {
    const busy = Network.create(spec, 1);
    const answer = busy.predictAsync(noise(4000), 1000);
    expect(refusal(() => busy.dispose())).toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await answer).toEqual(busy.predict(noise(4000), 1000));
    busy.dispose();
  });

  test('computes softmax(x W + b) by hand', () => {
    const tiny = networkWith(specOf(2, '2 softmax'), [
      [1, 2, 3, 4],
      [0.5, -0.5],
    ]);
    // Logits 1 * 1 + 1 * 3 + 0.5 = 4.5 and 1 * 2 + 1 * 4 - 0.5 = 5.5, so the second is 1 / (1 + e^-1).
    const [first, second] = tiny.predict(Float32Array.from([1, 1]), 1);
    // One float32 rounding.
    expect(second).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
    expect(first! + second!).toBeCloseTo(1, 6);
  });

  test('gives probabilities for logits of 10,000', () => {
    const tiny = networkWith(specOf(1, '2 softmax'), [
      [1e4, -1e4],
      [0, 0],
    ]);
    expect([...tiny.predict(Float32Array.from([1]), 1)]).toEqual([1, 0]);
  });

  test('lets NaN through instead of hiding it', () => {
    for (const activation of ['relu', 'tanh', 'sigmoid', 'linear']) {
      const output = Network.create(specOf(2, `3 ${activation}`), 1).predict(Float32Array.from([Number.NaN, 1]), 1);
      expect([...output].every(Number.isNaN)).toBe(true);
    }
  });

  test.each([1, 2, 3, 5, 6, 7, 31, 64, 65, 257])('gives %d rows the bits that each has alone', async (rows) => {
    const wide = Network.create(specOf(37, '53 relu', '19 tanh', '11 softmax'), 2);
    const input = noise(rows * 37);
    const together = wide.predict(input, rows);
    for (let row = 0; row < rows; row += 1) {
      const alone = wide.predict(input.slice(row * 37, (row + 1) * 37), 1);
      expect(together.subarray(row * 11, (row + 1) * 11)).toEqual(alone);
    }
    expect(await wide.predictAsync(input, rows)).toEqual(together);
  });

  test('reads an array that begins at an odd place', () => {
    const input = noise(13);
    expect(network.predict(input.subarray(1, 5), 1)).toEqual(network.predict(input.slice(1, 5), 1));
  });
});

describe('safetensors of a network', () => {
  test('come back as the same network', () => {
    const network = Network.create(spec, 6);
    const copy = Network.fromSafetensors(spec, network.toSafetensors({ note: 'x' }));
    expect(digestOf(copy)).toBe(digestOf(network));
    expect(readSafetensors(network.toSafetensors({ note: 'x' })).metadata).toEqual({ note: 'x' });
  });

  test('are refused for another shape, by the name of the tensor', () => {
    const bytes = Network.create(spec, 6).toSafetensors({});
    const error = refusal(() => Network.fromSafetensors(specOf(4, '5 tanh', '2 softmax'), bytes));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'layers.0.kernel' });
    expect(error.message).toBe('Expected tensor `layers.0.kernel` to have shape [4, 5] but received [4, 3].');
  });

  test('are refused with a tensor missing or left over', () => {
    const { tensors } = readSafetensors(Network.create(spec, 6).toSafetensors({}));
    const bias = tensors.get('layers.1.bias')!;
    tensors.delete('layers.1.bias');
    expect(refusal(() => Network.fromSafetensors(spec, writeSafetensors(tensors, {}))).field).toBe('layers.1.bias');
    tensors.set('layers.1.bias', bias).set('layers.2.bias', bias);
    expect(refusal(() => Network.fromSafetensors(spec, writeSafetensors(tensors, {}))).field).toBe('layers.2.bias');
  });

  test('are refused with a number that is not finite, and its byte', () => {
    const network = Network.create(spec, 6);
    const bytes = network.toSafetensors({});
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, Number.NaN, true);
    const error = refusal(() => Network.fromSafetensors(spec, bytes));
    expect(error.field).toBe('layers.1.bias');
    expect(error.message).toContain(`in element 1, at byte ${bytes.length - 4}`);
  });
});

test('a network is not read while its weights are being written', async () => {
  const network = Network.create(spec, 1);
  const trainer = trainerOf(network);
  const running = trainer.trainEpoch(examplesOf(5000, 4, 2), epochOptions());
  for (const call of [
    () => network.predict(new Float32Array(4), 1),
    () => network.toSafetensors({}),
    () => network.dispose(),
  ]) {
    expect(refusal(call)).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'network' });
  }
  await running;
  expect(network.predict(new Float32Array(4), 1)).toHaveLength(2);
});
