import { type PreparedColumn, writeFeatures } from './prepared-column.js';
import type { RawRecord } from './records.js';
import type { FeatureTarget } from './step.js';
import { type NumberValues, numberValues, type TextValues } from './values.js';

/** A column with arrays for one value, so that a record is transformed without new ones. */
interface Slot {
  column: PreparedColumn;
  /** Place of its value among those of the record. */
  place: number;
  numbers: NumberValues;
  texts: TextValues;
}

/**
 * Transforms one record at a time by the same steps as batches. Only what is most frequent goes this way: columns of single numbers and
 * texts, each with a value of its type. Whatever else comes is told to the caller, who reads it as one of a batch.
 */
export class SingleRecord {
  readonly #slots: Slot[];
  readonly #inputs: ReadonlySet<string>;
  /** Of the record before, for which the places were found. */
  #keys: readonly string[] = [];

  /** @param inputs columns that a record brings */
  constructor(columns: readonly PreparedColumn[], inputs: readonly PreparedColumn[]) {
    this.#slots = columns.map((column) => ({
      column,
      place: -1,
      numbers: numberValues(new Float64Array(1), 1, null),
      texts: { kind: 'texts', values: [null] },
    }));
    this.#inputs = new Set(inputs.map(({ column }) => column));
  }

  /**
   * Whether the record was one of the kind; then its features are in `target`.
   * @param target zeros
   * @throws UnusableValueError
   */
  transform(record: RawRecord, target: FeatureTarget): boolean {
    if (!this.#findPlaces(Object.keys(record))) {
      return false;
    }
    const values = Object.values(record);
    const slots = this.#slots;
    for (let i = 0; i < slots.length; i++) {
      if (!isSimple(slots[i]!.column, values[slots[i]!.place])) {
        return false;
      }
    }
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      const value = values[slot.place];
      if (typeof value === 'string') {
        slot.texts.values[0] = value;
        writeFeatures(slot.column, slot.texts, target, null);
      } else {
        // The table that was trained on had no finer values.
        slot.numbers.values[0] = slot.column.type === 'float32' ? Math.fround(value as number) : (value as number);
        writeFeatures(slot.column, slot.numbers, target, null);
      }
    }
    return true;
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
      slot.place = keys.indexOf(slot.column.column);
    }
    this.#keys = keys;
    return true;
  }
}

function isSimple({ type, width, decoding }: PreparedColumn, value: unknown): boolean {
  if (type === 'text') {
    return typeof value === 'string';
  }
  const isNumber = type !== 'boolean' && type !== 'time' && width === null && decoding === null;
  return isNumber && typeof value === 'number' && Number.isFinite(value);
}
