import type { ArtifactCache } from './artifact-cache.js';
import type { Fleet } from './fleet.js';
import { BrokenArtifact } from './model-files.js';
import type { Registry, VersionDescriptor } from './registry.js';
import type { PreparedVersion } from './served-model.js';

export interface PreparerOptions {
  registry: Pick<Registry, 'download'>;
  cache: ArtifactCache;
  fleet: Fleet;
  artifactBytesMax: number;
}

/** Versions that are on their way at one time. */
const loadsAtOnce = 2;

/** What a version is made of; the other files in it (a report, lineage) are not needed to serve. */
const servingFiles = ['network.json', 'signature.json', 'pipeline.json', 'model.safetensors', 'model.onnx'];

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
    const { cache, fleet } = this.options;
    const { number, digest } = descriptor;
    const id = this.#nextId++;
    const held: string[] = [];
    const release = async () => {
      await Promise.all(held.splice(0).map((artifact) => cache.release(artifact)));
    };
    try {
      const files = await this.#fetch(descriptor, held, signal);
      await fleet.prepare({ id, model, number, digest, files });
    } catch (error) {
      await release();
      throw error;
    }
    const retire = () => {
      fleet.release(id);
      // Workers have mapped the files, or have given up: what is mapped stays readable.
      void release();
    };
    return { id, number, digest, retire };
  }

  async #fetch(descriptor: VersionDescriptor, held: string[], signal: AbortSignal): Promise<Map<string, string>> {
    const { cache, registry, artifactBytesMax } = this.options;
    const files = new Map<string, string>();
    for (const name of servingFiles) {
      const artifact = descriptor.artifacts.get(name);
      if (!artifact) {
        continue;
      }
      if (artifact.sizeBytes > artifactBytesMax) {
        throw new BrokenArtifact(
          `${name} has ${artifact.sizeBytes} bytes, but at most ${artifactBytesMax} are loaded (setting artifactBytesMax)`,
        );
      }
      files.set(name, await cache.hold(name, artifact, (digest) => registry.download(digest, signal)));
      held.push(artifact.digest);
    }
    return files;
  }
}
