const c1 = 0xcc9e2d51;
const c2 = 0x1b873593;

const rotateLeft = (x: number, by: number) => (x << by) | (x >>> (32 - by));
const scramble = (block: number) => Math.imul(rotateLeft(Math.imul(block, c1), 15), c2);

/**
 * MurmurHash3 (Austin Appleby, x86, 32 bits) of a text's UTF-16LE bytes, from 0 to 2^32 - 1: the same in every process, today and
 * after an upgrade.
 */
export function routingHash(text: string, seed = 0): number {
  let hash = seed;
  const even = text.length & ~1;
  for (let i = 0; i < even; i += 2) {
    hash ^= scramble(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    hash = (Math.imul(rotateLeft(hash, 13), 5) + 0xe6546b64) | 0;
  }
  if (even < text.length) {
    hash ^= scramble(text.charCodeAt(even));
  }
  return spreadBits(hash ^ (text.length * 2));
}

/** MurmurHash3's last step: every bit of the input changes half of the bits of the result. */
export function spreadBits(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
