import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ColumnChunk,
  type FittedColumn,
  type FittedPipeline,
  type NumberType,
  numberArrays,
  preparePipeline,
  type RawValue,
  toNetworkInput,
  transformColumns,
  transformRecords,
} from '../../../services/pipeline/index.js';

const label = { column: 'answer', kind: 'number' } as const;

function pipelineOf(columns: FittedColumn[], count: number, features = {}): FittedPipeline {
  return preparePipeline({
    format: 'millrace.pipeline/1',
    columns,
    label,
    features: { count, type: 'float32', scale: 1, offset: 0, ...features },
  });
}

const scalar = (
  column: string,
  steps: FittedColumn['steps'],
  type: FittedColumn['type'] = 'float64',
): FittedColumn => ({
  column,
  type,
  width: null,
  shape: [],
  steps,
});

function validityOf(values: readonly unknown[]): Uint8Array | null {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [i, value] of values.entries()) {
    bits[i >> 3]! |= (value === null ? 0 : 1) << (i & 7);
  }
  return values.includes(null) ? bits : null;
}

function numberChunk(values: (number | null)[], type: NumberType = 'float64'): ColumnChunk {
  const ArrayType = numberArrays[type];
  const array = new ArrayType(values.length);
  for (const [i, value] of values.entries()) {
    array[i] = (type.endsWith('64') && type !== 'float64' ? BigInt(value ?? 7) : (value ?? 7)) as never;
  }
  return { kind: 'number', length: values.length, width: 1, values: array, validity: validityOf(values) };
}

function textChunk(values: (string | null)[]): ColumnChunk {
  const bytes = Buffer.from(values.map((value) => value ?? '').join(''));
  const offsets = new Int32Array(values.length + 1);
  for (const [i, value] of values.entries()) {
    offsets[i + 1] = offsets[i]! + Buffer.byteLength(value ?? '');
  }
  return { kind: 'text', length: values.length, offsets, bytes, validity: validityOf(values) };
}

const every = (length: number) => Int32Array.from({ length }, (_, i) => i);

describe('transformColumns', () => {
  it('gives the same bits for many rows at once, which the engine makes, as for few', async () => {
    const affine = { kind: 'standardise', subtract: 0.1, divide: 3.7 } as const;
    const filled = [{ kind: 'impute', value: 0.3 } as const, affine, { ...affine, divide: -1e-3 }];
    const categories = ['', 'a', 'ein Wort', 'noch ein Wort'];
    const oneHot = { kind: 'oneHot' as const, categories, unseenPlace: true };
    const columns = [
      scalar('a', filled),
      scalar('b', [affine], 'int64'),
      scalar('c', filled, 'float32'),
      scalar('d', [{ kind: 'log', offset: 1 }]),
      scalar('e', [oneHot], 'text'),
    ];
    const rows = 3_000;
    const values = Array.from({ length: rows }, (_, i) => (i % 7 === 3 ? null : Math.sin(i) * 1e6));
    const words = [...categories, 'b', 'wieder ein Wort'];
    const chunks = [
      numberChunk(values),
      numberChunk(values.map((_, i) => (i - 7) * 12_345_678_901)),
      numberChunk(values, 'float32'),
      numberChunk(values.map((_, i) => i)),
      textChunk(values.map((_, i) => words[(i * i) % words.length]!)),
    ];
    const pipeline = pipelineOf(columns, 9);
    const wanted = every(rows).filter((row) => row % 5 !== 2);
    const whole = (await transformColumns(pipeline, chunks, wanted)) as Float32Array;
    const parts: Float32Array[] = [];
    for (let from = 0; from < wanted.length; from += 100) {
      parts.push((await transformColumns(pipeline, chunks, wanted.subarray(from, from + 100))) as Float32Array);
    }
    expect(Buffer.from(whole.buffer).equals(Buffer.concat(parts.map(({ buffer }) => new Uint8Array(buffer))))).toBe(
      true,
    );
  });

  it('names a value among many that cannot be used', async () => {
    const values = Array.from({ length: 1_000 }, (_, i) => (i === 700 ? null : i));
    const transform = transformColumns(pipelineOf([scalar('a', [])], 1), [numberChunk(values)], every(1_000));
    await expect(transform).rejects.toMatchObject({ column: 'a', row: 700, problem: 'missing' });
  });

  it('refuses a missing value that no step fills, naming the row', async () => {
    const pipeline = pipelineOf([scalar('a', [])], 1);
    const transform = () => transformColumns(pipeline, [numberChunk([1, null])], every(2));
    await expect(transform()).rejects.toMatchObject({ column: 'a', row: 1, problem: 'missing' });
  });

  it('refuses a value beyond float32, naming the row', async () => {
    const pipeline = pipelineOf([scalar('a', [])], 1);
    const transform = () => transformColumns(pipeline, [numberChunk([1, 1e39])], every(2));
    await expect(transform()).rejects.toMatchObject({ row: 1, problem: 'too large for float32' });
  });

  it('refuses an integer that float64 cannot hold', async () => {
    const pipeline = pipelineOf([scalar('a', [], 'int64')], 1);
    const values = BigInt64Array.of(2n ** 53n + 1n);
    const chunk: ColumnChunk = { kind: 'number', length: 1, width: 1, values, validity: null };
    await expect(transformColumns(pipeline, [chunk], every(1))).rejects.toMatchObject({ row: 0 });
  });

  it('fills, scales and standardises in order', async () => {
    const steps: FittedColumn['steps'] = [
      { kind: 'impute', value: 10 },
      { kind: 'scale', subtract: 0, divide: 20 },
      { kind: 'standardise', subtract: 0.5, divide: 0.25 },
    ];
    const features = await transformColumns(
      pipelineOf([scalar('a', steps)], 1),
      [numberChunk([0, null, 20])],
      every(3),
    );
    expect([...features]).toEqual([-2, 0, 2]);
  });

  it('puts the columns side by side and an unseen category to zeros', async () => {
    const columns = [
      scalar('color', [{ kind: 'oneHot', categories: ['blue', 'red'] }], 'text'),
      scalar('size', [], 'int64'),
    ];
    const chunks = [textChunk(['red', 'green', 'blue']), numberChunk([-3, 5, 2 ** 40], 'int64')];
    const features = await transformColumns(pipelineOf(columns, 3), chunks, every(3));
    expect([...features]).toEqual([0, 1, -3, 0, 0, 5, 1, 0, 2 ** 40]);
  });

  it('takes the rows that are asked for, in their order', async () => {
    const features = await transformColumns(
      pipelineOf([scalar('a', [])], 1),
      [numberChunk([1, 2, 3, 4])],
      Int32Array.of(3, 1),
    );
    expect([...features]).toEqual([4, 2]);
  });

  it('keeps bytes as they are and leaves the scale to the network', async () => {
    const image: FittedColumn = {
      column: 'image',
      type: 'uint8',
      width: 2,
      shape: [],
      steps: [{ kind: 'scale', subtract: 0, divide: 255 }],
    };
    const pipeline = pipelineOf([image], 2, { type: 'uint8', scale: Math.fround(1 / 255) });
    const values = Uint8Array.of(0, 255, 1, 2, 3, 4);
    const chunk: ColumnChunk = { kind: 'number', length: 3, width: 2, values, validity: null };
    const stored = await transformColumns(pipeline, [chunk], Int32Array.of(0, 2));
    expect(stored).toEqual(Uint8Array.of(0, 255, 3, 4));
    expect(toNetworkInput(pipeline, stored)[1]).toBe(Math.fround(255 * Math.fround(1 / 255)));
  });
});

describe('a batch and its records', () => {
  const finite = fc.double({ noNaN: true, min: -1e6, max: 1e6 });
  const row = fc.record({
    x: fc.option(finite, { nil: null }),
    single: fc.float({ noNaN: true, min: -1e6, max: 1e6 }),
    count: fc.integer(),
    flag: fc.option(fc.boolean(), { nil: null }),
    word: fc.option(fc.constantFrom('a', 'b', 'c', 'ä€', ''), { nil: null }),
    list: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 3, maxLength: 3 }),
  });
  const divisor = finite.filter((value) => Math.abs(value) > 1e-3);

  it('give the same bits', async () => {
    const property = fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 20 }),
      finite,
      finite,
      divisor,
      async (rows, filling, subtract, divide) => {
        const affine = { kind: 'standardise', subtract, divide } as const;
        const columns: FittedColumn[] = [
          scalar('x', [{ kind: 'impute', value: filling }, affine]),
          scalar('single', [affine, affine], 'float32'),
          scalar('count', [affine], 'int32'),
          scalar('flag', [{ kind: 'impute', value: 1 }], 'boolean'),
          scalar(
            'word',
            [
              { kind: 'impute', value: 'b' },
              { kind: 'oneHot', categories: ['', 'a', 'ä€'] },
            ],
            'text',
          ),
          { column: 'list', type: 'uint8', width: 3, shape: [], steps: [affine] },
        ];
        const pipeline = pipelineOf(columns, 10);
        const flags = new Uint8Array(Math.ceil(rows.length / 8));
        for (const [i, { flag }] of rows.entries()) {
          flags[i >> 3]! |= (flag ? 1 : 0) << (i & 7);
        }
        const chunks: ColumnChunk[] = [
          numberChunk(rows.map(({ x }) => x)),
          numberChunk(
            rows.map(({ single }) => single),
            'float32',
          ),
          numberChunk(
            rows.map(({ count }) => count),
            'int32',
          ),
          { kind: 'boolean', length: rows.length, bits: flags, validity: validityOf(rows.map(({ flag }) => flag)) },
          textChunk(rows.map(({ word }) => word)),
          {
            kind: 'number',
            length: rows.length,
            width: 3,
            values: Uint8Array.from(rows.flatMap(({ list }) => list)),
            validity: null,
          },
        ];
        const batch = (await transformColumns(pipeline, chunks, every(rows.length))) as Float32Array;
        const records = await transformRecords(pipeline, rows as Record<string, RawValue>[]);
        expect(Buffer.from(records.buffer).equals(Buffer.from(batch.buffer))).toBe(true);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  const number = fc.double({ noNaN: true, min: -1e6, max: 1e6 });
  const simpleRow = fc.record({
    x: number,
    single: number,
    count: fc.integer(),
    word: fc.constantFrom('a', 'b', 'ä€', ''),
  });

  it('give the same bits where a record comes by itself', async () => {
    const property = fc.asyncProperty(
      fc.array(simpleRow, { minLength: 1, maxLength: 20 }),
      finite,
      divisor,
      async (rows, subtract, divide) => {
        const affine = { kind: 'standardise', subtract, divide } as const;
        const oneHot = { kind: 'oneHot', categories: ['', 'ä€'] } as const;
        const columns: FittedColumn[] = [
          scalar('x', [{ kind: 'impute', value: 3 }, affine]),
          scalar('x', [{ kind: 'bucket', edges: [-10, 0, 10], output: 'index' }]),
          scalar('single', [affine, affine], 'float32'),
          scalar('count', [], 'int32'),
          scalar('word', [{ ...oneHot, categories: [...oneHot.categories] }], 'text'),
          scalar('word', [{ ...oneHot, categories: [...oneHot.categories], unseenPlace: true }], 'text'),
          scalar('word', [{ kind: 'ordinal', categories: ['', 'ä€'] }], 'text'),
        ];
        const pipeline = pipelineOf(columns, 10);
        const x = numberChunk(rows.map((row) => row.x));
        const word = textChunk(rows.map((row) => row.word));
        const single = numberChunk(
          rows.map((row) => row.single),
          'float32',
        );
        const count = numberChunk(
          rows.map((row) => row.count),
          'int32',
        );
        const chunks = [x, x, single, count, word, word, word];
        const batch = (await transformColumns(pipeline, chunks, every(rows.length))) as Float32Array;
        const records = [];
        for (const row of rows) {
          records.push(await transformRecords(pipeline, [row]));
        }
        expect(records.flatMap((features) => [...features])).toEqual([...batch]);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  it('leave the features of a record as they are when others follow', async () => {
    const pipeline = pipelineOf([scalar('x', [])], 1);
    const first = await transformRecords(pipeline, [{ x: 1 }]);
    for (let x = 2; x < 10_000; x++) {
      await transformRecords(pipeline, [{ x }]);
    }
    expect([...first]).toEqual([1]);
  });
});
