/** Longer texts are rarely the same twice. */
const cachedBytes = 24;
const slots = 8_192;

/**
 * Decodes UTF-8. A short text that came before is mostly the same string again: categories are read without making a new string
 * for each row, and what is looked up by them has their hash at hand.
 */
class TextReader {
  readonly #texts = new Array<string | undefined>(slots);
  readonly #lengths = new Uint8Array(slots);
  readonly #bytes = new Uint8Array(slots * cachedBytes);

  read(bytes: Buffer, from: number, to: number): string {
    const length = to - from;
    if (length > cachedBytes) {
      return bytes.toString('utf8', from, to);
    }
    const slot = slotOf(bytes, from, to);
    if (this.#isAt(slot, bytes, from, length)) {
      return this.#texts[slot]!;
    }
    const text = bytes.toString('utf8', from, to);
    this.#texts[slot] = text;
    this.#lengths[slot] = length;
    this.#bytes.set(bytes.subarray(from, to), slot * cachedBytes);
    return text;
  }

  #isAt(slot: number, bytes: Buffer, from: number, length: number): boolean {
    if (this.#lengths[slot] !== length || this.#texts[slot] === undefined) {
      return false;
    }
    const cached = this.#bytes;
    const start = slot * cachedBytes;
    for (let i = 0; i < length; i++) {
      if (cached[start + i] !== bytes[from + i]) {
        return false;
      }
    }
    return true;
  }
}

/** FNV-1a (Fowler, Noll and Vo 1991), its upper bits mixed into those that pick the slot. */
function slotOf(bytes: Buffer, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  }
  return (hash ^ (hash >>> 16)) & (slots - 1);
}

/** One for all columns: it holds some 200 KB, and what it has seen of other columns does no harm. */
export const textReader = new TextReader();
