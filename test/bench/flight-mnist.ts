/**
 * `node dist/test/bench/flight-mnist.js PORT` prints the seconds from a dataset of MNIST to the tensors of all its splits, as
 * training fetches them, as JSON.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readTrainingSpec } from '../../clients/sdk/index.js';
import { PreprocessingClient } from '../../services/training/preprocessing-client.js';

const { dataset, pipeline, split } = readTrainingSpec(
  readFileSync(createRequire(import.meta.url).resolve('#examples/mnist.yaml'), 'utf8'),
);
const client = new PreprocessingClient(`127.0.0.1:${process.argv[2]}`);
const { signal } = new AbortController();
const begin = performance.now();
const asked = { labelKind: 'classes', message: pipeline! } as const;
const fitted = await client.fit(
  dataset!,
  { pipeline: asked, split: { message: split! }, sampleWeight: '', part: null },
  signal,
);
let images = 0;
const splits = ['train', 'validation', 'test'] as const;
const fetched = await Promise.all(splits.map((name) => client.tensors(fitted, 'classes', name, signal)));
for (const { rows, features } of fetched) {
  if (!(features instanceof Uint8Array)) {
    throw new Error('the images did not stay bytes');
  }
  images += rows;
}
console.log(JSON.stringify({ seconds: (performance.now() - begin) / 1000, images }));
client.close();
