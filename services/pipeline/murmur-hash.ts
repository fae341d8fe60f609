/**
 * MurmurHash3, 32 bits for x86 (Appleby 2011), as a signed integer. Packages of this hash take each UTF-16 unit for a byte, or have no
 * types.
 */
export function murmurHash(bytes: Uint8Array, length = bytes.length): number {
  let h = 0;
  const blocks = length & ~3;
  for (let i = 0; i < blocks; i += 4) {
    h ^= scramble(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= blocks; i--) {
    tail = (tail << 8) | bytes[i]!;
  }
  h ^= scramble(tail);
  h ^= length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

const encoder = new TextEncoder();
let buffer = new Uint8Array(256);

/** Of the UTF-8 of a text. */
export function hashText(text: string): number {
  if (text.length * 3 > buffer.length) {
    buffer = new Uint8Array(text.length * 6);
  }
  return murmurHash(buffer, encoder.encodeInto(text, buffer).written);
}

/** The place of a hash among `count`, the same as scikit-learn's. */
export function hashPlace(hash: number, count: number): number {
  // The smallest integer has no opposite.
  return hash === -0x8000_0000 ? (0x7fff_ffff - (count - 1)) % count : Math.abs(hash) % count;
}
