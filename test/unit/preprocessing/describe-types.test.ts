import { expect, it } from 'vitest';
import type { ColumnChunk } from '../../../services/pipeline/index.js';
import type { ColumnType } from '../../../services/preprocessing/column.js';
import { valueJson } from '../../../services/preprocessing/description/value-json.js';
import { hashColumn } from '../../../services/preprocessing/row-hash.js';

const int64 = (...values: bigint[]) => BigInt64Array.from(values);
const words: ColumnChunk = {
  kind: 'binary',
  length: 3,
  offsets: Int32Array.of(0, 2, 2, 4),
  bytes: Buffer.from('abab'),
  validity: null,
};
const binary: ColumnType = { kind: 'binary', large: false, width: null };

const cases: [string, ColumnType, ColumnChunk, string[]][] = [
  ['bytes as base64', binary, words, ['"YWI="', '""', '"YWI="']],
  [
    'days',
    { kind: 'date', unit: 'day' },
    { kind: 'time', length: 2, unit: 'day', values: Int32Array.of(0, -1), validity: null },
    ['"1970-01-01"', '"1969-12-31"'],
  ],
  [
    'microseconds, before 1970 too',
    { kind: 'timestamp', unit: 'microsecond', timezone: '' },
    { kind: 'time', length: 2, unit: 'microsecond', values: int64(1_500_000n, -1n), validity: null },
    ['"1970-01-01T00:00:01.500000"', '"1969-12-31T23:59:59.999999"'],
  ],
  [
    'decimals with their digits',
    { kind: 'decimal', precision: 10, scale: 2 },
    {
      kind: 'opaque',
      length: 2,
      width: 16,
      bytes: new Uint8Array(int64(-5n, -1n, 12_345n, 0n).buffer),
      validity: null,
    },
    ['"-0.05"', '"123.45"'],
  ],
  [
    'lists with missing items',
    { kind: 'nested', form: 'List', width: null, item: binary },
    {
      kind: 'list',
      length: 2,
      offsets: Int32Array.of(0, 2, 3),
      width: 0,
      items: { ...words, validity: Uint8Array.of(0b101) },
      validity: null,
    },
    ['["YWI=",null]', '["YWI="]'],
  ],
  [
    'structs',
    { kind: 'struct', fields: [{ name: 'a "b"', type: binary }] },
    { kind: 'struct', length: 3, fields: [words], validity: Uint8Array.of(0b011) },
    ['{"a \\"b\\"":"YWI="}', '{"a \\"b\\"":""}', 'null'],
  ],
];

it.each(cases)('writes %s', (_, type, chunk, expected) => {
  const texts = expected.map((_text, row) => valueJson(chunk, type, row));
  expect(texts).toEqual(expected);
  for (const text of texts) {
    expect(() => JSON.parse(text)).not.toThrow();
  }
});

it('hashes equal values alike, whatever lies around them', () => {
  const { low, high } = hashColumn(words);
  expect([low[0], high[0]]).toEqual([low[2], high[2]]);
  expect(low[0]).not.toBe(low[1]);
  const lists = hashColumn({
    kind: 'list',
    length: 3,
    offsets: Int32Array.of(0, 1, 2, 3),
    width: 0,
    items: words,
    validity: null,
  });
  expect(lists.low[0]).toBe(lists.low[2]);
  expect(lists.low[0]).not.toBe(lists.low[1]);
});
