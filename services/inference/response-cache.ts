import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** Bytes that an entry takes beside its tensors, about. */
const entryBytes = 200;

/**
 * Answers of one version by what was asked: a network gives the same bytes for the same bytes. When it is full, what was not
 * asked for longest makes room.
 */
export class ResponseCache {
  readonly #answers: LRUCache<string, Uint8Array[]>;

  constructor(readonly bytesMax: number) {
    this.#answers = new LRUCache({
      maxSize: bytesMax,
      sizeCalculation: (outputs) => entryBytes + outputs.reduce((sum, { length }) => sum + length, 0),
    });
  }

  /** The bytes in use. */
  get sizeBytes(): number {
    return this.#answers.calculatedSize;
  }

  /** Inputs of different lengths or order never share a key; those of different content as seldom as SHA-256 lets them. */
  static key(inputs: readonly Uint8Array[]): string {
    const hash = createHash('sha256');
    for (const input of inputs) {
      hash.update(`${input.length}:`).update(input);
    }
    return hash.digest('base64');
  }

  get(key: string): Uint8Array[] | null {
    return this.#answers.get(key) ?? null;
  }

  /** Keeps a copy: outputs are views of a whole batch. */
  set(key: string, outputs: readonly Uint8Array[]): void {
    this.#answers.set(
      key,
      outputs.map((output) => Uint8Array.from(output)),
    );
  }
}
