const precision = 14;
const registerCount = 1 << precision;
/** Bits of a 64-bit hash after those that choose the register. */
const valueBits = 64 - precision;

/**
 * Estimates how many distinct hashes were added, in 16 KB: HyperLogLog (Flajolet et al. 2007) with 2^14 registers and the
 * estimator of Ertl 2017 ("New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6), which needs no
 * correction tables. Standard error 0.81 %.
 */
export class HyperLogLog {
  readonly #registers = new Uint8Array(registerCount);

  /** Halves of a 64-bit hash, each bit as good as random. */
  add(low: number, high: number): void {
    const register = high >>> (32 - precision);
    const rest = (high << precision) >>> 0;
    const zeros = rest !== 0 ? Math.clz32(rest) : 32 - precision + Math.clz32(low);
    if (zeros >= this.#registers[register]!) {
      this.#registers[register] = zeros + 1;
    }
  }

  estimate(): number {
    const counts = new Uint32Array(valueBits + 2);
    for (const value of this.#registers) {
      counts[value]!++;
    }
    let z = registerCount * tau(1 - counts[valueBits + 1]! / registerCount);
    for (let k = valueBits; k >= 1; k--) {
      z = (z + counts[k]!) / 2;
    }
    z += registerCount * sigma(counts[0]! / registerCount);
    return Math.round(registerCount ** 2 / (2 * Math.LN2 * z));
  }
}

function sigma(share: number): number {
  if (share === 1) {
    return Number.POSITIVE_INFINITY;
  }
  let [x, y, z, before] = [share, 1, share, Number.NaN];
  while (z !== before) {
    before = z;
    x *= x;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) {
    return 0;
  }
  let [x, y, z, before] = [share, 1, 1 - share, Number.NaN];
  while (z !== before) {
    before = z;
    x = Math.sqrt(x);
    y /= 2;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}
