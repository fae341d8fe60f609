import type { TextChunk } from './column-chunk.js';
import { loadNative } from './native.js';

/** How often each text occurs among some rows, in the order in which they come first; those that are missing do not count. */
export async function countTexts(
  { offsets, bytes, validity }: TextChunk,
  rows: Int32Array,
): Promise<[text: string, count: number][]> {
  const native = await loadNative();
  const places = offsets instanceof Int32Array ? offsets : Int32Array.from(offsets, Number);
  const found = native.countTexts({ bytes, offsets: places, validity }, rows);
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const textOf = (row: number) => content.toString('utf8', places[row], places[row + 1]);
  return Array.from({ length: found.length / 2 }, (_, i) => [textOf(found[2 * i]!), found[2 * i + 1]!]);
}
