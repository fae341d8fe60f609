import { describe, expect, test } from 'vitest';
import { type Examples, type FeatureBlock, Network } from '../../native/index.js';
import { digestOf, epochOptions, floatBlock, noise, specOf, trainerOf } from './build-network.js';

const rows = 150;
const targets = new Int32Array(rows).map((_, row) => (row * 7) % 3);

/** Numbers that every type holds exactly, so that all must give the same bits. */
const integers = (columns: number, seed: number) =>
  noise(rows * columns, seed).map((value) => Math.floor((value + 1) * 128));

/** The half of an integer from 0 to 2048. */
function half(integer: number): number {
  if (integer === 0) return 0;
  const exponent = Math.floor(Math.log2(integer));
  return ((exponent + 15) << 10) | ((integer / 2 ** exponent - 1) * 1024);
}

const scale = 1 / 256;
const offset = -0.5;
const stored = {
  uint8: (columns, numbers) => ({ type: 'uint8', columns, data: Uint8Array.from(numbers), scale, offset }),
  float16: (columns, numbers) => ({ type: 'float16', columns, data: Uint16Array.from(numbers, half), scale, offset }),
  float32: (columns, numbers) => ({ type: 'float32', columns, data: numbers, scale, offset }),
  int32: (columns, numbers) => ({ type: 'int32', columns, data: Int32Array.from(numbers), scale, offset }),
} satisfies Record<string, (columns: number, numbers: Float32Array) => FeatureBlock>;
const types = Object.keys(stored) as (keyof typeof stored)[];

async function trained(columns: number, features: FeatureBlock[], threads = 1): Promise<string> {
  const network = Network.create(specOf(columns, '17 relu', '3 softmax'), 1);
  const trainer = trainerOf(network, { threads });
  const examples: Examples = { rows, features, targets };
  await trainer.trainEpoch(examples, epochOptions());
  const { loss } = await trainer.evaluate(examples);
  return `${digestOf(network)} ${loss}`;
}

/** The same columns as one block of floats, scaled here. */
function asOneBlock(widths: number[]): FeatureBlock[] {
  const columns = widths.reduce((sum, width) => sum + width, 0);
  const data = new Float32Array(rows * columns);
  let first = 0;
  for (const [index, width] of widths.entries()) {
    const numbers = integers(width, index + 1);
    for (let i = 0; i < numbers.length; i += 1) {
      const row = Math.floor(i / width);
      data[row * columns + first + (i % width)] = Math.fround(numbers[i]! * scale) + offset;
    }
    first += width;
  }
  return floatBlock(columns, data);
}

describe('blocks of columns give the bits of one block of floats', () => {
  test.each(types)('of type %s', async (type) => {
    const features = [stored[type](21, integers(21, 1))];
    expect(await trained(21, features)).toBe(await trained(21, asOneBlock([21])));
  });

  test.each([[[16, 16, 16, 16]], [[1, 1, 1, 1]], [[5, 11, 16, 2]], [[3, 40, 1, 17]], [[31, 2, 64, 9, 1, 1, 30, 5]]])(
    'of widths %j, with every number of threads',
    async (widths) => {
      const columns = widths.reduce((sum, width) => sum + width, 0);
      const features = widths.map((width, index) => stored[types[index % 4]!](width, integers(width, index + 1)));
      const expected = await trained(columns, asOneBlock(widths));
      for (const threads of [1, 2, 5]) {
        expect(await trained(columns, features, threads)).toBe(expected);
      }
    },
  );
});

test('scale and offset are 1 and 0 unless given', async () => {
  const data = integers(4, 1).map((value) => value / 100);
  const block = { type: 'float32', columns: 4, data } as const;
  expect(await trained(4, [block])).toBe(await trained(4, [{ ...block, scale: 1, offset: 0 }]));
  expect(await trained(4, [block])).not.toBe(await trained(4, [{ ...block, scale: 2 }]));
});

describe('features are refused', () => {
  const good = stored.uint8(4, integers(4, 1));
  const halves = stored.float16(4, integers(4, 1));
  const damaged = (bits: number) => ({ ...halves, data: halves.data.slice().fill(bits, 4 * 77 + 2, 4 * 77 + 3) });

  test.each<[string, unknown, string, string]>([
    ['that are no array', good.data, 'features', 'an array of blocks'],
    ['without blocks', [], 'features', '8 columns but received 0'],
    ['with too few columns', [good], 'features', '8 columns but received 4'],
    ['with too many columns', [good, good, good], 'features', '8 columns but received 12'],
    ['with a block that is none', [good, 3], 'features[1]', 'an object'],
    ['of an unknown type', [good, { ...good, type: 'uint16' }], 'features[1].type', 'uint8, float16, float32, int32'],
    ['of another type than their array', [good, { ...good, type: 'int32' }], 'features[1].data', 'Int32Array of 600'],
    ['in an array of another type', [{ ...good, data: new Int8Array(600) }, good], 'features[0].data', 'Uint8Array'],
    ['of another length', [good, { ...good, data: new Uint8Array(599) }], 'features[1].data', 'of 600 elements'],
    ['with no columns', [{ ...good, columns: 0 }], 'features[0].columns', 'from 1 to 8'],
    ['with columns past the inputs', [{ ...good, columns: 9 }], 'features[0].columns', 'from 1 to 8'],
    ['with a scale that is no number', [{ ...good, scale: null }], 'features[0].scale', 'a finite number'],
    ['with an infinite offset', [{ ...good, offset: 1 / 0 }], 'features[0].offset', 'a finite number'],
    ['with a half that is infinite', [good, damaged(0xfc00)], 'features[1].data', '-inf in row 77, column 2'],
    ['with a half that is no number', [good, damaged(0x7c01)], 'features[1].data', 'nan in row 77, column 2'],
  ])('%s', async (_, features, field, message) => {
    const network = Network.create(specOf(8, '3 softmax'), 1);
    const before = digestOf(network);
    const examples = { rows, features: features as FeatureBlock[], targets };
    const failing = trainerOf(network).trainEpoch(examples, epochOptions());
    await expect(failing).rejects.toMatchObject({ name: 'EngineError', code: 'INVALID_ARGUMENT', field });
    await expect(failing).rejects.toThrow(message);
    expect(digestOf(network)).toBe(before);
  });
});
