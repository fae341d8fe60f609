import { ServiceError } from '../platform/errors.js';
import type { LoadedVersion } from './loaded-version.js';
import { defaultAlias, explainMissing, type ModelTable, type VersionStatus } from './model-table.js';
import { ShadowSample } from './shadow.js';
import type { ShadowRoute } from './shadowing.js';
import { EvenSpread, rootStep, TrafficSplit } from './traffic.js';

export interface ModelStatus {
  name: string;
  versions: readonly VersionStatus[];
}

/** What choices by share go by; they outlive every change of what is served. */
interface Spreads {
  traffic: EvenSpread;
  shadow: EvenSpread;
}

/** One model in this process: which of its loaded versions answers to which name. */
export class RoutedModel {
  /** By what a caller asks for: a number, an alias, or nothing. */
  #routes: ReadonlyMap<string, LoadedVersion> = new Map();
  /** Null: the deployment names no target that can answer. */
  #split: TrafficSplit<LoadedVersion> | null = null;
  #shadow: ShadowRoute | null = null;

  constructor(
    readonly table: ModelTable,
    readonly spreads: Spreads,
  ) {}

  /** Looks the versions up; one that is still being loaded here answers once it is. */
  bind(versions: ReadonlyMap<number, LoadedVersion>): void {
    const routes = new Map<string, LoadedVersion>();
    for (const [asked, id] of this.table.routes) {
      const version = versions.get(id);
      if (version) {
        version.configure(this.table.deployment);
        routes.set(asked, version);
      }
    }
    this.#deploy(routes);
    this.#routes = routes;
  }

  #deploy(routes: Map<string, LoadedVersion>): void {
    const { traffic, shadow } = this.table.deployment;
    const ready = traffic.flatMap(({ target, weight }) => {
      const version = routes.get(target);
      return version ? [{ target, weight, version }] : [];
    });
    this.#split = ready.length > 0 ? new TrafficSplit(ready, this.spreads.traffic) : null;
    if (ready.length > 0) {
      // What is said of the model is said of the version that answers most.
      routes.set('', ready.reduce((most, next) => (next.weight > most.weight ? next : most)).version);
    } else if (traffic.length > 0 && !routes.has(defaultAlias)) {
      // The newest version must not answer because none of the chosen can.
      routes.delete('');
    }
    const version = shadow && routes.get(shadow.target);
    this.#shadow = version ? { version, sample: new ShadowSample(shadow.fraction, this.spreads.shadow) } : null;
  }

  find(asked: string): LoadedVersion | null {
    return this.#routes.get(asked) ?? null;
  }

  /** The version that answers a request. @param key asked for only where traffic is split; empty: none */
  choose(asked: string, key: () => string): LoadedVersion | null {
    return asked === '' && this.#split ? this.#split.choose(key()) : this.find(asked);
  }

  /** Where copies of requests for `asked` go; null: nowhere. */
  shadowOf(asked: string): ShadowRoute | null {
    return asked === '' ? this.#shadow : null;
  }

  /** Numbers of the versions that answer, ascending. */
  get loadedVersions(): number[] {
    return [...new Set([...this.#routes.values()].map(({ number }) => number))].sort((a, b) => a - b);
  }
}

/** What this process serves, as the coordinator told it. */
export class ModelRepository {
  readonly #models = new Map<string, RoutedModel>();
  /** By load id. */
  readonly #versions = new Map<number, LoadedVersion>();
  #isReady = false;

  /** @param random from 0 to 1, where choices by share begin */
  constructor(private readonly random: () => number = Math.random) {}

  /** True once every model that the registry had at the first sync is loaded, or known to be broken. */
  get isReady(): boolean {
    return this.#isReady;
  }

  setReady(ready: boolean): void {
    this.#isReady = ready;
  }

  /** The version that answers to `asked`: empty (alias champion, else the newest), a number or an alias. */
  resolve(name: string, asked: string): LoadedVersion {
    return this.#models.get(name)?.find(asked) ?? this.#refuse(name, asked);
  }

  /**
   * The version that answers a request: as `resolve`, but where none is asked for, traffic may be split.
   *
   * @param key what keeps requests together; empty: nothing
   */
  choose(name: string, asked: string, key: () => string): LoadedVersion {
    return this.#models.get(name)?.choose(asked, key) ?? this.#refuse(name, asked);
  }

  /** As `resolve`, but null where no version answers. */
  find(name: string, asked: string): LoadedVersion | null {
    return this.#models.get(name)?.find(asked) ?? null;
  }

  get(name: string): RoutedModel | null {
    return this.#models.get(name) ?? null;
  }

  /** Every version that is in memory here, also one that nothing is routed to yet. */
  get loaded(): LoadedVersion[] {
    return [...this.#versions.values()];
  }

  get byLoad(): [id: number, version: LoadedVersion][] {
    return [...this.#versions];
  }

  add(id: number, version: LoadedVersion): void {
    this.#versions.set(id, version);
    this.#models.get(version.model)?.bind(this.#versions);
  }

  /** Takes a version out; it is freed when its last request has ended. */
  release(id: number): void {
    const version = this.#versions.get(id);
    if (version) {
      this.#versions.delete(id);
      this.#models.get(version.model)?.bind(this.#versions);
      version.retire();
    }
  }

  /** Takes effect at once, for all names of the model together. */
  route(table: ModelTable): void {
    const model = new RoutedModel(table, this.#models.get(table.name)?.spreads ?? this.#newSpreads());
    model.bind(this.#versions);
    this.#models.set(table.name, model);
  }

  remove(name: string): void {
    this.#models.delete(name);
  }

  clear(): void {
    this.#models.clear();
    for (const id of [...this.#versions.keys()]) {
      this.release(id);
    }
  }

  /** Every model by name, with what is known of its versions. */
  get statuses(): ModelStatus[] {
    return [...this.#models.values()]
      .map(({ table }) => ({ name: table.name, versions: table.versions }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #newSpreads(): Spreads {
    // Independent of each other: a shadow is to see copies of every target's requests.
    return { traffic: new EvenSpread(this.random()), shadow: new EvenSpread(this.random(), rootStep) };
  }

  #refuse(name: string, asked: string): never {
    const model = this.#models.get(name);
    if (model) {
      throw explainMissing(model.table, asked);
    }
    if (!this.#isReady) {
      const message = `The server has not yet loaded its models, so it cannot say whether '${name}' is one of them. Try again when ServerReady says so.`;
      throw new ServiceError('UNAVAILABLE', 'SERVER_NOT_READY', message);
    }
    throw new ServiceError('NOT_FOUND', 'MODEL_NOT_FOUND', `Request for unknown model: '${name}' is not found`);
  }
}
