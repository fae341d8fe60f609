import { HashIndex } from '../hash-index.js';
import { mix } from '../row-hash.js';
import { HyperLogLog } from './hyper-log-log.js';

/** Distinct values up to which counts are exact. */
export const distinctExactMax = 1 << 16;

export interface CountedValue {
  low: number;
  high: number;
  /** What it says, of a text: at most its first letters. Null: not known yet, or no text. */
  text: string | null;
  count: number;
}

/**
 * How often each value occurs, by 64-bit keys, in memory that does not grow with the rows. Up to 65,536 distinct values the
 * counts are exact. Beyond, the distinct values are estimated, and of the counts those of frequent values are kept: whenever
 * the table is full, the median count is taken off each, and what falls to zero leaves (Anderson et al. 2017, "A
 * high-performance algorithm for identifying frequent items in data streams"). A value's count is then too low by at most
 * what was taken off, a small part of the rows; a second pass can count what is left.
 */
export class ValueCounts {
  #index = new HashIndex();
  #counts = new Float64Array(distinctExactMax);
  /** What the next pruning fills. */
  #spareIndex = new HashIndex();
  #spareCounts = new Float64Array(distinctExactMax);
  #texts: string[] = [];
  #estimate: HyperLogLog | null = null;

  get isExact(): boolean {
    return this.#estimate === null;
  }

  /** Distinct values: exact, or with a standard error of 0.81 %. */
  get distinct(): number {
    return this.#estimate?.estimate() ?? this.#index.size;
  }

  /** @param textOf says what the value is, when it is met first */
  add(low: number, high: number, count: number, textOf: ((row: number) => string) | null = null, row = 0): void {
    if (this.#estimate) {
      addMixed(this.#estimate, low, high);
    }
    const { size } = this.#index;
    const number = this.#index.add(low, high);
    if (number < size) {
      this.#counts[number]! += count;
      return;
    }
    if (number === distinctExactMax) {
      this.#prune();
      this.#put(this.#index.add(low, high), count, textOf, row);
    } else {
      this.#put(number, count, textOf, row);
    }
  }

  #put(number: number, count: number, textOf: ((row: number) => string) | null, row: number): void {
    this.#counts[number] = count;
    // Once values come and go, their texts are found in a second pass.
    if (textOf && !this.#estimate) {
      this.#texts[number] = textOf(row);
    }
  }

  #prune(): void {
    const [before, counts] = [this.#index, this.#counts];
    if (!this.#estimate) {
      this.#estimate = new HyperLogLog();
      for (let number = 0; number <= distinctExactMax; number++) {
        addMixed(this.#estimate, ...before.key(number));
      }
      this.#texts = [];
    }
    const off = medianOf(counts);
    [this.#index, this.#spareIndex] = [this.#spareIndex, before];
    [this.#counts, this.#spareCounts] = [this.#spareCounts, counts];
    this.#index.clear();
    for (let number = 0; number < distinctExactMax; number++) {
      const left = counts[number]! - off;
      if (left > 0) {
        this.#counts[this.#index.add(...before.key(number))] = left;
      }
    }
  }

  /** All that are left, in the order in which they came. */
  *values(): Generator<CountedValue> {
    for (let number = 0; number < this.#index.size; number++) {
      const [low, high] = this.#index.key(number);
      yield { low, high, text: this.#texts[number] ?? null, count: this.#counts[number]! };
    }
  }
}

/** Of a sample, as nothing depends on its being exact; at least 1. */
function medianOf(counts: Float64Array): number {
  const step = 64;
  const sample = Float64Array.from({ length: counts.length / step }, (_, i) => counts[i * step]!).sort();
  return sample[sample.length >> 1]!;
}

/** Keys may be numbers as they lie: their bits are not random yet. */
function addMixed(estimate: HyperLogLog, low: number, high: number): void {
  const a = mix(low ^ Math.imul(high, 0x9e3779b1));
  estimate.add(mix(a + high), a);
}
