import { describe, expect, test } from 'vitest';
import { type Augmentation, type Examples, Network, type TrainerOptions } from '../../native/index.js';
import { digestOf, epochOptions, examplesOf, noise, specOf, trainerOf } from './build-network.js';

const [height, width, channels, beside] = [5, 6, 2, 3];
const image = height * width * channels;
const rows = 83;
const spec = specOf(beside + image, '9 tanh', '3 softmax');
const { targets } = examplesOf(rows, 1, 3);
const pixels = Uint8Array.from(noise(rows * image, 4), (value) => Math.floor((value + 1) * 128));
const none: Augmentation = {
  ...{ firstColumn: beside, height, width, channels },
  ...{ flipHorizontally: 0, flipVertically: 0, rotationDegrees: 0, shift: 0, cutOut: 0, noise: 0 },
};
const all = { ...none, flipHorizontally: 0.5, rotationDegrees: 20, shift: 1, cutOut: 2, noise: 0.1 };

/** Three columns of a table, and the pixels of an image. */
function examplesWith(data: Uint8Array): Examples {
  const table = { type: 'float32' as const, columns: beside, data: noise(rows * beside, 9) };
  const block = { type: 'uint8' as const, columns: image, data, scale: 1 / 255, offset: 0.25 };
  return { rows, features: [table, block], targets };
}

const examples = examplesWith(pixels);

async function trained(augmentations: Augmentation[], data = examples, options: Partial<TrainerOptions> = {}) {
  const network = Network.create(spec, 1);
  const trainer = trainerOf(network, { batchSize: 16, augmentations, ...options });
  for (const epoch of [0, 1]) {
    await trainer.trainEpoch(data, epochOptions(epoch));
  }
  trainer.dispose();
  return digestOf(network);
}

describe('augmentation of images', () => {
  test.each<[string, Partial<Augmentation>, string]>([
    ['a probability above 1', { flipVertically: 1.5 }, 'augmentations[0].flipVertically'],
    ['a shift that is no whole number', { shift: 0.5 }, 'augmentations[0].shift'],
    ['a negative deviation', { noise: -1 }, 'augmentations[0].noise'],
    ['more channels than four', { channels: 5 }, 'augmentations[0].channels'],
    ['a setting that there is not', { zoom: 1 } as object, 'augmentations[0].zoom'],
  ])('refuses %s', (_, wrong, field) => {
    const make = () => trainerOf(Network.create(spec, 1), { augmentations: [{ ...none, ...wrong }] });
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field }));
  });

  test('refuses an image that lies in two blocks', async () => {
    await expect(trained([{ ...none, firstColumn: 1 }])).rejects.toThrow('to lie within one block');
  });

  test('without strength gives the bits of training without it', async () => {
    expect(await trained([none])).toBe(await trained([]));
  });

  test('that always flips gives the bits of training on flipped images', async () => {
    const flipped = pixels.map((_, i) => {
      const [row, y] = [Math.floor(i / image), Math.floor((i % image) / (width * channels))];
      const x = Math.floor((i % (width * channels)) / channels);
      return pixels[row * image + ((height - 1 - y) * width + (width - 1 - x)) * channels + (i % channels)]!;
    });
    const both = { ...none, flipHorizontally: 1, flipVertically: 1 };
    expect(await trained([both])).toBe(await trained([], examplesWith(flipped)));
    expect(await trained([both])).not.toBe(await trained([]));
  });

  test('gives the same bits with every number of threads, and others with another seed', async () => {
    const digests = await Promise.all([1, 2, 5].map((threads) => trained([all], examples, { threads })));
    expect(new Set(digests).size).toBe(1);
    expect(await trained([all], examples, { seed: 8, sampling: { type: 'sequential' } })).not.toBe(
      await trained([all], examples, { seed: 9, sampling: { type: 'sequential' } }),
    );
  });

  test('gives the same bits when an epoch is gone on with', async () => {
    const options = { batchSize: 16, augmentations: [all] };
    const first = trainerOf(Network.create(spec, 1), options);
    await first.trainEpoch(examples, { ...epochOptions(0), maxSteps: 3 });
    const network = Network.create(spec, 2);
    const second = trainerOf(network, { ...options, threads: 2 });
    second.loadState(first.saveState());
    await second.trainEpoch(examples, epochOptions(0));
    await second.trainEpoch(examples, epochOptions(1));
    expect(digestOf(network)).toBe(await trained([all]));
  });

  test('changes nothing that is evaluated', async () => {
    const network = Network.create(spec, 1);
    const [changing, plain] = [trainerOf(network, { augmentations: [all] }), trainerOf(network)];
    expect(await changing.evaluate(examples)).toEqual(await plain.evaluate(examples));
  });
});
