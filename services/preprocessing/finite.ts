import { type ColumnChunk, isValid, type ListChunk, listStart, type NumberChunk } from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';

/** Refuses NaN and infinities, naming the row. @param firstRow rows of the table before this chunk */
export function refuseNonFinite(name: string, chunk: ColumnChunk, firstRow: number): void {
  for (const [row, value] of nonFinite(chunk)) {
    const message = `Expected column ${JSON.stringify(name)} to hold finite numbers but received ${value} in row ${firstRow + row + 1}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'NOT_FINITE', message);
  }
}

/** Rows with such numbers, in lists and fields too. */
function* nonFinite(chunk: ColumnChunk): Generator<[row: number, value: number]> {
  switch (chunk.kind) {
    case 'number':
      if ((chunk.values instanceof Float32Array || chunk.values instanceof Float64Array) && !areFinite(chunk.values)) {
        yield* nonFiniteNumbers(chunk, chunk.values);
      }
      return;
    case 'list':
      yield* nonFiniteItems(chunk);
      return;
    case 'struct':
      for (const field of chunk.fields) {
        for (const found of nonFinite(field)) {
          if (isValid(chunk.validity, found[0])) {
            yield found;
          }
        }
      }
  }
}

/** 0 times NaN or an infinity is NaN, which a sum keeps: one look at the end instead of one a value. Two sums do not wait for each other. */
function areFinite(values: Float32Array | Float64Array): boolean {
  let [even, odd] = [0, 0];
  for (let i = 1; i < values.length; i += 2) {
    even += values[i - 1]! * 0;
    odd += values[i]! * 0;
  }
  const last = values.length > 0 ? values[values.length - 1]! * 0 : 0;
  return even + odd + last === 0;
}

function* nonFiniteNumbers(
  { width, validity }: NumberChunk,
  values: Float32Array | Float64Array,
): Generator<[number, number]> {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      const row = Math.floor(i / width);
      if (isValid(validity, row)) {
        yield [row, values[i]!];
      }
    }
  }
}

/** Items come in order, so that the list of each is at or after that of the one before. */
function* nonFiniteItems(list: ListChunk): Generator<[number, number]> {
  let row = 0;
  for (const [item, value] of nonFinite(list.items)) {
    if (item < listStart(list, row)) {
      // The fields of a struct each start anew.
      row = 0;
    }
    while (row < list.length && listStart(list, row + 1) <= item) {
      row++;
    }
    if (row < list.length && item >= listStart(list, row) && isValid(list.validity, row)) {
      yield [row, value];
    }
  }
}
