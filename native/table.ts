import { addon } from './addon.js';

/** One bit a row, least significant first, 0: the value is missing. Null: none is. */
type Validity = Uint8Array | null;

/** UTF-8; text i is bytes[offsets[i] .. offsets[i + 1]]. */
export interface TextColumn {
  bytes: Uint8Array;
  offsets: Int32Array;
  validity: Validity;
}

/** Numbers that become one feature each. */
export interface NumberColumn {
  values:
    | Int8Array
    | Int16Array
    | Int32Array
    | BigInt64Array
    | Uint8Array
    | Uint16Array
    | Uint32Array
    | BigUint64Array
    | Float32Array
    | Float64Array;
  validity: Validity;
  /** Of what is missing. Null: that is refused. */
  filling: number | null;
  /** Pairs of what to subtract and then to divide by, in float64, one pair after the other. */
  steps: Float64Array;
  /** Place in a row of the matrix. */
  offset: number;
}

/** Texts that become a feature a category: 1 for its own, and 0 for all others. A missing one is refused. */
export interface CategoryColumn extends TextColumn {
  /** As texts are held. */
  categoryBytes: Uint8Array;
  categoryOffsets: Int32Array;
  /** One more feature, after the others, is 1 for any other text. */
  hasUnseen: boolean;
  /** Place of the first feature in a row of the matrix. */
  offset: number;
}

export type FeatureColumn = NumberColumn | CategoryColumn;

/**
 * Features of some rows, made on a thread of their own. What is given must not change until the promise settles.
 * @param rows indices into the columns
 * @param target [rows, rowWidth], zeros where features go; null: they are checked only
 * @returns false: a value is missing that must not be, an integer is beyond 2^53, or a feature too large for float32
 */
export function writeFeatures(
  columns: readonly FeatureColumn[],
  rows: Int32Array,
  target: Float32Array | null,
  rowWidth: number,
): Promise<boolean> {
  return addon.writeFeatures(columns, rows, target, rowWidth);
}

/**
 * How often each text occurs among some rows; missing ones do not count.
 * @param rows indices into the column
 * @returns pairs of the first row that holds it and how many do, in the order of those rows
 */
export function countTexts(texts: TextColumn, rows: Int32Array): Int32Array {
  return addon.countTexts(texts, rows);
}
