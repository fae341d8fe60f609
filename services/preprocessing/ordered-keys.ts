import type { NumberArray } from '../pipeline/index.js';

/** Unsigned 64-bit integers in two halves, in the order of the values they stand for. */
export interface OrderedKeys {
  low: Uint32Array;
  high: Uint32Array;
}

/** Numbers as keys: of two numbers, the smaller has the smaller key; zero and minus zero have one. */
export function orderedKeys(values: NumberArray): OrderedKeys {
  if (values instanceof BigUint64Array || values instanceof BigInt64Array) {
    const keys = halves(values);
    for (let i = 0; values instanceof BigInt64Array && i < values.length; i++) {
      keys.high[i]! ^= 0x80000000;
    }
    return keys;
  }
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    // Minus zero and zero make zero.
    numbers[i] = values[i]! + 0;
  }
  const { low, high } = halves(numbers);
  for (let i = 0; i < high.length; i++) {
    const isNegative = high[i]! >>> 31 === 1;
    high[i] = isNegative ? ~high[i]! : high[i]! ^ 0x80000000;
    low[i] = isNegative ? ~low[i]! : low[i]!;
  }
  return { low, high };
}

/** The number that a key of a float64 stands for. */
export function numberOfKey(low: number, high: number): number {
  const isNegative = high >>> 31 === 0;
  const words = isNegative ? Uint32Array.of(~low, ~high) : Uint32Array.of(low, high ^ 0x80000000);
  return new Float64Array(words.buffer)[0]!;
}

function halves(values: Float64Array | BigInt64Array | BigUint64Array): OrderedKeys {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const [low, high] = [new Uint32Array(values.length), new Uint32Array(values.length)];
  for (let i = 0; i < values.length; i++) {
    low[i] = words[2 * i]!;
    high[i] = words[2 * i + 1]!;
  }
  return { low, high };
}

/** The integer that a key of 64-bit integers stands for. */
export function integerOfKey(low: number, high: number, isSigned: boolean): bigint {
  const bits = (BigInt(isSigned ? (high ^ 0x80000000) >>> 0 : high) << 32n) | BigInt(low);
  return isSigned ? BigInt.asIntN(64, bits) : bits;
}
