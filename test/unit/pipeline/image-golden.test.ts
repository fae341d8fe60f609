import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeJpegs } from '../../../native/index.js';
import { decodeValues } from '../../../services/pipeline/decode-values.js';
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
 * Greatest and mean distance from Pillow's bytes: none, but where what is transparent is rounded another way, where a turned
 * image is resized along its other axis first, and where a decoder shrinks an image first that is more than six times as large
 * as is wanted. The edges of these pictures are as hard as can be.
 */
function tolerance(name: string): { greatest: number; mean: number } {
  if (name.includes('transparent') || name.includes('turned from')) {
    return { greatest: 1, mean: 0.5 };
  }
  return name.includes('to a ninth') ? { greatest: 5, mean: 0.6 } : { greatest: 0, mean: 0 };
}

async function decode({ step, file }: GoldenCase): Promise<Uint8Array> {
  const definition = definitionOf(step);
  const fitted = (await definition.fit(step, null as never)) as FittedStep;
  const prepared = definition.prepare(fitted, { kind: 'binary' });
  if (!('decode' in prepared)) {
    throw new Error('the step decodes nothing');
  }
  const { items, refused } = await decodeValues(prepared, [Buffer.from(file, 'base64')]);
  expect(refused).toEqual([]);
  return items as Uint8Array;
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

describe('decodeJpegs', () => {
  const form = { height: 2, width: 3, channels: 1, fit: 'fill', filter: 'bilinear', shortSide: 0 } as const;
  it.each<[string, unknown, Uint8Array, string, string]>([
    ['what is no list', new Uint8Array(9), new Uint8Array(6), 'contents', 'an array of Uint8Array'],
    ['a text among the files', [null, 'a.jpg'], new Uint8Array(12), 'contents[1]', 'a Uint8Array or null'],
    ['room for fewer images', [null, null], new Uint8Array(11), 'pixels', 'to have 12 bytes but received 11'],
  ])('refuses %s', (_, contents, pixels, field, message) => {
    expect(() => decodeJpegs(contents as never, form, 100, pixels)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field, message: expect.stringContaining(message) }),
    );
  });
});
