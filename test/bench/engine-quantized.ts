/**
 * `node dist/test/bench/engine-quantized.js [ROUNDS]` prints, as one line of JSON, microseconds for one synchronous
 * prediction by network (the seed's, and one 2048 wide), precision and rows, crossing included.
 */
import { Network, type NetworkSpec, type QuantizationOptions } from '../../native/index.js';
import { seedSpec } from './engine.js';

const wideSpec: NetworkSpec = {
  inputs: 784,
  layers: [2048, 2048, 2048, 10].map((units, index) => ({
    type: 'dense',
    units,
    activation: index === 3 ? 'softmax' : 'relu',
    kernelInitializer: 'heUniform',
  })),
};

const precisions: Record<string, QuantizationOptions | null> = {
  float32: null,
  int8: { type: 'int8', calibration: null },
  bfloat16: { type: 'bfloat16' },
};

interface Predictor {
  predict(input: Float32Array, rows: number): Float32Array;
  dispose(): void;
}

type MicrosecondsByPrecision = Record<string, Record<number, number>>;

/** Median over rounds in which every precision has its turn, so that a slow moment strikes all of them. */
function quantizedMicroseconds(spec: NetworkSpec, rounds: number, rowCounts: number[]): MicrosecondsByPrecision {
  const network = Network.create(spec, 1);
  const predictors: [string, Predictor][] = Object.entries(precisions).map(([name, options]) => [
    name,
    options === null ? network : network.quantize(options),
  ]);
  const result: MicrosecondsByPrecision = {};
  for (const rows of rowCounts) {
    const input = new Float32Array(rows * spec.inputs).map((_, index) => (index % 256) / 255);
    const times = new Map(predictors.map(([name, predictor]) => [name, samples(predictor, input, rows, 1)]));
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, predictor] of predictors) {
        const once = times.get(name)![0]!;
        // Some 3 ms a sample, far above the clock's resolution.
        times.get(name)!.push(...samples(predictor, input, rows, Math.max(1, Math.ceil(3000 / once))));
      }
    }
    for (const [name, all] of times) {
      const sorted = all.slice(1).sort((a, b) => a - b);
      result[name] ??= {};
      result[name][rows] = Number(sorted[Math.floor(sorted.length / 2)]!.toFixed(2));
    }
  }
  for (const [, predictor] of predictors.reverse()) predictor.dispose();
  return result;
}

function samples(predictor: Predictor, input: Float32Array, rows: number, repetitions: number): number[] {
  const begin = performance.now();
  for (let i = 0; i < repetitions; i += 1) predictor.predict(input, rows);
  return [((performance.now() - begin) * 1000) / repetitions];
}

const rounds = Number(process.argv[2] ?? 21);
console.log(
  JSON.stringify({
    seed: quantizedMicroseconds(seedSpec, rounds, [1, 32, 256]),
    wide: quantizedMicroseconds(wideSpec, Math.ceil(rounds / 3), [1, 32, 256]),
  }),
);
