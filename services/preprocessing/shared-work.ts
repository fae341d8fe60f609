interface Running<T> {
  result: Promise<T>;
  waiting: number;
  abort: AbortController;
}

/** Work that callers who ask for the same wait for together. It is given up when all of them have gone away. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let given = this.#running.get(key); given?.abort.signal.aborted; given = this.#running.get(key)) {
      // It must have come to its end before the same begins anew.
      await given.result.catch(() => undefined);
    }
    signal.throwIfAborted();
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.waiting++;
    let leave = () => {};
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([running.result, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      if (--running.waiting === 0) {
        running.abort.abort();
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const abort = new AbortController();
    const running = { result: work(abort.signal), waiting: 0, abort };
    // Nobody may be left to hear of a failure.
    const forget = () => this.#running.delete(key);
    running.result = running.result.finally(forget);
    running.result.catch(() => undefined);
    this.#running.set(key, running);
    return running;
  }
}
