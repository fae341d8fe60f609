import type { Logger } from '../platform/log.js';
import { Backoff, type Sleep } from './backoff.js';
import { type LoadOverrides, noOverrides } from './load-config.js';
import { BrokenArtifact } from './model-files.js';
import { defaultAlias } from './model-table.js';
import {
  type Deployment,
  defaultDeployment,
  type ModelSnapshot,
  type Registry,
  RegistryUnavailable,
  type VersionDescriptor,
} from './registry.js';
import type { PreparedVersion, ServedModel } from './served-model.js';

/** Makes a version ready to answer, off the serving path. */
export interface Loader {
  /** Fails with `BrokenArtifact` when a file is not what it should be. */
  load(model: string, descriptor: VersionDescriptor, signal: AbortSignal): Promise<PreparedVersion>;
}

export interface ModelFollowerOptions {
  registry: Registry;
  loader: Loader;
  loadedVersionsMax: number;
  log: Logger;
  sleep: Sleep;
}

interface Target {
  model: ModelSnapshot;
  /** When it is another than before, what was broken is tried again: with each connection to the registry, and each load. */
  retry: string;
}

/** Brings one model to the state that the registry told last; newer news interrupts the work on older. */
export class ModelFollower {
  readonly #stop = new AbortController();
  #target: Target | null = null;
  #retried = '';
  #session = 0;
  #running: Promise<void> | null = null;
  /** As the registry told it last; null: it has no such model. */
  #told: ModelSnapshot | null = null;
  #isUnloaded = false;
  #overrides = noOverrides;
  /** Versions that were uploaded in place of the registry's. */
  #uploaded: VersionDescriptor[] | null = null;
  #isSwitching = false;
  #retries = 0;

  constructor(
    readonly served: ServedModel,
    private readonly options: ModelFollowerOptions,
  ) {}

  /** Takes news from the registry. Aliases among loaded versions move at once, the rest follows. */
  update(model: ModelSnapshot, session: number): void {
    this.#told = model;
    this.#session = session;
    this.#follow();
  }

  /** The registry no longer has the model. @returns whether it is served all the same */
  forget(): boolean {
    this.#told = null;
    return this.#uploaded !== null;
  }

  get isKnown(): boolean {
    return this.#told !== null;
  }

  /**
   * Serves the model again, or otherwise than before, and resolves when that is done; broken versions are tried again.
   *
   * @param uploaded serves these; null: what the registry has
   */
  async load(overrides: LoadOverrides, uploaded: VersionDescriptor[] | null): Promise<void> {
    this.#isUnloaded = false;
    // To other versions than the registry's, or back: names move once the new ones can answer.
    this.#isSwitching ||= Boolean(uploaded ?? this.#uploaded ?? overrides.versions ?? this.#overrides.versions);
    this.#overrides = overrides;
    this.#uploaded = uploaded;
    this.#retries++;
    this.served.setUnloaded(false);
    this.#follow();
    await this.settled();
  }

  /** Serves the model no more until it is loaded. */
  async unload(): Promise<void> {
    this.#isUnloaded = true;
    this.#uploaded = null;
    this.#target = null;
    this.served.setUnloaded(true);
    await this.settled();
  }

  #follow(): void {
    const model = this.#uploaded ? uploadedModel(this.served.name) : this.#told;
    if (model && !this.#isUnloaded) {
      if (!this.#isSwitching) {
        this.served.setAliases(this.#aliasesOf(model), this.#overrides.apply(model.deployment));
      }
      this.#target = { model, retry: `${this.#session} ${this.#retries}` };
      this.#running ??= this.#run();
    }
  }

  /** Resolves when the last news have been acted upon. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff(this.options.sleep);
    while (this.#target && !signal.aborted) {
      const target = this.#target;
      try {
        await this.#approach(target);
        this.#reach(target);
      } catch (error) {
        const { log } = this.options;
        const model = this.served.name;
        if (error instanceof RegistryUnavailable) {
          log.warn({ model, reason: error.message }, 'cannot follow the model, trying again');
          await backoff.wait(signal);
        } else if (!signal.aborted) {
          log.error({ model, err: error }, 'cannot follow the model until the registry tells of it again');
          this.#reach(target);
        }
      }
    }
    this.#running = null;
  }

  /** Aliases of versions that this server was told not to serve are none. */
  #aliasesOf({ aliases }: ModelSnapshot): ReadonlyMap<string, number> {
    const policy = this.#overrides.versions;
    return policy && 'specific' in policy
      ? new Map([...aliases].filter(([, number]) => policy.specific.includes(number)))
      : aliases;
  }

  #reach(target: Target): void {
    if (this.#target === target) {
      this.#target = null;
    }
  }

  async #approach(target: Target): Promise<void> {
    const { signal } = this.#stop;
    const descriptors = await this.#describe(target.model);
    if (this.#isOutdated(target)) {
      return;
    }
    const missing = this.served.setVersions(descriptors, target.retry !== this.#retried);
    this.#retried = target.retry;
    for (const descriptor of missing) {
      await this.#load(descriptor, signal);
      if (this.#isOutdated(target)) {
        return;
      }
    }
    this.#isSwitching = false;
    this.served.setAliases(this.#aliasesOf(target.model), this.#overrides.apply(target.model.deployment));
  }

  #isOutdated(target: Target): boolean {
    return this.#target !== target || this.#stop.signal.aborted;
  }

  /** The versions that should be loaded, those first that are needed most. */
  async #describe({ name, aliases, deployment }: ModelSnapshot): Promise<VersionDescriptor[]> {
    const { registry, loadedVersionsMax } = this.options;
    const { signal } = this.#stop;
    if (this.#uploaded) {
      return this.#uploaded;
    }
    const policy = this.#overrides.versions ?? { latest: loadedVersionsMax };
    if ('specific' in policy) {
      const found = await Promise.all(policy.specific.map((number) => registry.findVersion(name, number, signal)));
      return found.filter((version) => version !== null);
    }
    const newest = await registry.newestVersions(name, policy.latest, signal);
    const byNumber = new Map(newest.map((version) => [version.number, version]));
    const order = new Map<number, VersionDescriptor>();
    const champion = aliases.get(defaultAlias);
    const first = champion ? [champion] : [];
    for (const number of [...first, ...aliases.values(), ...numbersIn(deployment)]) {
      const version = byNumber.get(number) ?? (await registry.findVersion(name, number, signal));
      if (version) {
        order.set(number, version);
      }
    }
    for (const version of newest) {
      order.set(version.number, version);
    }
    return [...order.values()];
  }

  async #load(descriptor: VersionDescriptor, signal: AbortSignal): Promise<void> {
    const { loader, log } = this.options;
    const { name } = this.served;
    const { number, digest } = descriptor;
    try {
      const version = await loader.load(name, descriptor, signal);
      this.served.setLoaded(version);
      log.info({ model: name, version: number, digest }, 'version loaded');
    } catch (error) {
      if (error instanceof RegistryUnavailable || signal.aborted) {
        throw error;
      }
      const reason = error instanceof Error ? error.message : String(error);
      this.served.setBroken(number, digest, reason);
      const level = error instanceof BrokenArtifact ? 'error' : 'fatal';
      log[level]({ model: name, version: number, digest, err: error }, 'version cannot be loaded');
    }
  }
}

/** Versions that a deployment names by number; those of aliases are wanted anyway. */
function numbersIn({ traffic, shadow }: Deployment): number[] {
  const targets = [...traffic, ...(shadow ? [shadow] : [])];
  return targets.flatMap(({ target }) => (/^\d/.test(target) ? [Number(target)] : []));
}

/** A model that the registry does not know, or not so. */
const uploadedModel = (name: string): ModelSnapshot => ({ name, aliases: new Map(), deployment: defaultDeployment });
