/** Who waits for a change, by the name of what changes. */
export class Observers {
  readonly #revisions = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();

  /** A number that another change will have changed; 0 for what has never changed. */
  revision(name: string): number {
    return this.#revisions.get(name) ?? 0;
  }

  changed(name: string): void {
    this.#revisions.set(name, this.revision(name) + 1);
    this.#wake(name);
  }

  /** There will be no other change. */
  ended(name: string): void {
    this.#revisions.delete(name);
    this.#wake(name);
  }

  /** Resolves with the next change, or after `timeoutMs`. */
  wait(name: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set();
      this.#waiting.set(name, waiting);
      const settle = () => {
        clearTimeout(timer);
        waiting.delete(settle);
        if (waiting.size === 0 && this.#waiting.get(name) === waiting) {
          this.#waiting.delete(name);
        }
        resolve();
      };
      // Whoever waits for news keeps no process from ending.
      const timer = setTimeout(settle, timeoutMs).unref();
      waiting.add(settle);
    });
  }

  #wake(name: string): void {
    for (const settle of [...(this.#waiting.get(name) ?? [])]) {
      settle();
    }
  }
}
