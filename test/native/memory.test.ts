import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Network, Trainer } from '../../native/index.js';
import { adam, epochOptions, examplesOf, specOf, trainerOf } from './build-network.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('2,000 networks are created, trained and disposed of in the memory of one', { timeout: 60_000 }, async () => {
  const spec = specOf(64, '128 relu', '10 softmax');
  const examples = examplesOf(64, 64, 10);
  const cycle = async () => {
    const network = Network.create(spec, 1);
    const trainer = trainerOf(network, { threads: 2, batchSize: 64 });
    await trainer.trainEpoch(examples, epochOptions());
    network.predict(new Float32Array(64), 1);
    trainer.dispose();
    network.dispose();
  };
  // The allocator's arenas, one for each of many short threads, grow to their final size first.
  for (let i = 0; i < 2000; i += 1) await cycle();
  collectGarbage();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 2000; i += 1) await cycle();
  collectGarbage();
  const grown = process.memoryUsage.rss() - before;
  // One network with its trainer takes 150 KB: 2,000 that leaked would be 300 MB. The heaps breathe by some MB.
  expect(grown).toBeLessThan(40e6);
});

test('a failed constructor leaves nothing behind', () => {
  const network = Network.create(specOf(4, '3 softmax'), 1);
  for (let i = 0; i < 2000; i += 1) {
    expect(() => Network.create(specOf(4, '0 softmax'), 1)).toThrow();
    expect(() => new Trainer(network, { optimizer: adam } as never)).toThrow();
  }
});
