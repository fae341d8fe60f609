import { expect, it } from 'vitest';
import { columnLines, findingLines } from '../../../clients/cli/dataset-report.js';

const column = {
  type: 'Int64',
  shape: [],
  nullCount: 0,
  valueCount: 5,
  distinctExact: true,
  numbers: null,
  lengths: null,
  topValues: [],
};

it('draws many numbers, and lists few values', () => {
  const histogram = { edges: [0, 1, 2, 3], counts: [1, 0, 8] };
  const quantiles = [{ fraction: 0.5, value: 2.25 }];
  const numbers = { minimum: 0, maximum: 3, mean: 2.123456, standardDeviation: 1, quantiles, histogram };
  const lines = columnLines([
    { ...column, name: 'many', distinctCount: 70_000, distinctExact: false, numbers },
    {
      ...column,
      name: 'few',
      type: 'Utf8',
      nullCount: 1_200,
      distinctCount: 1,
      topValues: [{ value: 'a\nb', count: 3 }],
    },
  ]);
  expect(lines).toEqual([
    'COLUMN  TYPE   MISSING  DISTINCT  MIN  MEDIAN  MAX  MEAN    DEVIATION  VALUES',
    'many    Int64  0        ~70,000   0    2.25    3    2.1235  1          ▁ █',
    'few     Utf8   1,200    1                                              a b (3)',
  ]);
});

it('says what was found, where, and under it what to do', () => {
  const finding = {
    kind: 'KIND_DUPLICATED_ROWS' as const,
    severity: 'SEVERITY_WARNING' as const,
    columns: [],
    rowCount: 2,
    firstRows: [4, 9],
    message: '2 rows stand twice.',
    advice: 'Remove them.',
  };
  expect(findingLines([finding])).toEqual(['WARNING  2 rows stand twice. First rows: 4, 9.', '         Remove them.']);
});
