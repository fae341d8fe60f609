import { randomKey } from '../../pipeline/index.js';
import { sobolPolynomials } from './sobol-polynomials.js';

/** Most dimensions: one a polynomial, and the first, which needs none. */
export const sobolDimensionsMax = sobolPolynomials.length + 1;

const bits = 32;

/**
 * Sobol's sequence with the direction numbers of Joe and Kuo 2008, each dimension scrambled as Owen does it (Burley 2020: a hash of the
 * reversed bits stands for the tree of flips), so that every seed gives another evenly spread sequence.
 */
export class SobolSequence {
  readonly #directions: Uint32Array[];
  readonly #seeds: number[] | null;

  /** @param seed null: not scrambled */
  constructor(dimensions: number, seed: number | null) {
    if (dimensions > sobolDimensionsMax) {
      throw new Error(`a Sobol sequence has at most ${sobolDimensionsMax} dimensions, not ${dimensions}`);
    }
    this.#directions = Array.from({ length: dimensions }, (_, dimension) => directionsOf(dimension));
    this.#seeds = seed === null ? null : this.#directions.map((_, dimension) => randomKey(seed, dimension) >>> 0);
  }

  /** Point `index`, from 0, of numbers from 0 to 1 without 1. */
  point(index: number): number[] {
    return this.#directions.map((directions, dimension) => {
      let value = 0;
      for (let bit = 0, left = index; left > 0; bit++, left = Math.floor(left / 2)) {
        value ^= left % 2 === 1 ? directions[bit]! : 0;
      }
      const scrambled = this.#seeds ? scramble(value >>> 0, this.#seeds[dimension]!) : value >>> 0;
      return scrambled / 2 ** bits;
    });
  }
}

function directionsOf(dimension: number): Uint32Array {
  const directions = new Uint32Array(bits);
  if (dimension === 0) {
    return directions.map((_, bit) => 2 ** (bits - 1 - bit));
  }
  const [polynomial, ...first] = sobolPolynomials[dimension - 1]!;
  const degree = first.length;
  for (let bit = 0; bit < bits; bit++) {
    if (bit < degree) {
      directions[bit] = first[bit]! << (bits - 1 - bit);
      continue;
    }
    let value = directions[bit - degree]! ^ (directions[bit - degree]! >>> degree);
    for (let k = 1; k < degree; k++) {
      value ^= (polynomial! >> (degree - k)) & 1 ? directions[bit - k]! : 0;
    }
    directions[bit] = value;
  }
  return directions;
}

/** Flips each bit by a hash of those above it. The hash is of Laine and Karras 2011, with the constants of Vegdahl 2021. */
function scramble(value: number, seed: number): number {
  let hash = (reverseBits(value) + seed) >>> 0;
  hash ^= Math.imul(hash, 0x6c50b47c);
  hash ^= Math.imul(hash, 0xb82f1e52);
  hash ^= Math.imul(hash, 0xc7afe638);
  hash ^= Math.imul(hash, 0x8d22f6e6);
  return reverseBits(hash);
}

function reverseBits(value: number): number {
  let [left, reversed] = [value, 0];
  for (let bit = 0; bit < bits; bit++) {
    reversed = (reversed << 1) | (left & 1);
    left >>>= 1;
  }
  return reversed >>> 0;
}
