import type { ArtifactCache } from './artifact-cache.js';
import { BrokenArtifact } from './model-files.js';
import type { Registry, VersionDescriptor } from './registry.js';

export interface VersionFilesOptions {
  registry: Pick<Registry, 'download'>;
  cache: ArtifactCache;
  artifactBytesMax: number;
}

/** What a version is made of; the other files in it (a report, lineage) are not needed to serve. */
const servingFiles = ['network.json', 'signature.json', 'pipeline.json', 'model.safetensors', 'model.onnx'];

/** Files of a version on this machine, for as long as they are held. */
export class HeldFiles {
  /** Where each lies, by its name. */
  readonly paths = new Map<string, string>();
  readonly #digests: string[] = [];

  private constructor(private readonly cache: ArtifactCache) {}

  /**
   * Brings those of the named files here that the version has. Fails with `BrokenArtifact` when one is not what it should
   * be; then nothing is held.
   */
  static async hold(
    { cache, registry, artifactBytesMax }: VersionFilesOptions,
    { artifacts, contents }: VersionDescriptor,
    signal: AbortSignal,
    names: readonly string[] = servingFiles,
  ): Promise<HeldFiles> {
    const held = new HeldFiles(cache);
    const source = (digest: string) => {
      const uploaded = contents?.get(digest);
      return uploaded ? once(uploaded) : registry.download(digest, signal);
    };
    try {
      for (const name of names) {
        const artifact = artifacts.get(name);
        if (!artifact) {
          continue;
        }
        if (artifact.sizeBytes > artifactBytesMax) {
          throw new BrokenArtifact(
            `${name} has ${artifact.sizeBytes} bytes, but at most ${artifactBytesMax} are loaded (setting artifactBytesMax)`,
          );
        }
        const path = await cache.hold(name, artifact, source);
        held.paths.set(name, path);
        held.#digests.push(artifact.digest);
      }
      return held;
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  async release(): Promise<void> {
    await Promise.all(this.#digests.splice(0).map((digest) => this.cache.release(digest)));
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
