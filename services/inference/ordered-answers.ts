/** One waits until another says that something has changed. */
class Signal {
  #wake: (() => void) | null = null;

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  give(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/**
 * Answers requests in the order they came, while up to `pendingMax` of them are worked on at once. A slow reader of the answers
 * slows the reading of requests.
 */
export async function* inOrder<Request, Answer>(
  requests: AsyncIterable<Request>,
  answer: (request: Request) => Promise<Answer>,
  pendingMax: number,
): AsyncGenerator<Answer, void> {
  const pending: Promise<Answer>[] = [];
  const added = new Signal();
  const taken = new Signal();
  let isStopped = false;
  let isRead = false;
  const read = async () => {
    for await (const request of requests) {
      if (isStopped) {
        return;
      }
      const answered = answer(request);
      // Whoever takes it in its turn sees the failure.
      answered.catch(() => undefined);
      pending.push(answered);
      added.give();
      if (pending.length >= pendingMax) {
        await taken.wait();
      }
    }
  };
  const reading = read().finally(() => {
    isRead = true;
    added.give();
  });
  reading.catch(() => undefined);
  try {
    while (pending.length > 0 || !isRead) {
      const next = pending.shift();
      if (next) {
        const value = await next;
        taken.give();
        yield value;
      } else {
        await added.wait();
      }
    }
    await reading;
  } finally {
    isStopped = true;
    taken.give();
  }
}
