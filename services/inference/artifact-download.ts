import { createHash } from 'node:crypto';
import { BrokenArtifact } from './model-files.js';
import type { Registry, VersionDescriptor } from './registry.js';

/** Brings the files of a version here and checks each against its SHA-256. */
export class ArtifactDownload {
  constructor(
    private readonly registry: Registry,
    private readonly version: VersionDescriptor,
    private readonly bytesMax: number,
  ) {}

  async file(path: string, signal: AbortSignal): Promise<Uint8Array> {
    const artifact = this.version.artifacts.get(path);
    if (!artifact) {
      throw new BrokenArtifact(`the version has no ${path}`);
    }
    const { digest, sizeBytes } = artifact;
    if (sizeBytes > this.bytesMax) {
      throw new BrokenArtifact(
        `${path} has ${sizeBytes} bytes, but at most ${this.bytesMax} are loaded (setting artifactBytesMax)`,
      );
    }
    const bytes = new Uint8Array(sizeBytes);
    const hash = createHash('sha256');
    let filled = 0;
    for await (const chunk of this.registry.download(digest, signal)) {
      if (filled + chunk.length > sizeBytes) {
        throw new BrokenArtifact(`${path} is longer than the ${sizeBytes} bytes it should have`);
      }
      bytes.set(chunk, filled);
      hash.update(chunk);
      filled += chunk.length;
    }
    const actual = `sha256:${hash.digest('hex')}`;
    if (filled !== sizeBytes || actual !== digest) {
      throw new BrokenArtifact(
        `${path} should have ${sizeBytes} bytes with ${digest}, but ${filled} with ${actual} came`,
      );
    }
    return bytes;
  }
}
