/** Works on the items one after the other, on some while the caller still has the result before, and answers in their order. */
export async function* workAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const begun: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // It is looked at in its turn.
      result.catch(() => undefined);
      begun.push(result);
      if (begun.length > ahead) {
        yield await begun.shift()!;
      }
    }
    while (begun.length > 0) {
      yield await begun.shift()!;
    }
  } finally {
    await Promise.allSettled(begun);
  }
}
