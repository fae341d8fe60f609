const smallMax = 256;

/** What is known of values, in the order in which they came. Small whole numbers, as most labels are, are found without hashing. */
export class ValueMap<Known> {
  readonly #known = new Map<number | string, Known>();
  readonly #small: (Known | undefined)[] = new Array(smallMax).fill(undefined);

  get size(): number {
    return this.#known.size;
  }

  get(value: number | string): Known | undefined {
    return isSmall(value) ? this.#small[value] : this.#known.get(value);
  }

  set(value: number | string, known: Known): void {
    this.#known.set(value, known);
    if (isSmall(value)) {
      this.#small[value] = known;
    }
  }

  [Symbol.iterator](): Iterator<[value: number | string, known: Known]> {
    return this.#known[Symbol.iterator]();
  }
}

function isSmall(value: number | string): value is number {
  return typeof value === 'number' && value >>> 0 === value && value < smallMax;
}
