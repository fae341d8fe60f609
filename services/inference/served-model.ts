import { ServiceError } from '../platform/errors.js';
import type { LoadedVersion } from './loaded-version.js';
import type { VersionDescriptor } from './registry.js';

/** The alias that answers when no version is asked for. */
export const defaultAlias = 'champion';

export type VersionState = 'LOADING' | 'READY' | 'UNAVAILABLE';

/** A version that is loaded, or is to be. */
interface Slot {
  digest: string;
  state: VersionState;
  /** Why it is UNAVAILABLE; else empty. */
  reason: string;
  /** Serves, even while another version of the same number is LOADING. */
  loaded: LoadedVersion | null;
  /** False: the registry no longer asks for it, but an alias is served by it until its new target is READY. */
  wanted: boolean;
}

interface Alias {
  target: number;
  /** The version that answers under it: the target, or, until that is READY, the one before. */
  served: number | null;
}

export interface VersionStatus {
  version: number;
  state: VersionState;
  reason: string;
}

/** One model: which of its versions answer to which name. Every change takes effect at once, for all names together. */
export class ServedModel {
  readonly #slots = new Map<number, Slot>();
  #aliases = new Map<string, Alias>();
  /** By what a caller asks for: a number, an alias, or nothing. */
  #routes = new Map<string, LoadedVersion>();

  constructor(readonly name: string) {}

  /** The version that answers to `asked`: empty, a number or an alias. Null: none does. */
  find(asked: string): LoadedVersion | null {
    return this.#routes.get(asked) ?? null;
  }

  /** Why no version answers to `asked`. The wording is Triton's, whose clients may look for it. */
  explainMissing(asked: string): ServiceError {
    const alias = this.#aliases.get(asked || defaultAlias);
    const number = alias ? alias.target : /^[1-9]\d{0,14}$/.test(asked) ? Number(asked) : null;
    const slot = number === null ? undefined : this.#slots.get(number);
    if (alias || slot) {
      const state = slot?.state === 'UNAVAILABLE' ? `It cannot be loaded: ${slot.reason}.` : 'It is being loaded.';
      return unavailable(`'${this.name}' version ${number} is not at ready state. ${state}`);
    }
    if (asked === '') {
      return unavailable(`'${this.name}' has no available versions`);
    }
    const names = [...this.#routes.keys()].filter((name) => name !== '');
    const served = names.length > 0 ? `Served are ${names.join(', ')}.` : 'None is served.';
    const message = `Request for unknown model: '${this.name}' version ${asked} is not found. ${served}`;
    return new ServiceError('NOT_FOUND', 'MODEL_VERSION_NOT_FOUND', message);
  }

  /** Numbers of the versions that answer, ascending. */
  get loadedVersions(): number[] {
    return [...this.#slots].flatMap(([number, { loaded }]) => (loaded ? [number] : [])).sort((a, b) => a - b);
  }

  get loaded(): LoadedVersion[] {
    return [...this.#slots.values()].flatMap(({ loaded }) => (loaded ? [loaded] : []));
  }

  get statuses(): VersionStatus[] {
    return [...this.#slots]
      .map(([version, { state, reason }]) => ({ version, state, reason }))
      .sort((a, b) => a.version - b.version);
  }

  /** Moves aliases. One whose new target is not READY keeps answering from where it was. */
  setAliases(targets: ReadonlyMap<string, number>): void {
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
  setLoaded(version: LoadedVersion): void {
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
    const routes = new Map<string, LoadedVersion>();
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
    for (const version of retired) {
      version.retire();
    }
  }

  #dropUnneeded(): LoadedVersion[] {
    const served = new Set([...this.#aliases.values()].map((alias) => alias.served));
    const retired: LoadedVersion[] = [];
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

function unavailable(reason: string): ServiceError {
  return new ServiceError('UNAVAILABLE', 'MODEL_NOT_READY', `Request for unknown model: ${reason}`);
}
