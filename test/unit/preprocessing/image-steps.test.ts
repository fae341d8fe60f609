import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeValues } from '../../../services/pipeline/decode-values.js';
import {
  type DecodingStep,
  definitionOf,
  type FittedStep,
  preparePipeline,
  type StepSpec,
  transformRecords,
} from '../../../services/pipeline/index.js';
import { fitPipeline } from '../../../services/preprocessing/fit.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { assignSplits } from '../../../services/preprocessing/split-assignment.js';
import { encodeTensors } from '../../../services/preprocessing/tensors.js';
import { openTable } from './table.js';

const decode: StepSpec & { kind: 'decodeImage' } = {
  kind: 'decodeImage',
  height: 2,
  width: 3,
  colour: null,
  fit: null,
  filter: null,
  shortSide: null,
};
const normalise: StepSpec = { kind: 'normaliseChannels', mean: [], deviation: [] };
const split = { ...wholeSplit, column: 'part' };

/** An image of one colour. */
const plain = (format: 'png' | 'jpeg' | 'webp' | 'tiff' | 'gif', colour: string, side = 64) =>
  sharp({ create: { width: side, height: side, channels: 3, background: colour } })
    .toFormat(format)
    .toBuffer();

/** Noise, of which no half can be left out. */
async function noise(format: 'png' | 'jpeg' | 'webp' | 'tiff' | 'gif'): Promise<Buffer> {
  let state = 1;
  const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
  return sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

async function fit(files: (Uint8Array | null)[], steps: StepSpec[], parts = files.map(() => 'train')) {
  const table = await openTable(
    { image: ['binary', files], label: ['float64', files.map((_, i) => i)], part: ['text', parts] },
    2,
  );
  try {
    const spec = { columns: [{ column: 'image', steps }], label: { column: 'label', kind: 'number' as const } };
    const { definition } = await fitPipeline(spec, split, table, new AbortController().signal);
    const pipeline = preparePipeline(definition);
    const assignment = await assignSplits(split, table);
    const messages: Uint8Array[] = [];
    for await (const { body } of encodeTensors(pipeline, table, assignment, 'train')) {
      messages.push(...body);
    }
    return { pipeline, tensors: Buffer.concat(messages) };
  } finally {
    await table.close();
  }
}

describe('image steps', () => {
  it.each<[string, Partial<typeof decode>, string]>([
    ['no height', { height: 0 }, 'decode_image.height` to be from 1 to 1024 but received 0'],
    ['a width beyond the limit', { width: 1_025 }, 'decode_image.width` to be from 1 to 1024 but received 1025'],
    ['more numbers than a row may have', { height: 1_000, width: 1_000 }, 'at most 196608 numbers'],
    ['a short side without a crop', { shortSide: 9 }, 'short_side` only with FIT_CROP but received 9 without it'],
    ['a short side of none', { fit: 'crop', shortSide: 0 }, 'short_side` to be from 1 to 4096 but received 0'],
  ])('refuse %s', async (_, settings, message) => {
    const steps = [{ ...decode, ...settings } as StepSpec];
    await expect(fit([await plain('png', 'red')], steps)).rejects.toThrow(message);
  });

  it('refuse a column of files that nothing decodes, and figures for other channels', async () => {
    const files = [await plain('png', 'red')];
    await expect(fit(files, [])).rejects.toThrow('makes numbers of files, like decode_image');
    await expect(fit(files, [decode, { ...normalise, mean: [1, 2] }])).rejects.toThrow(
      'one number for each of the 3 channels, or none, but received 2',
    );
    await expect(fit(files, [decode, { ...normalise, deviation: [1, 0, 1] }])).rejects.toThrow(
      'positive but received 0',
    );
  });

  it('name row and column of a file that is no image, in whatever split', async () => {
    const good = await plain('png', 'red');
    const files = [good, good, good, Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')];
    const parts = ['train', 'train', 'train', 'test'];
    const message =
      'column "image" in row 4 is not a whole PNG, JPEG, GIF, WebP or TIFF file of at most 64000000 pixels but received 41 bytes that are none of these.';
    await expect(fit(files, [decode], parts)).rejects.toThrow(message);
    await expect(fit(files, [decode, normalise])).rejects.toThrow(message);
  });

  it.each(['png', 'jpeg', 'webp', 'tiff', 'gif'] as const)('refuse a %s file that is cut off', async (format) => {
    const whole = await noise(format);
    await expect(fit([whole], [decode])).resolves.toBeDefined();
    const half = whole.subarray(0, whole.length / 2);
    await expect(fit([whole, half], [decode])).rejects.toThrow('column "image" in row 2 is not a whole');
  });

  it('refuse an image of too many pixels before it is decoded', async () => {
    const bomb = await sharp({ create: { width: 8_001, height: 8_000, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const began = process.cpuUsage();
    await expect(fit([bomb], [decode])).rejects.toThrow('cannot be decoded (Input image exceeds pixel limit)');
    const { user, system } = process.cpuUsage(began);
    expect(user + system).toBeLessThan(1_000_000);
  });

  it('refuse a missing image unless it is filled', async () => {
    const red = await plain('png', '#f00');
    await expect(fit([red, null], [decode])).rejects.toThrow('column "image" in row 2 has none');
    const fill: StepSpec = { kind: 'impute', strategy: 'constant', number: 9, text: null, missingFlag: false };
    const { pipeline } = await fit([red, null], [decode, fill]);
    const features = await transformRecords(pipeline, [{ image: null }, { image: red }]);
    expect([...features]).toEqual([...new Array(18).fill(9), ...new Array(6).fill([255, 0, 0]).flat()]);
  });

  it('keep bytes as they are where there is nothing but a scale, and say their shape', async () => {
    const files = [await plain('png', '#102030'), await plain('png', '#405060')];
    const { pipeline, tensors } = await fit(files, [decode, { kind: 'scale', minimum: 0, maximum: 255 }]);
    expect(pipeline).toMatchObject({ featureType: 'uint8', featureCount: 18, featureScale: Math.fround(1 / 255) });
    expect(pipeline.definition.columns[0]!.steps[0]).toMatchObject({ height: 2, width: 3, channels: 3 });
    expect([...tensors.subarray(0, 6)]).toEqual([0x10, 0x20, 0x30, 0x10, 0x20, 0x30]);
    const [feature] = await transformRecords(pipeline, [{ image: files[0]! }]);
    expect(feature).toBe(Math.fround(0x10 * Math.fround(1 / 255)));
  });

  it('learn the mean and deviation of each channel from the training split alone', async () => {
    const files = await Promise.all(['#0a1400', '#1e1464', '#ffffff'].map((colour) => plain('png', colour)));
    const { pipeline } = await fit(files, [decode, normalise], ['train', 'train', 'test']);
    expect(pipeline.definition.columns[0]!.steps[1]).toEqual({
      kind: 'normaliseChannels',
      subtract: [20, 20, 50],
      divide: [10, 1, 50],
    });
    const features = await transformRecords(pipeline, [{ image: files[2]! }]);
    expect([...features.subarray(0, 3)]).toEqual([23.5, 235, 4.1].map(Math.fround));
  });

  it('give each of many files what it alone gives, whatever stands beside it', async () => {
    const [whole, other] = await Promise.all([noise('jpeg'), noise('png')]);
    const inks = await sharp(whole).toColourspace('cmyk').jpeg().toBuffer();
    const kinds = [whole, null, other, whole.subarray(0, whole.length - 50), inks, Buffer.from('GIF')];
    const definition = definitionOf(decode);
    const fitted = (await definition.fit(decode, null as never)) as FittedStep;
    const decoding = definition.prepare(fitted, { kind: 'binary' }) as DecodingStep;
    const alone = await Promise.all(kinds.map((file) => decodeValues(decoding, [file])));
    const many = Array.from({ length: 300 }, (_, i) => (i % 7 === 0 ? (i / 7) % kinds.length : 0));
    const { items, missing, refused } = await decodeValues(
      decoding,
      many.map((kind) => kinds[kind]!),
    );
    const { width } = decoding.output;
    expect(many.every((kind, i) => alone[kind]!.items.every((item, k) => item === items[i * width + k]))).toBe(true);
    expect([...missing!]).toEqual(many.map((kind) => (kinds[kind] === null ? 1 : 0)));
    const expected = many.flatMap((kind, row) => alone[kind]!.refused.map((one) => ({ row, expected: one.expected })));
    expect(refused.map(({ row, expected }) => ({ row, expected }))).toEqual(expected);
    expect(new Set(expected.map(({ expected }) => expected.slice(expected.indexOf('received'))))).toEqual(
      new Set([
        'received one that cannot be decoded (Premature end of input file)',
        'received 3 bytes that are none of these',
      ]),
    );
  });

  it('refuse records by place and column', async () => {
    const red = await plain('jpeg', 'red');
    const { pipeline } = await fit([red], [decode]);
    const records = [{ image: red }, { image: 'red.jpg' }, { image: red.subarray(0, 20) }, { image: null }];
    const error = await transformRecords(pipeline, records).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      fieldViolations: [
        { field: 'records[1].values["image"]', description: expect.stringContaining('the bytes of a file') },
        { field: 'records[2].values["image"]', description: expect.stringContaining('cannot be decoded') },
        { field: 'records[3].values["image"]', description: expect.stringContaining('fills no missing value') },
      ],
    });
  });
});
