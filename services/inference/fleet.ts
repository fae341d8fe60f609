import type { Logger } from '../platform/log.js';
import type { MetricsSnapshot } from '../platform/metrics.js';
import type { SharedRegion } from './control.js';
import { BrokenArtifact } from './model-files.js';
import type { ModelTable } from './model-table.js';
import { LinkBroken } from './process-link.js';
import type { LoadStatistics, ServerSettings, VersionFiles, WorkerCommands } from './worker-commands.js';

/** Workers that may end while they load a version before that is laid to the version. */
const deathsMax = 3;

interface FleetVersion {
  files: VersionFiles;
  /** Every worker of the time had it. */
  isReady: boolean;
  deaths: number;
}

/** All workers as one, and what each of them must know: a worker that comes later is told all of it before it serves. */
export class Fleet {
  readonly #workers = new Set<WorkerCommands>();
  readonly #versions = new Map<number, FleetVersion>();
  readonly #tables = new Map<string, ModelTable>();
  readonly #regions = new Map<string, SharedRegion>();
  #isReady = false;
  #joined = () => {};
  #nextJoin = this.#awaitJoin();

  constructor(
    private settings: ServerSettings,
    private readonly log: Logger,
  ) {}

  get size(): number {
    return this.#workers.size;
  }

  /** Tells a worker all that there is; resolves when it can take connections. Fails when it cannot serve what others do. */
  async join(worker: WorkerCommands): Promise<void> {
    this.#workers.add(worker);
    const told: Promise<unknown>[] = [worker.configure(this.settings)];
    for (const region of this.#regions.values()) {
      told.push(worker.registerRegion(region).catch((error: unknown) => this.#reportRegion(region, error)));
    }
    for (const [id, { isReady, files }] of this.#versions) {
      if (isReady) {
        told.push(worker.prepare(files).catch((error: unknown) => this.#ignoreReleased(id, error)));
      }
    }
    for (const table of this.#tables.values()) {
      told.push(worker.route(table));
    }
    told.push(worker.setReady(this.#isReady));
    try {
      await Promise.all(told);
    } catch (error) {
      this.#workers.delete(worker);
      throw error;
    }
    // A version that was on its way without this worker waits for it.
    const joined = this.#joined;
    this.#nextJoin = this.#awaitJoin();
    joined();
  }

  leave(worker: WorkerCommands): void {
    this.#workers.delete(worker);
  }

  /** Resolves when every worker has the version. Fails with `BrokenArtifact` when one finds it broken. */
  async prepare(files: VersionFiles): Promise<void> {
    const version: FleetVersion = { files, isReady: false, deaths: 0 };
    this.#versions.set(files.id, version);
    const have = new Set<WorkerCommands>();
    try {
      for (;;) {
        const lacking = [...this.#workers].filter((worker) => !have.has(worker));
        if (lacking.length === 0 && this.#workers.size > 0) {
          version.isReady = true;
          return;
        }
        await (lacking.length > 0
          ? Promise.all(lacking.map((worker) => this.#prepareIn(worker, version, have)))
          : this.#nextJoin);
      }
    } catch (error) {
      this.release(files.id);
      throw error;
    }
  }

  async #prepareIn(worker: WorkerCommands, version: FleetVersion, have: Set<WorkerCommands>): Promise<void> {
    try {
      await worker.prepare(version.files);
      have.add(worker);
    } catch (error) {
      if (!(error instanceof LinkBroken)) {
        throw error;
      }
      this.#workers.delete(worker);
      version.deaths++;
      if (version.deaths >= deathsMax) {
        throw new BrokenArtifact(`${version.deaths} processes ended while they loaded it`, { cause: error });
      }
    }
  }

  release(id: number): void {
    this.#versions.delete(id);
    this.#tell((worker) => worker.release(id));
  }

  route(table: ModelTable): void {
    this.#tables.set(table.name, table);
    this.#tell((worker) => worker.route(table));
  }

  removeModel(model: string): void {
    this.#tables.delete(model);
    this.#tell((worker) => worker.removeModel(model));
  }

  setReady(isReady: boolean): void {
    this.#isReady = isReady;
    this.#tell((worker) => worker.setReady(isReady));
  }

  async configure(settings: ServerSettings): Promise<void> {
    this.settings = settings;
    await this.#all((worker) => worker.configure(settings));
  }

  /** Opens a region in every worker, or in none. */
  async registerRegion(region: SharedRegion): Promise<void> {
    this.#regions.set(region.name, region);
    try {
      await this.#all((worker) => worker.registerRegion(region));
    } catch (error) {
      await this.unregisterRegion(region.name);
      throw error;
    }
  }

  async unregisterRegion(name: string): Promise<void> {
    if (name === '') {
      this.#regions.clear();
    } else {
      this.#regions.delete(name);
    }
    await this.#all((worker) => worker.unregisterRegion(name));
  }

  region(name: string): SharedRegion | null {
    return this.#regions.get(name) ?? null;
  }

  get currentSettings(): ServerSettings {
    return this.settings;
  }

  regions(): SharedRegion[] {
    return [...this.#regions.values()];
  }

  /** Resolves when every worker has taken all commands given before. */
  async settled(): Promise<void> {
    await this.#all((worker) => worker.setReady(this.#isReady));
  }

  async statistics(): Promise<[WorkerCommands, LoadStatistics[]][]> {
    return this.#all(async (worker) => [worker, await worker.statistics()]);
  }

  async metrics(): Promise<[WorkerCommands, MetricsSnapshot][]> {
    return this.#all(async (worker) => [worker, await worker.metrics()]);
  }

  async stop(graceMs: number): Promise<void> {
    await this.#all((worker) => worker.stop(graceMs));
  }

  /** Asks every worker; the answers of those that are there to answer. */
  async #all<T>(ask: (worker: WorkerCommands) => Promise<T>): Promise<T[]> {
    const outcomes = await Promise.allSettled([...this.#workers].map(ask));
    return outcomes.flatMap((outcome) => {
      if (outcome.status === 'fulfilled') {
        return [outcome.value];
      }
      if (outcome.reason instanceof LinkBroken) {
        return [];
      }
      throw outcome.reason;
    });
  }

  #tell(command: (worker: WorkerCommands) => Promise<void>): void {
    for (const worker of this.#workers) {
      command(worker).catch((error: unknown) => {
        if (!(error instanceof LinkBroken)) {
          this.log.error({ err: error }, 'a worker cannot follow');
        }
      });
    }
  }

  #awaitJoin(): Promise<void> {
    return new Promise((resolve) => {
      this.#joined = resolve;
    });
  }

  #ignoreReleased(id: number, error: unknown): void {
    if (this.#versions.has(id)) {
      throw error;
    }
  }

  #reportRegion(region: SharedRegion, error: unknown): void {
    if (error instanceof LinkBroken) {
      throw error;
    }
    this.log.warn({ region: region.name, err: error }, 'a new worker cannot open a region that others have');
  }
}
