import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { definitionOf, type FittedStep, type StepSpec } from '../../../services/pipeline/index.js';
import { root } from '../../support/mesh.js';

interface GoldenCase {
  name: string;
  step: StepSpec & { kind: 'decodeImage' };
  /** Base64, as are the pixels. */
  file: string;
  pixels: string;
}

const { cases } = JSON.parse(readFileSync(path.join(root, 'test/golden/images.json'), 'utf8')) as {
  cases: GoldenCase[];
};

/**
 * Greatest and mean distance from Pillow's bytes. Without a new size both read the same pixels, but for what is transparent,
 * which is rounded another way. Shrinking, libvips takes the mean of whole pixels first, and decodes a JPEG smaller at once;
 * the edges of these pictures are as hard as can be. Enlarging, it begins at the corner of the first pixel, Pillow at its middle.
 */
function tolerance(name: string): { greatest: number; mean: number } {
  if (name.includes('transparent')) {
    return { greatest: 1, mean: 0.5 };
  }
  if (name.includes('nearest') || !/shrunk|stretched|grown|fit/.test(name)) {
    return { greatest: 0, mean: 0 };
  }
  return name.startsWith('grown') ? { greatest: 80, mean: 5 } : { greatest: 12, mean: 1.6 };
}

async function decode({ step, file }: GoldenCase): Promise<Uint8Array> {
  const definition = definitionOf(step);
  const fitted = (await definition.fit(step, null as never)) as FittedStep;
  const prepared = definition.prepare(fitted, { kind: 'binary' });
  if (!('decode' in prepared)) {
    throw new Error('the step decodes nothing');
  }
  return (await prepared.decode(Buffer.from(file, 'base64'))) as Uint8Array;
}

describe('decode_image', () => {
  it.each(cases)('gives the pixels that Pillow gives: $name', async (golden) => {
    const expected = Buffer.from(golden.pixels, 'base64');
    const received = await decode(golden);
    expect(received.length).toBe(expected.length);
    const distances = Array.from(expected, (value, i) => Math.abs(value - received[i]!));
    const { greatest, mean } = tolerance(golden.name);
    expect(Math.max(...distances)).toBeLessThanOrEqual(greatest);
    expect(distances.reduce((a, b) => a + b) / distances.length).toBeLessThanOrEqual(mean);
  });
});
