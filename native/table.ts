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
 * @param target [rows, rowWidth], of which all that is no feature of these columns becomes 0; null: they are checked only
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

type EightNumbers = [number, number, number, number, number, number, number, number];

/** As many values are gone over at once. */
const momentBlock = 2048;

/**
 * Count, extremes, mean and spread of finite numbers, in one pass. The same numbers give the same bits, however they are cut into the
 * arrays that are added.
 */
export class Moments {
  readonly #state = Float64Array.of(0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0, 0, 0);
  /** The numbers after the last whole block. */
  readonly #rest = new Float64Array(momentBlock);
  #restLength = 0;

  add(values: Float64Array): void {
    let from = 0;
    if (this.#restLength > 0) {
      from = Math.min(values.length, momentBlock - this.#restLength);
      this.#keep(values.subarray(0, from));
      if (this.#restLength < momentBlock) {
        return;
      }
      this.#addRest();
    }
    const to = from + momentBlock * Math.floor((values.length - from) / momentBlock);
    addon.addMoments(values.subarray(from, to), this.#state);
    this.#keep(values.subarray(to));
  }

  #keep(values: Float64Array): void {
    this.#rest.set(values, this.#restLength);
    this.#restLength += values.length;
  }

  #addRest(): void {
    addon.addMoments(this.#rest.subarray(0, this.#restLength), this.#state);
    this.#restLength = 0;
  }

  /** Ends the adding. The mean keeps what a sum in float64 would lose, and is NaN of no number; `squares` are of the distances from it. */
  finish(): { count: number; minimum: number; maximum: number; mean: number; squares: number } {
    this.#addRest();
    const [count, minimum, maximum, sum, lost, , , squares] = [...this.#state] as EightNumbers;
    return { count, minimum, maximum, mean: (sum + lost) / count, squares: Math.max(squares, 0) };
  }
}
