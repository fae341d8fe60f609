import { type PreparedColumn, writeFeatures } from './prepared-column.js';
import type { RawRecord, RawValue } from './records.js';
import type { FeatureTarget } from './step.js';
import { type NumberValues, numberValues, type TextValues } from './values.js';

/**
 * Of the features of records one after the other: an array of its own for each costs more than its steps. Who keeps one keeps
 * those beside it.
 */
const slabBytes = 32 * 1024;

/**
 * Transforms one record at a time, to the bits that batches get. Only what is most frequent goes this way: columns of single numbers
 * and texts, each with a value of its type. Whatever else comes is told to the caller, who reads it as one of a batch.
 */
export class SingleRecord {
  readonly #slots: Slot[];
  readonly #inputs: ReadonlySet<string>;
  readonly #featureCount: number;
  /** Zeros from `#used` on. */
  #slab = new Float32Array(0);
  #used = 0;
  /** Of the record before, for which the places were found. */
  #keys: readonly string[] = [];

  /** @param inputs columns that a record brings */
  constructor(columns: readonly PreparedColumn[], inputs: readonly PreparedColumn[], featureCount: number) {
    this.#slots = columns.map((column) => new Slot(column));
    this.#inputs = new Set(inputs.map(({ column }) => column));
    this.#featureCount = featureCount;
  }

  /**
   * The features; null: the record is not of the kind.
   * @throws UnusableValueError
   */
  transform(record: RawRecord): Float32Array | null {
    if (!this.#findPlaces(Object.keys(record))) {
      return null;
    }
    const values = Object.values(record);
    const features = this.#take();
    const slots = this.#slots;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      if (!slot.write(values[slot.place]!, features)) {
        return null;
      }
    }
    return features;
  }

  /** Zeros. */
  #take(): Float32Array {
    const from = this.#used;
    this.#used += this.#featureCount;
    if (this.#used <= this.#slab.length) {
      return this.#slab.subarray(from, this.#used);
    }
    this.#slab = new Float32Array(Math.max(this.#featureCount, slabBytes / Float32Array.BYTES_PER_ELEMENT));
    this.#used = this.#featureCount;
    return this.#slab.subarray(0, this.#used);
  }

  /** Records mostly have their columns in the same order as the one before. */
  #findPlaces(keys: readonly string[]): boolean {
    const known = this.#keys;
    let isKnown = keys.length === known.length;
    for (let i = 0; isKnown && i < keys.length; i++) {
      isKnown = keys[i] === known[i];
    }
    if (isKnown) {
      return true;
    }
    if (keys.length !== this.#inputs.size || !keys.every((key) => this.#inputs.has(key))) {
      return false;
    }
    for (const slot of this.#slots) {
      slot.place = keys.indexOf(slot.name);
    }
    this.#keys = keys;
    return true;
  }
}

/** What a column makes of one value. Steps that the engine can do are told as plain numbers, which are all that is looked at then. */
class Slot {
  readonly name: string;
  /** Of its value among those of the record. */
  place = -1;
  readonly #isText: boolean;
  readonly #isNumber: boolean;
  readonly #isFloat32: boolean;
  readonly #offset: number;
  /** Of numbers: what is subtracted and divided by, one step after the other. Null: the steps themselves do it. */
  readonly #affine: Float64Array | null = null;
  /** Of texts: the feature of each, and of any other (-1: none). Null: the steps themselves do it. */
  readonly #places: ReadonlyMap<RawValue, number> | null = null;
  readonly #unseen: number = -1;
  readonly #numbers: NumberValues = numberValues(new Float64Array(1), 1, null);
  readonly #texts: TextValues = { kind: 'texts', values: [null] };

  constructor(private readonly column: PreparedColumn) {
    const { type, width, decoding, encoding, inEngine, offset } = column;
    this.name = column.column;
    this.#isText = type === 'text';
    this.#isNumber = !this.#isText && type !== 'boolean' && type !== 'time' && width === null && decoding === null;
    this.#isFloat32 = type === 'float32';
    this.#offset = offset;
    if (inEngine && 'steps' in inEngine) {
      this.#affine = inEngine.steps;
    } else if (inEngine && this.#isText) {
      const { categories, hasUnseen } = encoding!.inEngine!;
      this.#places = new Map(categories.map((category, place) => [category, offset + place]));
      this.#unseen = hasUnseen ? offset + categories.length : -1;
    }
  }

  /** Whether the value was of the kind. @throws UnusableValueError */
  write(value: RawValue, features: Float32Array): boolean {
    if (typeof value === 'number') {
      return this.#isNumber && Number.isFinite(value) && this.#writeNumber(value, features);
    }
    return this.#isText && typeof value === 'string' && this.#writeText(value, features);
  }

  #writeNumber(given: number, features: Float32Array): boolean {
    // The table that was trained on had no finer values.
    const value = this.#isFloat32 ? Math.fround(given) : given;
    const steps = this.#affine;
    if (!steps) {
      this.#numbers.values[0] = value;
      writeFeatures(this.column, this.#numbers, targetOf(features), null);
      return true;
    }
    let result = value;
    for (let i = 0; i < steps.length; i += 2) {
      result = (result - steps[i]!) / steps[i + 1]!;
    }
    result = Math.fround(result);
    features[this.#offset] = result;
    return Number.isFinite(result);
  }

  #writeText(value: string, features: Float32Array): boolean {
    if (!this.#places) {
      this.#texts.values[0] = value;
      writeFeatures(this.column, this.#texts, targetOf(features), null);
      return true;
    }
    const place = this.#places.get(value) ?? this.#unseen;
    if (place >= 0) {
      features[place] = 1;
    }
    return true;
  }
}

function targetOf(features: Float32Array): FeatureTarget {
  return { values: features, rowWidth: features.length, offset: 0 };
}
