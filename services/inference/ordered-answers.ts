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

/** A request that is worked on. */
interface Pending<Answer> {
  answer: Promise<Answer>;
  /** Its answer is there, and may go together with others. */
  joins: boolean;
}

/** Which answers may go together, and how many. */
export interface Grouping<Answer> {
  max: number;
  joins(answer: Answer): boolean;
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
  for await (const group of inOrderTogether(requests, answer, pendingMax, { max: 1, joins: () => false })) {
    yield* group;
  }
}

/** As `inOrder`, but gives answers that are there at the same time together. */
export async function* inOrderTogether<Request, Answer>(
  requests: AsyncIterable<Request>,
  answer: (request: Request) => Promise<Answer>,
  pendingMax: number,
  { max, joins }: Grouping<Answer>,
): AsyncGenerator<Answer[], void> {
  const pending: Pending<Answer>[] = [];
  const added = new Signal();
  const taken = new Signal();
  let isStopped = false;
  let isRead = false;
  const read = async () => {
    for await (const request of requests) {
      if (isStopped) {
        return;
      }
      pending.push(watched(answer(request), joins));
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
  reading.catch(() => {});
  try {
    while (pending.length > 0 || !isRead) {
      const next = pending.shift();
      if (next) {
        const group = [await next.answer];
        // Those that were computed together with it are there a moment later.
        await null;
        while (next.joins && group.length < max && pending[0]?.joins) {
          group.push(await pending.shift()!.answer);
        }
        taken.give();
        yield group;
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

function watched<Answer>(answer: Promise<Answer>, joins: (answer: Answer) => boolean): Pending<Answer> {
  const pending = { answer, joins: false };
  answer.then(
    (value) => {
      pending.joins = joins(value);
    },
    // Whoever takes it in its turn sees the failure.
    () => {},
  );
  return pending;
}
