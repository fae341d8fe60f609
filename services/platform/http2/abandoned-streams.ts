/** Streams that are remembered by their number. */
const rememberedMax = 1_000;

/** Streams that were ended before the peer had sent all of it: what is still on its way is no mistake. */
export class AbandonedStreams {
  /** Oldest first. */
  readonly #ids = new Set<number>();
  /** The highest of those that are not remembered any more: of none up to it can be said that it was not abandoned. */
  #forgotten = 0;

  add(id: number): void {
    if (this.#ids.size >= rememberedMax) {
      const [oldest] = this.#ids;
      this.#ids.delete(oldest!);
      this.#forgotten = Math.max(this.#forgotten, oldest!);
    }
    this.#ids.add(id);
  }

  has(id: number): boolean {
    return id <= this.#forgotten || this.#ids.has(id);
  }

  /** Nothing more will come on the stream. */
  delete(id: number): void {
    this.#ids.delete(id);
  }

  get size(): number {
    return this.#ids.size;
  }
}
