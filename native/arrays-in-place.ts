import { markAsUntransferable } from 'node:worker_threads';
import { invalidArgument } from './engine-error.js';

/**
 * The engine reads and writes arrays from its own threads: their memory must neither move nor shrink under it.
 * What is no array is left for the engine to refuse.
 */
export function keepInPlace(arrays: [field: string, array: unknown][]): void {
  for (const [field, array] of arrays) {
    if (!ArrayBuffer.isView(array)) continue;
    const buffer = array.buffer as ArrayBufferLike & { resizable?: boolean; growable?: boolean };
    if (buffer.resizable || buffer.growable) {
      throw invalidArgument(field, `Expected \`${field}\` to have a buffer of fixed length.`);
    }
    if (buffer instanceof ArrayBuffer) markAsUntransferable(buffer);
  }
}

/** Refuses null, which asks the addon for an array of its own. */
export function given<T>(output: T): T {
  if (output === null) throw invalidArgument('output', 'Expected `output` to be an array but received null.');
  return output;
}
