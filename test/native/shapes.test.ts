import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FeatureBlock, Network, readSafetensors, type Tensor } from '../../native/index.js';
import { fuzzRuns } from '../support/mutations.js';
import { floatBlock, noise, specOf, trainerOf } from './build-network.js';

// One, primes, the panel's width of 16 and its neighbours, the parts of 64 (prediction) and 256 rows (training), 4097.
const lengths = [1, 2, 3, 5, 7, 13, 15, 16, 17, 31, 32, 33, 61, 64, 65, 127, 255, 256, 257, 521, 4097];
const productsMax = 2e6;

const shape = fc
  .record({
    rows: fc.constantFrom(...lengths),
    inputs: fc.constantFrom(...lengths),
    hidden: fc.constantFrom(...lengths),
    outputs: fc.constantFrom(...lengths),
  })
  .filter(({ rows, inputs, hidden, outputs }) => rows * hidden * (inputs + outputs) <= productsMax);
type Shape = typeof shape extends fc.Arbitrary<infer Value> ? Value : never;

const runs = { numRuns: Math.ceil(fuzzRuns / 5) };

// Kernels of Glorot's size keep every number near 1: sums of up to 4,097 float32 products are off by less than 1e-5,
// while one product too few or too many would be a hundredth or more.
const tolerance = 2e-5;

/** left [rows, inner] * right [inner, outer], in float64. */
function product(left: ArrayLike<number>, right: ArrayLike<number>, rows: number, inner: number, outer: number) {
  const result = new Float64Array(rows * outer);
  for (let row = 0; row < rows; row += 1) {
    for (let i = 0; i < inner; i += 1) {
      const factor = left[row * inner + i]!;
      for (let c = 0; c < outer; c += 1) result[row * outer + c]! += factor * right[i * outer + c]!;
    }
  }
  return result;
}

function transposed(matrix: ArrayLike<number>, rows: number, columns: number): Float64Array {
  return Float64Array.from(
    { length: rows * columns },
    (_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]!,
  );
}

const columnSums = (matrix: Float64Array, rows: number, columns: number) =>
  product(new Float64Array(rows).fill(1), matrix, 1, rows, columns);

/** The network of the tests, tanh and then linear, written out plainly. */
class Reference {
  readonly outputs: Float64Array;
  readonly #hidden: Float64Array;

  constructor(
    readonly shape: Shape,
    readonly tensors: Map<string, Tensor>,
    readonly features: Float32Array,
  ) {
    const { rows, inputs, hidden, outputs } = shape;
    const logits = product(features, this.#of('layers.0.kernel'), rows, inputs, hidden);
    this.#hidden = logits.map((value, at) => Math.tanh(value + this.#of('layers.0.bias')[at % hidden]!));
    const sums = product(this.#hidden, this.#of('layers.1.kernel'), rows, hidden, outputs);
    this.outputs = sums.map((value, at) => value + this.#of('layers.1.bias')[at % outputs]!);
  }

  #of(name: string): Float32Array {
    return this.tensors.get(name)!.data;
  }

  /** Of the mean squared error. */
  gradients(targets: Float32Array): Record<string, Float64Array> {
    const { rows, inputs, hidden, outputs } = this.shape;
    const last = this.outputs.map((value, at) => (2 * (value - targets[at]!)) / (rows * outputs));
    const back = product(last, transposed(this.#of('layers.1.kernel'), hidden, outputs), rows, outputs, hidden);
    const first = back.map((value, at) => value * (1 - this.#hidden[at]! ** 2));
    return {
      'layers.0.kernel': product(transposed(this.features, rows, inputs), first, inputs, rows, hidden),
      'layers.0.bias': columnSums(first, rows, hidden),
      'layers.1.kernel': product(transposed(this.#hidden, rows, hidden), last, hidden, rows, outputs),
      'layers.1.bias': columnSums(last, rows, outputs),
      inputs: product(first, transposed(this.#of('layers.0.kernel'), inputs, hidden), rows, hidden, inputs),
    };
  }
}

function expectNear(what: string, actual: ArrayLike<number>, expected: Float64Array): void {
  expect(actual.length, what).toBe(expected.length);
  const worst = expected.reduce((largest, value, at) => Math.max(largest, Math.abs(value - actual[at]!)), 0);
  expect(worst, what).toBeLessThan(tolerance);
}

function networkOf({ rows, inputs, hidden, outputs }: Shape) {
  const spec = specOf(inputs, `${hidden} tanh`, `${outputs} linear`);
  const network = Network.create(spec, rows);
  const { tensors } = readSafetensors(network.toSafetensors({}));
  return { network, tensors };
}

test('predictions of any shape are those of a plain reference', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(shape, async (shape) => {
      const { network, tensors } = networkOf(shape);
      const features = noise(shape.rows * shape.inputs, 7);
      const { outputs } = new Reference(shape, tensors, features);
      const answers = network.predict(features, shape.rows);
      expectNear('outputs', answers, outputs);
      expect(await network.predictAsync(features, shape.rows)).toEqual(answers);
      network.dispose();
    }),
    runs,
  );
});

test('gradients of any shape are those of a plain reference', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(shape, async (shape) => {
      const { network, tensors } = networkOf(shape);
      const features = noise(shape.rows * shape.inputs, 7);
      const targets = noise(shape.rows * shape.outputs, 9);
      const trainer = trainerOf(network, { loss: 'meanSquaredError' });
      const examples = { rows: shape.rows, features: floatBlock(shape.inputs, features), targets };
      const { parameters, inputs } = await trainer.gradients(examples);
      const expected = new Reference(shape, tensors, features).gradients(targets);
      for (const [name, values] of Object.entries({ ...parameters, inputs })) expectNear(name, values, expected[name]!);
      trainer.dispose();
      network.dispose();
    }),
    runs,
  );
});

test('bytes and floats of the same numbers are trained to the same bits', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(shape, fc.constantFrom(1, 7, 32, 300), async (shape, batchSize) => {
      const { rows } = shape;
      const bytes = Uint8Array.from(noise(rows * shape.inputs, 5), (value) => Math.floor((value + 1) * 128));
      const stored = { columns: shape.inputs, scale: 1 / 256, offset: -0.5 };
      const blocks: FeatureBlock[] = [
        { ...stored, type: 'uint8', data: bytes },
        { ...stored, type: 'float32', data: Float32Array.from(bytes) },
      ];
      const files = [];
      for (const block of blocks) {
        const { network } = networkOf(shape);
        const trainer = trainerOf(network, { loss: 'meanSquaredError', batchSize: Math.max(batchSize, rows / 8) | 0 });
        const targets = noise(rows * shape.outputs, 9);
        const options = { epoch: 0, progressIntervalMs: 1000, onProgress: null, signal: null };
        await trainer.trainEpoch({ rows, features: [block], targets }, options);
        files.push(network.toSafetensors({}));
        trainer.dispose();
        network.dispose();
      }
      expect(files[0]).toEqual(files[1]);
    }),
    { numRuns: Math.ceil(fuzzRuns / 15) },
  );
});
