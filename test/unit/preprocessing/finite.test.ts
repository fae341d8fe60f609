import { expect, it } from 'vitest';
import type { ColumnChunk, ListChunk } from '../../../services/pipeline/index.js';
import { refuseNonFinite } from '../../../services/preprocessing/finite.js';

const numbers = (...values: number[]): ColumnChunk => ({
  kind: 'number',
  length: values.length,
  width: 1,
  values: Float64Array.from(values),
  validity: null,
});
const lists = (items: ColumnChunk, offsets: number[], validity: Uint8Array | null = null): ListChunk => ({
  kind: 'list',
  length: offsets.length - 1,
  offsets: Int32Array.from(offsets),
  width: 0,
  items,
  validity,
});
const check = (chunk: ColumnChunk) => refuseNonFinite('a', chunk, 10);

it('names the row of a number in a list', () => {
  expect(() => check(lists(numbers(1, 2, Number.NaN, 4), [0, 2, 2, 4]))).toThrow('received NaN in row 13');
});

it('names the row of a number in a struct in a list of lists', () => {
  const struct: ColumnChunk = {
    kind: 'struct',
    length: 3,
    fields: [numbers(1, 2, 3), numbers(1, Number.POSITIVE_INFINITY, 3)],
    validity: null,
  };
  expect(() => check(lists(lists(struct, [0, 1, 3]), [0, 0, 1, 2]))).toThrow('received Infinity in row 13');
});

it('lets what stands in a missing list or outside of all lists be', () => {
  const nan = Number.NaN;
  expect(() => check(lists(numbers(nan, 1, nan, nan, 2, nan), [1, 2, 4, 5], Uint8Array.of(0b101)))).not.toThrow();
});
