import { HashIndex } from '../hash-index.js';
import type { OrderedKeys } from '../ordered-keys.js';
import type { CountedValue, ValueCounts } from './value-counts.js';

const topValuesMax = 10;
/** Counted again: more than are shown, as their order may change. */
const candidatesMax = 1_000;

/** The most frequent values; of equal counts, the smaller. */
export function mostFrequent(values: readonly CountedValue[], most = topValuesMax): CountedValue[] {
  const sorted = values.toSorted((a, b) => b.count - a.count || byText(a, b) || a.high - b.high || a.low - b.low);
  return sorted.slice(0, most);
}

function byText({ text: a }: CountedValue, { text: b }: CountedValue): number {
  return a === null || b === null || a === b ? 0 : a < b ? -1 : 1;
}

/** Counts exactly, in a second pass, the values that a first pass took for the most frequent. */
export class Recount {
  readonly #index = new HashIndex();
  readonly #values: CountedValue[];

  constructor(counts: ValueCounts) {
    this.#values = mostFrequent([...counts.values()], candidatesMax).map((value) => ({ ...value, count: 0 }));
    for (const { low, high } of this.#values) {
      this.#index.add(low, high);
    }
  }

  add({ low, high }: OrderedKeys, textOf: ((i: number) => string) | null = null): void {
    for (let i = 0; i < low.length; i++) {
      const number = this.#index.get(low[i]!, high[i]!);
      if (number >= 0) {
        const value = this.#values[number]!;
        value.count++;
        value.text ??= textOf?.(i) ?? null;
      }
    }
  }

  /** Values that stand but once are no more frequent than others that are not among them. */
  values(): CountedValue[] {
    return this.#values.filter(({ count }) => count > 1);
  }
}
