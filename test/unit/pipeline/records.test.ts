import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import {
  checkRecordCount,
  type FittedColumn,
  preparePipeline,
  type RawRecord,
  transformRecords,
} from '../../../services/pipeline/index.js';

const image: FittedColumn = {
  column: 'image',
  type: 'uint8',
  width: 6,
  shape: [2, 3],
  steps: [{ kind: 'scale', subtract: 0, divide: 255 }],
};
const images = preparePipeline({
  format: 'millrace.pipeline/1',
  columns: [image],
  label: { column: 'label', kind: 'classes', classes: ['0', '1'] },
  features: { count: 6, type: 'uint8', scale: Math.fround(1 / 255), offset: 0 },
});
const table = preparePipeline({
  format: 'millrace.pipeline/1',
  columns: [
    { column: 'age', type: 'float64', width: null, shape: [], steps: [] },
    { column: 'color', type: 'text', width: null, shape: [], steps: [{ kind: 'oneHot', categories: ['red'] }] },
    { column: 'member', type: 'boolean', width: null, shape: [], steps: [] },
    { column: 'taps', type: 'float32', width: 2, shape: [], steps: [{ kind: 'impute', value: 9 }] },
  ],
  label: { column: 'label', kind: 'number' },
  features: { count: 5, type: 'float32', scale: 1, offset: 0 },
});
const good: RawRecord = { age: 1, color: 'red', member: true, taps: [0.1, 2] };

/** Fields and messages of the refusal. */
async function violations(pipeline: typeof table, records: RawRecord[]) {
  const error = await transformRecords(pipeline, records).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
  return (error as { fieldViolations: { field: string; description: string }[] }).fieldViolations;
}

describe('transformRecords', () => {
  it.each<[string, RawRecord, string, string]>([
    ['a missing column', { color: 'red', member: true, taps: [1, 2] }, 'age', 'given'],
    ['an unknown column', { ...good, shoe: 3 }, 'shoe', 'no such column'],
    ['a text for a number', { ...good, age: '1' }, 'age', 'a finite number but received "1"'],
    [
      'a number for a text',
      { ...good, color: 3 },
      'color',
      'text as in the dataset, for example "red", but received 3',
    ],
    ['a boolean for a text', { ...good, color: true }, 'color', 'but received true'],
    ['a number for a boolean', { ...good, member: 1 }, 'member', 'true or false'],
    ['NaN', { ...good, age: Number.NaN }, 'age', 'NaN'],
    ['an infinity in a list', { ...good, taps: [1, Number.NEGATIVE_INFINITY] }, 'taps', 'at index 1'],
    ['a list of another length', { ...good, taps: [1] }, 'taps', 'a list of 2 numbers but received 1'],
    ['bytes for a list of floats', { ...good, taps: new Uint8Array(8) }, 'taps', 'received 8 bytes'],
    ['a missing value without impute', { ...good, age: null }, 'age', 'fills no missing value'],
    ['a value beyond float32', { ...good, age: 1e300 }, 'age', 'small enough for float32'],
  ])('refuses %s, naming record and column', async (_, record, column, message) => {
    const found = await violations(table, [good, record]);
    expect(found).toEqual([
      { field: `records[1].values[${JSON.stringify(column)}]`, description: expect.stringContaining(message) },
    ]);
  });

  it('names what a step needs of a value', async () => {
    const steps = [{ kind: 'log' as const, offset: 1 }];
    const pipeline = preparePipeline({
      ...table.definition,
      columns: [{ column: 'x', type: 'float64', width: null, shape: [], steps }],
      features: { count: 1, type: 'float32', scale: 1, offset: 0 },
    });
    const [violation] = await violations(pipeline, [{ x: 0 }, { x: -1 }]);
    expect(violation!.field).toBe('records[1].values["x"]');
    expect(violation!.description).toContain('to be greater than -1, since its logarithm is taken');
  });

  it('names all that is wrong at once', async () => {
    const found = await violations(table, [
      { ...good, age: '1', member: 'no' },
      { ...good, color: true },
    ]);
    expect(found.map(({ field }) => field)).toEqual([
      'records[0].values["age"]',
      'records[1].values["color"]',
      'records[0].values["member"]',
    ]);
  });

  it('is not taken in by names that objects inherit', async () => {
    const { age: _, ...rest } = good;
    const found = await violations(table, [{ ...rest, toString: 1 }]);
    expect(found.map(({ field }) => field).sort()).toEqual([
      'records[0].values["age"]',
      'records[0].values["toString"]',
    ]);
  });

  it('names the first 20 of many faults', async () => {
    const records = new Array(50).fill({ ...good, age: 'x' });
    expect(await violations(table, records)).toHaveLength(20);
  });

  it('rounds a single number as the table had it, before any step', async () => {
    const steps = [{ kind: 'scale' as const, subtract: 0.1, divide: 1e-9 }];
    const pipeline = preparePipeline({
      format: 'millrace.pipeline/1',
      columns: [{ column: 'x', type: 'float32', width: null, shape: [], steps }],
      label: { column: 'label', kind: 'number' },
      features: { count: 1, type: 'float32', scale: 1, offset: 0 },
    });
    const [feature] = await transformRecords(pipeline, [{ x: 0.1 }]);
    expect(feature).toBe(Math.fround((Math.fround(0.1) - 0.1) / 1e-9));
    expect(feature).not.toBe(0);
  });

  it('multiplies bytes and adds to them in float32, each rounded', async () => {
    const [scale, offset] = [Math.fround(1 / 255), Math.fround(-0.1307 / 0.3081)];
    const features = { count: 6, type: 'uint8' as const, scale, offset };
    const pipeline = preparePipeline({ ...images.definition, features });
    const [feature] = await transformRecords(pipeline, [{ image: new Array(6).fill(33) }]);
    expect(feature).toBe(Math.fround(Math.fround(33 * scale) + offset));
    expect(feature).not.toBe(Math.fround(33 * scale + offset));
  });

  it('fills a missing list and rounds numbers as the table had them', async () => {
    const features = await transformRecords(table, [good, { ...good, taps: null }]);
    expect([...features]).toEqual([1, 1, 1, Math.fround(0.1), 2, 1, 1, 1, 9, 9]);
  });

  it.each([
    ['bytes of another length that are no image', new Uint8Array(5), 'PNG, JPEG, GIF, WebP or TIFF'],
    ['an integer beyond a byte', [0, 0, 0, 0, 0, 256], 'integers from 0 to 255'],
    ['a missing image', null, 'fills no missing value'],
    ['a PNG that is cut off', Buffer.from('89504e470d0a1a0a0000', 'hex'), 'cannot be decoded'],
    ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'none of these'],
  ])('refuses %s', async (_, content, message) => {
    const [violation] = await violations(images, [{ image: content }]);
    expect(violation).toEqual({ field: 'records[0].values["image"]', description: expect.stringContaining(message) });
  });

  it('refuses an image of another size, in words', async () => {
    const png = await sharp(Buffer.alloc(28 * 28), { raw: { width: 28, height: 28, channels: 1 } })
      .png()
      .toBuffer();
    const [violation] = await violations(images, [{ image: png }]);
    expect(violation!.description).toContain('3 x 2 pixels but received one of 28 x 28');
  });

  it('reads the same from pixels, numbers and a PNG file', async () => {
    const pixels = Uint8Array.of(0, 1, 2, 127, 128, 255);
    const png = await sharp(pixels, { raw: { width: 3, height: 2, channels: 1 } })
      .png()
      .toBuffer();
    const color = await sharp(png).toColourspace('srgb').ensureAlpha().png().toBuffer();
    const features = await transformRecords(
      images,
      [pixels, [...pixels], png, color].map((content) => ({ image: content })),
    );
    const expected = [...pixels].map((pixel) => Math.fround(pixel * Math.fround(1 / 255)));
    expect([...features]).toEqual([...expected, ...expected, ...expected, ...expected]);
  });

  it('lays what is transparent on black', async () => {
    const clear = Buffer.alloc(6 * 4, 255).map((value, i) => (i % 4 === 3 ? 0 : value));
    const png = await sharp(clear, { raw: { width: 3, height: 2, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await transformRecords(images, [{ image: png }]))]).toEqual(new Array(6).fill(0));
  });

  it('reads a JPEG file of the right size', async () => {
    const jpeg = await sharp(Buffer.alloc(6, 255), { raw: { width: 3, height: 2, channels: 1 } })
      .jpeg()
      .toBuffer();
    expect([...(await transformRecords(images, [{ image: jpeg }]))]).toEqual(new Array(6).fill(1));
  });
});

describe('checkRecordCount', () => {
  it.each([0, 11])('refuses %d records where 10 are allowed', (count) => {
    expect(() => checkRecordCount(count, 10)).toThrow(`1 to 10 records but received ${count}`);
  });

  it('takes as many as are allowed', () => {
    expect(() => checkRecordCount(10, 10)).not.toThrow();
  });
});
