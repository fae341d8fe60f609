import { ServiceError } from '../platform/errors.js';
import type { Logger } from '../platform/log.js';
import { Backoff, type Sleep } from './backoff.js';
import type { LoadOverrides } from './load-config.js';
import type { ModelCatalog } from './model-catalog.js';
import { type Loader, ModelFollower } from './model-follower.js';
import { type Registry, RegistryUnavailable, type VersionDescriptor } from './registry.js';

export interface FollowerOptions {
  registry: Registry;
  catalog: ModelCatalog;
  loader: Loader;
  loadedVersionsMax: number;
  log: Logger;
  /** Between attempts. */
  sleep: Sleep;
  /** Called once, when everything that the first sync told of has been loaded or found broken. */
  onReady: () => void;
}

/**
 * Keeps the catalog the same as the registry. While the registry is away, what is loaded keeps serving; when it is back,
 * its whole state is told anew and compared with what is here.
 */
export class RegistryFollower {
  readonly #stop = new AbortController();
  readonly #followers = new Map<string, ModelFollower>();
  #running: Promise<void> | null = null;
  #isConnected = true;

  constructor(private readonly options: FollowerOptions) {}

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all([...this.#followers.values()].map((follower) => follower.stop()));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff(this.options.sleep);
    for (let session = 1; !signal.aborted; session++) {
      try {
        await this.#follow(session, backoff);
      } catch (error) {
        if (!signal.aborted) {
          this.#report(error);
        }
      }
      await backoff.wait(signal);
    }
  }

  /** An outage is told of once, not with every attempt. */
  #report(error: unknown): void {
    const { log } = this.options;
    if (!(error instanceof RegistryUnavailable)) {
      log.error({ err: error }, 'cannot follow the registry, still serving what is loaded');
    } else if (this.#isConnected) {
      log.warn({ reason: error.message }, 'the registry is away, still serving what is loaded');
    }
    this.#isConnected = false;
  }

  async #follow(session: number, backoff: Backoff): Promise<void> {
    const seen = new Set<string>();
    for await (const event of this.options.registry.watch(this.#stop.signal)) {
      if (event.kind === 'model') {
        seen.add(event.model.name);
        this.#open(event.model.name).update(event.model, session);
      } else if (event.kind === 'deleted') {
        this.#remove(event.name);
      } else {
        backoff.reset();
        this.#isConnected = true;
        this.#afterSync(seen);
      }
    }
  }

  #afterSync(seen: ReadonlySet<string>): void {
    for (const name of [...this.#followers.keys()]) {
      if (!seen.has(name)) {
        this.#remove(name);
      }
    }
    const { catalog, log, onReady } = this.options;
    if (!catalog.isReady) {
      void Promise.all([...this.#followers.values()].map((follower) => follower.settled())).then(() => {
        if (!catalog.isReady && !this.#stop.signal.aborted) {
          catalog.setReady(true);
          log.info({ models: catalog.names.length }, 'first sync with the registry is done');
          onReady();
        }
      });
    }
  }

  #open(name: string): ModelFollower {
    let follower = this.#followers.get(name);
    if (!follower) {
      follower = new ModelFollower(this.options.catalog.open(name), this.options);
      this.#followers.set(name, follower);
    }
    return follower;
  }

  /**
   * Serves a model, again or otherwise than the registry says, and waits until it does.
   *
   * @param uploaded serves these versions; null: what the registry has
   */
  async load(name: string, overrides: LoadOverrides, uploaded: VersionDescriptor[] | null): Promise<void> {
    if (!uploaded && !this.#followers.get(name)?.isKnown) {
      const message = `failed to load '${name}', failed to poll from model repository: the registry has no such model.`;
      throw new ServiceError('NOT_FOUND', 'MODEL_NOT_FOUND', message);
    }
    await this.#open(name).load(overrides, uploaded);
    const { served } = this.#open(name);
    if (!served.isServing) {
      const reasons = served.statuses
        .filter(({ state }) => state === 'UNAVAILABLE')
        .map(({ version, reason }) => `version ${version} is at UNAVAILABLE state: ${reason};`);
      const message = `load failed for model '${name}': ${reasons.join(' ') || 'no version is available'}`;
      throw new ServiceError('INVALID_ARGUMENT', 'MODEL_NOT_LOADED', message);
    }
  }

  /** Serves a model no more until it is loaded. */
  async unload(name: string): Promise<void> {
    const follower = this.#followers.get(name);
    if (!follower) {
      const message = `failed to unload '${name}': Request for unknown model: '${name}' is not found`;
      throw new ServiceError('NOT_FOUND', 'MODEL_NOT_FOUND', message);
    }
    await follower.unload();
  }

  #remove(name: string): void {
    const follower = this.#followers.get(name);
    if (follower?.forget()) {
      return;
    }
    // Its last steps find a model that no longer wants anything.
    void follower?.stop();
    this.#followers.delete(name);
    this.options.catalog.remove(name);
  }
}
