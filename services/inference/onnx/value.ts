import type { Datatype } from '../tensor.js';

/** Every datatype but BYTES: those whose elements all have one size. */
export type NumberDatatype = Exclude<Datatype, 'BYTES'>;

/** Known when the model is loaded. Read where an operator wants weights, a shape or a setting. */
export interface Constant {
  kind: 'constant';
  datatype: NumberDatatype;
  shape: readonly number[];
  /** Float32Array exactly where the datatype is FP32. */
  numbers: Float32Array | Float64Array;
}

/** A tensor of as many rows as the caller sends; `shape` is of one row. */
export interface Rows {
  kind: 'rows';
  datatype: NumberDatatype;
  shape: readonly number[];
  /** Of the engine's graph, whose values know only columns: a change of shape alone is nothing to it. */
  value: number;
}

/** Rows of BYTES elements, which nothing computes with. */
export interface Texts {
  kind: 'texts';
  datatype: 'BYTES';
  shape: readonly number[];
  /** Where each element of a row comes from: its place in the elements of all BYTES inputs' rows, one after the other. */
  elements: Uint32Array;
}

export type Value = Constant | Rows | Texts;

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

export const sameShape = (one: readonly number[], other: readonly number[]): boolean =>
  one.length === other.length && one.every((length, axis) => length === other[axis]);

/** How a shape is written in a message; `N` stands for the rows. */
export function shapeText(value: Value): string {
  return value.kind === 'constant' ? `[${value.shape.join(', ')}]` : `[${['N', ...value.shape].join(', ')}]`;
}

/**
 * A constant spread over the columns of one row of `shape`, by the rules of broadcasting.
 *
 * @returns null where it does not fit, or would make the row larger
 */
export function alongRow({ shape: own, numbers }: Constant, shape: readonly number[]): Float32Array | null {
  // What stands before the row's own dimensions meets the rows themselves.
  const surplus = own.length - shape.length;
  if (surplus > 1 || (surplus === 1 && own[0] !== 1)) {
    return null;
  }
  const lengths = surplus === 1 ? own.slice(1) : [...Array<number>(-surplus).fill(1), ...own];
  if (lengths.some((length, axis) => length !== 1 && length !== shape[axis])) {
    return null;
  }
  const spread = new Float32Array(elementCount(shape));
  if (numbers.length === spread.length) {
    spread.set(numbers);
    return spread;
  }
  const strides = lengths.map((length, axis) => (length === 1 ? 0 : elementCount(lengths.slice(axis + 1))));
  for (let column = 0; column < spread.length; column++) {
    let rest = column;
    let place = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    spread[column] = numbers[place]!;
  }
  return spread;
}
