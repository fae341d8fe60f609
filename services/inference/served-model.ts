import { defaultAlias, type ModelTable, type VersionState, type VersionStatus } from './model-table.js';
import { type Deployment, defaultDeployment, type VersionDescriptor } from './registry.js';

/** A version that every worker has. */
export interface PreparedVersion {
  /** Of this load: the same version loaded again has another. */
  readonly id: number;
  readonly number: number;
  readonly digest: string;
  /** No new request will come. */
  retire(): void;
}

/** A version that is loaded, or is to be. */
interface Slot {
  digest: string;
  state: VersionState;
  /** Why it is UNAVAILABLE; else empty. */
  reason: string;
  /** Serves, even while another version of the same number is LOADING. */
  loaded: PreparedVersion | null;
  /** False: the registry no longer asks for it, but an alias is served by it until its new target is READY. */
  wanted: boolean;
}

interface Alias {
  target: number;
  /** The version that answers under it: the target, or, until that is READY, the one before. */
  served: number | null;
}

/** One model: which of its versions answer to which name. Every change takes effect at once, for all names together. */
export class ServedModel {
  readonly #slots = new Map<number, Slot>();
  #aliases = new Map<string, Alias>();
  /** By what a caller asks for: a number, an alias, or nothing. */
  #routes = new Map<string, PreparedVersion>();
  #deployment = defaultDeployment;
  #isUnloaded = false;
  /** Versions that it had when it was unloaded. */
  #unloaded: VersionStatus[] = [];

  /** @param onRouted hears of every change, before a version that is no longer needed is retired */
  constructor(
    readonly name: string,
    private readonly onRouted: (table: ModelTable) => void,
  ) {}

  /** The version that answers to `asked`: empty, a number or an alias. Null: none does. */
  find(asked: string): PreparedVersion | null {
    return this.#routes.get(asked) ?? null;
  }

  /** Numbers of the versions that answer, ascending. */
  get loadedVersions(): number[] {
    return [...this.#slots].flatMap(([number, { loaded }]) => (loaded ? [number] : [])).sort((a, b) => a - b);
  }

  /** Versions that answer. */
  get prepared(): PreparedVersion[] {
    return [...this.#slots.values()].flatMap(({ loaded }) => (loaded ? [loaded] : []));
  }

  /** Whether the version that answers by default is the one that should. */
  get isServing(): boolean {
    const byDefault = this.find('');
    const champion = this.#aliases.get(defaultAlias);
    return (
      byDefault !== null &&
      this.#slots.get(byDefault.number)!.wanted &&
      (champion?.target ?? byDefault.number) === byDefault.number
    );
  }

  get statuses(): VersionStatus[] {
    if (this.#isUnloaded) {
      return this.#unloaded;
    }
    return [...this.#slots]
      .map(([version, { state, reason }]) => ({ version, state, reason }))
      .sort((a, b) => a.version - b.version);
  }

  get table(): ModelTable {
    return {
      name: this.name,
      routes: new Map([...this.#routes].map(([asked, { id }]) => [asked, id])),
      aliases: new Map([...this.#aliases].map(([alias, { target }]) => [alias, target])),
      versions: this.statuses,
      deployment: this.#deployment,
      unloaded: this.#isUnloaded,
    };
  }

  /** Moves aliases, and deploys anew, in one step. An alias whose new target is not READY keeps answering from where it was. */
  setAliases(targets: ReadonlyMap<string, number>, deployment: Deployment = this.#deployment): void {
    this.#deployment = deployment;
    const before = this.#aliases;
    this.#aliases = new Map(
      [...targets].map(([alias, target]) => [alias, { target, served: before.get(alias)?.served ?? null }]),
    );
    this.#route();
  }

  /** Says which versions there are to be, and answers those that must be loaded for it, in the order given. */
  setVersions(descriptors: readonly VersionDescriptor[], retryBroken: boolean): VersionDescriptor[] {
    for (const slot of this.#slots.values()) {
      slot.wanted = false;
    }
    const missing: VersionDescriptor[] = [];
    for (const descriptor of descriptors) {
      const { number, digest } = descriptor;
      const slot = this.#slots.get(number);
      const isSame = slot?.digest === digest;
      if (slot && isSame && (slot.state === 'READY' || (slot.state === 'UNAVAILABLE' && !retryBroken))) {
        slot.wanted = true;
      } else {
        this.#slots.set(number, { digest, state: 'LOADING', reason: '', loaded: slot?.loaded ?? null, wanted: true });
        missing.push(descriptor);
      }
    }
    this.#route();
    return missing;
  }

  /** Puts a loaded version in its place; the one before it there is retired. */
  setLoaded(version: PreparedVersion): void {
    const slot = this.#slots.get(version.number);
    if (slot?.digest !== version.digest) {
      version.retire();
      return;
    }
    const before = slot.loaded;
    Object.assign(slot, { state: 'READY', reason: '', loaded: version });
    this.#route();
    before?.retire();
  }

  setBroken(number: number, digest: string, reason: string): void {
    const slot = this.#slots.get(number);
    if (slot?.digest === digest) {
      const before = slot.loaded;
      Object.assign(slot, { state: 'UNAVAILABLE', reason, loaded: null });
      this.#route();
      before?.retire();
    }
  }

  /** Stops serving every version. */
  clear(): void {
    this.#aliases.clear();
    this.setVersions([], false);
  }

  /** Stops serving, or begins again to; an unloaded model remains known, with the versions that it had. */
  setUnloaded(isUnloaded: boolean): void {
    const had = this.statuses;
    this.#isUnloaded = isUnloaded;
    if (isUnloaded) {
      this.clear();
      this.#unloaded = had.map(({ version }) => ({ version, state: 'UNAVAILABLE', reason: 'unloaded' }));
    } else {
      this.#unloaded = [];
    }
    this.#route();
  }

  /** Works out who answers to which name, and lets go of what no name needs. */
  #route(): void {
    const isLoaded = (number: number | null) => number !== null && Boolean(this.#slots.get(number)?.loaded);
    for (const alias of this.#aliases.values()) {
      if (isLoaded(alias.target)) {
        alias.served = alias.target;
      } else if (!isLoaded(alias.served)) {
        alias.served = null;
      }
    }
    const retired = this.#dropUnneeded();
    const routes = new Map<string, PreparedVersion>();
    for (const number of this.loadedVersions) {
      const version = this.#slots.get(number)!.loaded!;
      routes.set(String(number), version);
      routes.set('', version);
    }
    if (this.#aliases.has(defaultAlias)) {
      // An unpromoted version must not answer because the promoted one cannot.
      routes.delete('');
    }
    for (const [name, { served }] of this.#aliases) {
      if (served !== null) {
        routes.set(name, this.#slots.get(served)!.loaded!);
      }
    }
    const byDefault = routes.get(defaultAlias);
    if (byDefault) {
      routes.set('', byDefault);
    }
    this.#routes = routes;
    this.onRouted(this.table);
    for (const version of retired) {
      version.retire();
    }
  }

  #dropUnneeded(): PreparedVersion[] {
    const served = new Set([...this.#aliases.values()].map((alias) => alias.served));
    const slots = [...this.#slots.values()];
    if (slots.some(({ wanted }) => wanted) && !slots.some(({ wanted, loaded }) => wanted && loaded)) {
      // None of those that are to be can answer yet: what answers by default goes on so long.
      served.add(this.#routes.get('')?.number ?? null);
    }
    const retired: PreparedVersion[] = [];
    for (const [number, slot] of this.#slots) {
      if (!slot.wanted && !served.has(number)) {
        this.#slots.delete(number);
        if (slot.loaded) {
          retired.push(slot.loaded);
        }
      }
    }
    return retired;
  }
}
