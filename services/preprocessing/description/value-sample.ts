import { randomKey } from '../../pipeline/index.js';

const sizeMax = 8_192;
const partsMax = 64;
const partSizeMin = 5;
const seed = 0;

/** A random sample of at most 8,192 of many numbers; the same of the same. */
export class ValueSample {
  #values = new Float64Array(sizeMax);
  #keys = new Float64Array(sizeMax);
  #size = 0;
  #limit = 2 ** 53;
  #seen = 0;

  add(values: Float64Array): void {
    for (const value of values) {
      const key = randomKey(seed, this.#seen++ >>> 0);
      if (key < this.#limit) {
        this.#keep(value, key);
      }
    }
  }

  #keep(value: number, key: number): void {
    if (this.#size === sizeMax) {
      this.#halve();
      if (key >= this.#limit) {
        return;
      }
    }
    this.#values[this.#size] = value;
    this.#keys[this.#size++] = key;
  }

  #halve(): void {
    this.#limit /= 2;
    let size = 0;
    for (let i = 0; i < this.#size; i++) {
      if (this.#keys[i]! < this.#limit) {
        this.#values[size] = this.#values[i]!;
        this.#keys[size++] = this.#keys[i]!;
      }
    }
    this.#size = size;
  }

  /** Rising limits between parts of about equal size: at most 64, of five values or more. */
  limits(): number[] {
    const sorted = this.#values.slice(0, this.#size).sort();
    const parts = Math.min(partsMax, Math.floor(sorted.length / partSizeMin));
    const limits = Array.from(
      { length: Math.max(parts - 1, 0) },
      (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / parts)]!,
    );
    return [...new Set(limits)];
  }
}
