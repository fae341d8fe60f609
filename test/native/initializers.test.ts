import { describe, expect, test } from 'vitest';
import { type Initializer, Network, readSafetensors } from '../../native/index.js';

function kernelOf(initializer: Initializer, inputs: number, units: number, seed = 1): Float32Array {
  const layers = [{ type: 'dense' as const, units, activation: 'linear' as const, kernelInitializer: initializer }];
  const network = Network.create({ inputs, layers }, seed);
  const { tensors } = readSafetensors(network.toSafetensors({}));
  network.dispose();
  return tensors.get('layers.0.kernel')!.data as Float32Array;
}

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('mean, variance, limits and shape of', () => {
  const [inputs, units] = [200, 300];
  const truncated = 0.8796256610342398;

  test.each<[Initializer, number, 'uniform' | 'normal']>([
    ['glorotUniform', 2 / 500, 'uniform'],
    ['glorotNormal', 2 / 500, 'normal'],
    ['heUniform', 2 / 200, 'uniform'],
    ['heNormal', 2 / 200, 'normal'],
    ['lecunUniform', 1 / 200, 'uniform'],
    ['lecunNormal', 1 / 200, 'normal'],
    [{ type: 'uniform', limit: 0.05 }, 0.05 ** 2 / 3, 'uniform'],
  ])('%j', (initializer, variance, shape) => {
    const values = kernelOf(initializer, inputs, units);
    const count = values.length;
    // Five standard errors each; a fourth moment of at most 3 makes the variance's sqrt(2 / n).
    expect(Math.abs(mean(values))).toBeLessThan(5 * Math.sqrt(variance / count));
    const measured = mean(values.map((value) => value ** 2));
    expect(Math.abs(measured / variance - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    const limit = shape === 'uniform' ? Math.sqrt(3 * variance) : (2 * Math.sqrt(variance)) / truncated;
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeLessThanOrEqual(limit * (1 + 1e-6));
    expect(largest).toBeGreaterThan(limit * 0.99);
    // Kurtosis: 1.8 of a uniform distribution, 2.37 of a normal one cut at two deviations.
    const kurtosis = mean(values.map((value) => value ** 4)) / measured ** 2;
    expect(kurtosis).toBeCloseTo(shape === 'uniform' ? 1.8 : 2.37, 1);
    expect(new Set(values).size).toBeGreaterThan(count * 0.99);
  });

  test.each<[Initializer, number]>([
    ['zeros', 0],
    ['ones', 1],
    [{ type: 'constant', value: -2.5 }, -2.5],
  ])('%j', (initializer, value) => {
    expect(new Set(kernelOf(initializer, 17, 5))).toEqual(new Set([value]));
  });
});

describe('orthogonal', () => {
  test.each([
    [1, 1],
    [7, 1],
    [1, 7],
    [40, 17],
    [17, 40],
    [33, 33],
    [300, 257],
  ])('%i x %i has orthonormal vectors along its short side', (rows, columns) => {
    const kernel = kernelOf('orthogonal', rows, columns);
    const tall = rows >= columns;
    const [count, size] = tall ? [columns, rows] : [rows, columns];
    const at = (vector: number, index: number) =>
      tall ? kernel[index * columns + vector]! : kernel[vector * columns + index]!;
    for (let a = 0; a < count; a += 1) {
      for (let b = a; b < count; b += 1) {
        let product = 0;
        for (let index = 0; index < size; index += 1) product += at(a, index) * at(b, index);
        // The vectors are doubles rounded to float32.
        if (Math.abs(product - (a === b ? 1 : 0)) > 1e-6) expect.fail(`vectors ${a} and ${b}: ${product}`);
      }
    }
  });

  test('prefers no direction and no orientation', () => {
    // Without the correction of signs the first element would be negative or positive far more often.
    const count = 600;
    const matrices = Array.from({ length: count }, (_, seed) => kernelOf('orthogonal', 3, 3, seed));
    for (let index = 0; index < 9; index += 1) {
      const values = matrices.map((matrix) => matrix[index]!);
      // An element of a random rotation of 3 dimensions has variance 1/3.
      expect(Math.abs(mean(values)), `element ${index}`).toBeLessThan(5 * Math.sqrt(1 / 3 / count));
      expect(Math.abs(mean(values.map((value) => value ** 2)) - 1 / 3)).toBeLessThan(5 * Math.sqrt(1 / count));
    }
    const rotations = matrices.filter(
      ([a, b, c, d, e, f, g, h, i]) =>
        a! * (e! * i! - f! * h!) - b! * (d! * i! - f! * g!) + c! * (d! * h! - e! * g!) > 0,
    );
    expect(Math.abs(rotations.length / count - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / count));
  });
});

test('the same seed gives the same numbers, another one others', () => {
  for (const initializer of ['orthogonal', 'lecunNormal', 'lecunUniform', { type: 'uniform', limit: 1 }] as const) {
    expect(kernelOf(initializer, 9, 20, 5)).toEqual(kernelOf(initializer, 9, 20, 5));
    expect(kernelOf(initializer, 9, 20, 5)).not.toEqual(kernelOf(initializer, 9, 20, 6));
  }
});

describe('refuses', () => {
  test.each<[unknown, string, string]>([
    ['glorot', 'layers[0].kernelInitializer', 'glorotUniform, glorotNormal'],
    [{ type: 'constant' }, 'layers[0].kernelInitializer.value', 'a finite number but received undefined'],
    [{ type: 'constant', value: Number.NaN }, 'layers[0].kernelInitializer.value', 'a finite number'],
    [
      { type: 'constant', value: 1e39 },
      'layers[0].kernelInitializer.value',
      'kernelInitializer.value` to be a finite number',
    ],
    [{ type: 'uniform', limit: 0 }, 'layers[0].kernelInitializer.limit', 'a positive number but received 0'],
    [{ type: 'uniform', limits: 1 }, 'layers[0].kernelInitializer.limits', 'did you mean `limit`?'],
    [{ type: 'zeros' }, 'layers[0].kernelInitializer.type', 'one of constant, uniform'],
    [7, 'layers[0].kernelInitializer', 'a string'],
  ])('%j', (initializer, field, message) => {
    const call = () => kernelOf(initializer as Initializer, 3, 3);
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });
});
