/**
 * `node dist/test/bench/engine-crowded.js` does two trainings and a row of predictions one after the other, then all at
 * once, and prints the seconds of both as JSON.
 */
import { Network, Trainer } from '../../native/index.js';
import { mnist, seedSpec, seedTrainerOptions } from './engine.js';

const data = mnist('train');
const trainings = [1, 2].map((seed) => {
  const network = Network.create(seedSpec, seed);
  return new Trainer(network, seedTrainerOptions({ seed, threads: 0 }));
});
const server = Network.create(seedSpec, 3);
const record = new Float32Array(32 * 784).fill(0.5);

async function train(trainer: Trainer): Promise<void> {
  for (let epoch = 0; epoch < 3; epoch += 1) {
    await trainer.trainEpoch(data, { epoch, progressIntervalMs: 1000, onProgress: null, signal: null });
  }
}

/** Batches of predictions with the event loop in between, as a server makes them. */
async function predict(): Promise<void> {
  for (let batch = 0; batch < 500; batch += 1) {
    for (let i = 0; i < 10; i += 1) server.predict(record, 32);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

await Promise.all([...trainings.map(train), predict()]); // Warms up: threads, pages, compiled code.
const oneAfterTheOther =
  (await secondsOf(() => train(trainings[0]!))) +
  (await secondsOf(() => train(trainings[1]!))) +
  (await secondsOf(predict));
const atOnce = await secondsOf(() => Promise.all([...trainings.map(train), predict()]));
console.log(JSON.stringify({ oneAfterTheOther, atOnce }));
