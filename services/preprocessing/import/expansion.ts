/** What a compressed file may become: so many bytes in any case, or so many times its own size. */
const expandedBytesMin = 256 * 1024 * 1024;
const expansionMax = 100;

/** Most bytes that a compressed file of this size is unpacked to. */
export function expandedBytesMax(sizeBytes: number): number {
  return Math.max(expandedBytesMin, expansionMax * sizeBytes);
}
