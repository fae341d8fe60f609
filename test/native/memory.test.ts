import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Network, Trainer } from '../../native/index.js';
import { adam, epochOptions, examplesOf, specOf, trainerOf } from './build-network.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('10,000 networks are created, trained and disposed of in the memory of one', { timeout: 120_000 }, async () => {
  const spec = specOf(64, '32 relu', '10 softmax');
  const weights = new Float32Array(32).fill(1);
  const examples = { ...examplesOf(32, 64, 10), weights };
  const loss = { type: 'categoricalCrossEntropy', classWeights: new Array<number>(10).fill(1) } as const;
  const cycle = async (index: number) => {
    const network = Network.create(spec, 1);
    const trainer = trainerOf(network, { loss, threads: index % 10 === 0 ? 2 : 1 });
    await trainer.trainEpoch(examples, epochOptions());
    network.predict(new Float32Array(64), 1);
    trainer.dispose();
    network.dispose();
  };
  // The allocator's arenas, one for each of many short threads, grow to their final size first.
  for (let i = 0; i < 2000; i += 1) await cycle(i);
  collectGarbage();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 10_000; i += 1) await cycle(i);
  collectGarbage();
  const grown = process.memoryUsage.rss() - before;
  // A network with its trainer takes 60 KB: 10,000 that leaked would be 600 MB. The heaps breathe by some MB.
  expect(grown).toBeLessThan(60e6);
});

test('a failed constructor leaves nothing behind', () => {
  const network = Network.create(specOf(4, '3 softmax'), 1);
  const cycle = () => {
    for (let i = 0; i < 2000; i += 1) {
      expect(() => Network.create(specOf(256, '256 relu', '0 softmax'), 1)).toThrow();
      expect(() => new Trainer(network, { optimizer: adam } as never)).toThrow();
    }
  };
  cycle();
  collectGarbage();
  const before = process.memoryUsage.rss();
  cycle();
  collectGarbage();
  // 2,000 kernels of 256 x 256 would be 500 MB.
  expect(process.memoryUsage.rss() - before).toBeLessThan(30e6);
});
