/** A failure may hit what was under way when a worker was killed, and what was sent before its client had heard of that. */
const noticeMs = 250;

/** Counts what came of the requests, and judges failures. */
export class Ledger {
  readonly answered = new Map<string, number>();
  /** Requests that went with a killed worker. */
  readonly lost = new Map<string, number>();
  /** What must not be: each kind with its number and its first words. */
  readonly violations = new Map<string, { count: number; first: string }>();
  /** What bad clients were told, and how often. */
  readonly refusals = new Map<string, number>();
  /** What was changed meanwhile. */
  readonly changes = new Map<string, number>();
  readonly #killTimes: number[] = [];

  killed(): void {
    this.#killTimes.push(performance.now());
    add(this.changes, 'workers killed');
  }

  /** @param begin when the request was sent, by `performance.now()` */
  failed(client: string, begin: number, error: { code?: string | number; message: string }): void {
    const isUnavailable = error.code === 'UNAVAILABLE' || error.code === 14 || error.code === 503;
    const isLost = isUnavailable && this.#killTimes.some((at) => begin < at + noticeMs && performance.now() >= at);
    if (isLost) {
      add(this.lost, client);
    } else {
      this.violate(`${client}: a request failed with ${error.code ?? 'an error'}`, error.message);
    }
  }

  /** Whether a worker was killed since then: a bad client may have been told that nobody is there. */
  isUnsettled(begin: number): boolean {
    return this.#killTimes.some((at) => begin < at + noticeMs);
  }

  violate(what: string, words: string): void {
    const { count, first } = this.violations.get(what) ?? { count: 0, first: words };
    this.violations.set(what, { count: count + 1, first });
  }
}

export function add(counts: Map<string, number>, name: string, count = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}
