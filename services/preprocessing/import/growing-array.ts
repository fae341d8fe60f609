import { type NumberArray, type NumberType, numberArrays } from '../../pipeline/index.js';

/** Numbers whose count is not known beforehand. */
export class GrowingArray {
  array: NumberArray;

  constructor(
    private readonly type: NumberType,
    capacity: number,
  ) {
    this.array = new numberArrays[type](capacity);
  }

  /** Makes room for numbers 0 to `length`. */
  reserve(length: number): NumberArray {
    if (length > this.array.length) {
      const larger = new numberArrays[this.type](Math.max(length, 2 * this.array.length, 64));
      larger.set(this.array as never);
      this.array = larger;
    }
    return this.array;
  }
}
