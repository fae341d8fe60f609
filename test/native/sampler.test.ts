import { describe, expect, test } from 'vitest';
import { type Examples, Network, type Sampling } from '../../native/index.js';
import { digestOf, epochOptions, examplesOf, specOf, trainerOf } from './build-network.js';

const spec = specOf(4, '8 tanh', '3 softmax');
const rows = 203;
const examples = examplesOf(rows, 4, 3);
const samplings: Sampling[] = [
  { type: 'shuffle' },
  { type: 'sequential' },
  { type: 'weighted', weights: new Float32Array(rows).map((_, row) => row % 5) },
  { type: 'stratified' },
];

async function trained(sampling: Sampling | undefined, data: Examples = examples, options = {}): Promise<string> {
  const network = Network.create(spec, 1);
  const trainer = trainerOf(network, { batchSize: 16, ...(sampling && { sampling }), ...options });
  for (const epoch of [0, 1]) {
    // 12 batches of 16 and one of 11.
    expect(await trainer.trainEpoch(data, epochOptions(epoch))).toMatchObject({ steps: 13, examples: rows });
  }
  return digestOf(network);
}

describe.each(samplings)('sampling of type $type', (sampling) => {
  test('gives the same bits with every number of threads', async () => {
    const digests = [];
    for (const threads of [1, 2, 5]) {
      digests.push(await trained(sampling, examples, { threads }));
    }
    expect(new Set(digests).size).toBe(1);
  });

  test('depends on the seed, unless rows come as they lie', async () => {
    const [first, second] = [await trained(sampling), await trained(sampling, examples, { seed: 8 })];
    expect(first === second).toBe(sampling.type === 'sequential');
  });
});

test('examples are shuffled unless said otherwise', async () => {
  expect(await trained(undefined)).toBe(await trained({ type: 'shuffle' }));
  const digests = await Promise.all(samplings.map((sampling) => trained(sampling)));
  expect(new Set(digests).size).toBe(samplings.length);
});

test('rows without weight are never seen', async () => {
  const weights = new Float32Array(rows).map((_, row) => (row < 100 ? 1 : 0));
  const targets = examples.targets.slice().fill(0, 100);
  const [first, second] = [
    await trained({ type: 'weighted', weights }, { ...examples, targets }),
    await trained({ type: 'weighted', weights }),
  ];
  expect(first).toBe(second);
});

test('a trainer keeps the weights it was made with', async () => {
  const weights = new Float32Array(rows).fill(1);
  const network = Network.create(spec, 1);
  const trainer = trainerOf(network, { batchSize: 16, sampling: { type: 'weighted', weights } });
  weights.fill(0);
  await trainer.trainEpoch(examples, epochOptions());
  await trainer.trainEpoch(examples, epochOptions(1));
  expect(digestOf(network)).toBe(await trained({ type: 'weighted', weights: weights.fill(1) }));
});

describe('refuses', () => {
  const network = Network.create(spec, 1);

  test.each<[string, unknown, string]>([
    ['an unknown type', { type: 'dice' }, 'sampling.type'],
    ['what is no object', 'shuffle', 'sampling'],
    ['null', null, 'sampling'],
    ['no weights', { type: 'weighted' }, 'sampling.weights'],
    ['weights of another type', { type: 'weighted', weights: [1, 2] }, 'sampling.weights'],
    ['weights of no row', { type: 'weighted', weights: new Float32Array() }, 'sampling.weights'],
    ['a negative weight', { type: 'weighted', weights: Float32Array.of(1, -1) }, 'sampling.weights'],
    ['weights that are all 0', { type: 'weighted', weights: new Float32Array(rows) }, 'sampling.weights'],
  ])('%s', (_, sampling, field) => {
    expect(() => trainerOf(network, { sampling: sampling as Sampling })).toThrow(
      expect.objectContaining({ name: 'EngineError', code: 'INVALID_ARGUMENT', field }),
    );
  });

  test('weights for another number of rows, when the rows are known', async () => {
    const trainer = trainerOf(network, { sampling: { type: 'weighted', weights: new Float32Array(5).fill(1) } });
    await expect(trainer.trainEpoch(examples, epochOptions())).rejects.toMatchObject({ field: 'sampling.weights' });
  });

  test('stratified sampling of targets that are no classes', async () => {
    const trainer = trainerOf(Network.create(specOf(4, '1 linear'), 1), {
      loss: 'meanSquaredError',
      sampling: { type: 'stratified' },
    });
    const numbers = { ...examples, targets: new Float32Array(rows) };
    await expect(trainer.trainEpoch(numbers, epochOptions())).rejects.toMatchObject({ field: 'sampling' });
  });
});
