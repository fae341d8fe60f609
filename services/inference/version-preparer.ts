import type { Fleet } from './fleet.js';
import type { VersionDescriptor } from './registry.js';
import type { PreparedVersion } from './served-model.js';
import { HeldFiles, type VersionFilesOptions } from './version-files.js';

export interface PreparerOptions extends VersionFilesOptions {
  fleet: Fleet;
}

/** Versions that are on their way at one time. */
const loadsAtOnce = 2;

/** Brings versions here and into every worker. */
export class VersionPreparer {
  #loading = 0;
  #nextId = 1;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly options: PreparerOptions) {}

  /** Resolves when every worker has the version. Fails with `BrokenArtifact` when a file is not what it should be. */
  async load(model: string, descriptor: VersionDescriptor, signal: AbortSignal): Promise<PreparedVersion> {
    await this.#turn();
    try {
      signal.throwIfAborted();
      return await this.#load(model, descriptor, signal);
    } finally {
      this.#loading--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#loading >= loadsAtOnce) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#loading++;
  }

  async #load(model: string, descriptor: VersionDescriptor, signal: AbortSignal): Promise<PreparedVersion> {
    const { fleet } = this.options;
    const { number, digest } = descriptor;
    const id = this.#nextId++;
    const held = await HeldFiles.hold(this.options, descriptor, signal);
    try {
      await fleet.prepare({ id, model, number, digest, files: held.paths });
    } catch (error) {
      await held.release();
      throw error;
    }
    const retire = () => {
      fleet.release(id);
      // Workers have mapped the files, or have given up: what is mapped stays readable.
      void held.release();
    };
    return { id, number, digest, retire };
  }
}
