/**
 * `node dist/test/bench/engine-predict-ort.js FOLDER THREADS` measures the onnxruntime-node installed in a folder on the
 * seed's network and prints microseconds by rows as one line of JSON.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { predictedRows } from './engine.js';
import { seedOnnx } from './seed-onnx.js';
import { median } from './trial.js';

const [folder, threads] = [process.argv[2]!, Number(process.argv[3])];
const ort = createRequire(path.join(path.resolve(folder), 'package.json'))('onnxruntime-node');
const session = await ort.InferenceSession.create(seedOnnx(), { intraOpNumThreads: threads });
const figures: Record<string, number> = {};
for (const rows of predictedRows) {
  const data = new Float32Array(rows * 784).map((_, index) => (index % 256) / 255);
  const input = new ort.Tensor('float32', data, [rows, 784]);
  const repetitions = Math.max(20, Math.ceil(4000 / rows));
  const times: number[] = [];
  for (let trial = 0; trial < 21; trial += 1) {
    const begin = performance.now();
    for (let i = 0; i < repetitions; i += 1) await session.run({ input });
    times.push(((performance.now() - begin) * 1000) / repetitions);
  }
  figures[rows] = Number(median(times).toFixed(2));
}
console.log(JSON.stringify(figures));
