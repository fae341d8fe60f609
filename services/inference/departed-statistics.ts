import { mergeStatistics, type VersionStatistics } from './version-statistics.js';
import type { LoadStatistics } from './worker-commands.js';

/** What workers that have ended had counted, as they were heard of last, by load. */
export class DepartedStatistics<Worker> {
  readonly #last = new Map<Worker, readonly LoadStatistics[]>();
  readonly #departed = new Map<number, VersionStatistics>();

  heard(worker: Worker, statistics: readonly LoadStatistics[]): void {
    this.#last.set(worker, statistics);
  }

  lost(worker: Worker): void {
    for (const { id, statistics } of this.#last.get(worker) ?? []) {
      const before = this.#departed.get(id);
      this.#departed.set(id, before ? mergeStatistics([before, statistics]) : statistics);
    }
    this.#last.delete(worker);
  }

  /** Of one load; none: nothing was counted. */
  of(id: number): VersionStatistics[] {
    const statistics = this.#departed.get(id);
    return statistics ? [statistics] : [];
  }

  /** Forgets all loads but these. */
  keep(ids: ReadonlySet<number>): void {
    for (const id of this.#departed.keys()) {
      if (!ids.has(id)) {
        this.#departed.delete(id);
      }
    }
  }
}
