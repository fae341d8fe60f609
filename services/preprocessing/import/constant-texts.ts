import type { TextChunk } from '../../pipeline/index.js';

/** A text in each of `length` rows. */
export function constantTexts(text: string, length: number): TextChunk {
  const one = Buffer.from(text);
  const bytes = Buffer.alloc(one.length * length, one);
  const offsets = Int32Array.from({ length: length + 1 }, (_, row) => row * one.length);
  return { kind: 'text', length, offsets, bytes, validity: null };
}
