import type { Logger } from '../platform/log.js';
import { Backoff, type Sleep } from './backoff.js';
import { BrokenArtifact } from './model-files.js';
import { defaultAlias } from './model-table.js';
import {
  type Deployment,
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
  /** Connections to the registry are numbered: with a new one, what was broken is tried again. */
  session: number;
}

/** Brings one model to the state that the registry told last; newer news interrupts the work on older. */
export class ModelFollower {
  readonly #stop = new AbortController();
  #target: Target | null = null;
  #retriedSession = 0;
  #running: Promise<void> | null = null;

  constructor(
    private readonly served: ServedModel,
    private readonly options: ModelFollowerOptions,
  ) {}

  /** Takes news from the registry. Aliases among loaded versions move at once, the rest follows. */
  update(model: ModelSnapshot, session: number): void {
    this.served.setAliases(model.aliases, model.deployment);
    this.#target = { model, session };
    this.#running ??= this.#run();
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
    const missing = this.served.setVersions(descriptors, target.session > this.#retriedSession);
    this.#retriedSession = target.session;
    for (const descriptor of missing) {
      await this.#load(descriptor, signal);
      if (this.#isOutdated(target)) {
        return;
      }
    }
  }

  #isOutdated(target: Target): boolean {
    return this.#target !== target || this.#stop.signal.aborted;
  }

  /** The versions that should be loaded, those first that are needed most. */
  async #describe({ name, aliases, deployment }: ModelSnapshot): Promise<VersionDescriptor[]> {
    const { registry, loadedVersionsMax } = this.options;
    const { signal } = this.#stop;
    const newest = await registry.newestVersions(name, loadedVersionsMax, signal);
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
