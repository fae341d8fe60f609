/** MurmurHash3's 32-bit finalizer (Appleby 2011): every bit of the input changes about half of the output's. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * A pseudo-random integer from 0 to 2^53 - 1 that depends on seed and row only: 32-bit integer operations, so that it is
 * the same everywhere and in every language.
 *
 * With lo and hi the low and high 32 bits of the seed, and r the row's number from 0:
 *   a = mix(mix(mix(r + 0x9e3779b9) ^ lo) ^ hi),  b = mix(a ^ mix(r ^ 0x85ebca77)),  key = (a >> 11) * 2^32 + b
 *
 * @param seed 0 to 2^53 - 1
 * @param row 0 to 2^32 - 1
 */
export function randomKey(seed: number, row: number): number {
  const a = mix(mix(mix((row + 0x9e3779b9) >>> 0) ^ (seed >>> 0)) ^ Math.floor(seed / 0x1_0000_0000));
  const b = mix(a ^ mix(row ^ 0x85ebca77));
  return (a >>> 11) * 0x1_0000_0000 + b;
}
