/** What a writer is told of one batch: it was received and checked. It is safe on disk only once the version is named. */
export interface BatchReceived {
  /** Counts from 1. */
  batch: number;
  /** Rows of this batch and all before it. */
  rowCount: number;
}

const waitingMax = 1_000;

/**
 * Hands on what was received at the pace of whoever reads it. A writer that reads nothing must not be waited for, since it may
 * read only when it has sent all: of more than `waitingMax` the oldest are left out, and the counts go on.
 */
export class PutProgress implements AsyncIterable<BatchReceived> {
  readonly #waiting: BatchReceived[] = [];
  #isClosed = false;
  #wake: (() => void) | null = null;

  push(received: BatchReceived): void {
    this.#waiting.push(received);
    if (this.#waiting.length > waitingMax) {
      this.#waiting.shift();
    }
    this.#wake?.();
  }

  /** No more will come; what waits is still handed on. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BatchReceived> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) {
        yield next;
      } else if (this.#isClosed) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
