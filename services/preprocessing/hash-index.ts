const loadMax = 0.5;

/** Numbers the 64-bit keys that it meets: 0 for the first, 1 for the next that is new. Open addressing in typed arrays. */
export class HashIndex {
  /** Place in the table to number of the key, from 1; 0: free. */
  #slots = new Uint32Array(1 << 10);
  #low = new Uint32Array(1 << 9);
  #high = new Uint32Array(1 << 9);
  size = 0;

  /** The key's number; a new key gets the next. */
  add(low: number, high: number): number {
    const slot = this.#find(low, high);
    const found = this.#slots[slot]!;
    if (found > 0) {
      return found - 1;
    }
    if (this.size === this.#low.length) {
      this.#grow();
      return this.add(low, high);
    }
    this.#low[this.size] = low;
    this.#high[this.size] = high;
    this.#slots[slot] = ++this.size;
    return this.size - 1;
  }

  /** The key's number, or -1. */
  get(low: number, high: number): number {
    return this.#slots[this.#find(low, high)]! - 1;
  }

  /** The key with this number: its halves. */
  key(number: number): [low: number, high: number] {
    return [this.#low[number]!, this.#high[number]!];
  }

  /** Forgets all keys and keeps its room. */
  clear(): void {
    this.#slots.fill(0);
    this.size = 0;
  }

  #find(low: number, high: number): number {
    const mask = this.#slots.length - 1;
    // The keys may be numbers as they lie, whose low bits are often all zero.
    let slot = Math.imul(low ^ (high >>> 13) ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
    slot = (slot ^ (slot >>> 15)) & mask;
    for (;;) {
      const number = this.#slots[slot]!;
      if (number === 0 || (this.#low[number - 1] === low && this.#high[number - 1] === high)) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const [low, high] = [this.#low, this.#high];
    this.#slots = new Uint32Array(this.#slots.length * 2);
    this.#low = new Uint32Array(this.#slots.length * loadMax);
    this.#high = new Uint32Array(this.#slots.length * loadMax);
    this.#low.set(low);
    this.#high.set(high);
    for (let number = 0; number < this.size; number++) {
      this.#slots[this.#find(low[number]!, high[number]!)] = number + 1;
    }
  }
}
