import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { LocalBlobStore } from '../platform/blob-store.js';
import { ServiceError } from '../platform/errors.js';
import { BrokenArtifact } from './model-files.js';
import type { ArtifactReference } from './registry.js';

/** Where workers keep what they have made ready of a file; it goes with the file. */
export const preparedPath = (file: string) => `${file}.prepared`;

/** The bytes of an artifact in order; not verified. */
export type ArtifactSource = (digest: string) => AsyncIterable<Uint8Array>;

/** Files that nobody holds any more, together, bytes: a rollback, or a model that is loaded again, finds its own. */
const unheldBytesDefault = 256 * 1024 ** 2;

/**
 * Files of versions on disk, by digest, for all workers to map. The same file of two versions is kept once. One that nobody
 * holds stays for a while: those that were let go of first are removed when there are too many bytes of them.
 */
export class ArtifactCache {
  readonly #holders = new Map<string, number>();
  /** Sizes of files that nobody holds, the one that was let go of first in front. */
  readonly #unheld = new Map<string, number>();
  #unheldBytes = 0;
  readonly #present = new Set<string>();
  /** What is being done with a file; nothing else is done with it meanwhile. */
  readonly #busy = new Map<string, Promise<void>>();

  private constructor(
    private readonly store: LocalBlobStore,
    private readonly unheldBytesMax: number,
  ) {}

  /** @param unheldBytesMax of files that nobody holds; what workers have made ready of them comes on top */
  static async open(folder: string, unheldBytesMax = unheldBytesDefault): Promise<ArtifactCache> {
    await mkdir(path.dirname(folder), { recursive: true });
    return new ArtifactCache(await LocalBlobStore.open(folder), unheldBytesMax);
  }

  /**
   * Brings a file here and keeps it until `release`. Fails with `BrokenArtifact` when it is not what its digest says; then
   * nothing is held.
   *
   * @returns where it lies
   */
  async hold(name: string, artifact: ArtifactReference, source: ArtifactSource): Promise<string> {
    const { digest } = artifact;
    this.#holders.set(digest, (this.#holders.get(digest) ?? 0) + 1);
    this.#forgetUnheld(digest);
    try {
      while (!this.#present.has(digest)) {
        await this.#oneAtATime(digest, async () => {
          if (!this.#present.has(digest)) {
            await this.#bring(name, artifact, source);
            this.#present.add(digest);
          }
        });
      }
    } catch (error) {
      await this.release(digest);
      throw error;
    }
    return this.store.locate(digest);
  }

  async release(digest: string): Promise<void> {
    const holders = (this.#holders.get(digest) ?? 1) - 1;
    if (holders > 0) {
      this.#holders.set(digest, holders);
      return;
    }
    this.#holders.delete(digest);
    if (this.#present.has(digest)) {
      const sizeBytes = (await this.store.sizeOf(digest)) ?? 0;
      if (!this.#holders.has(digest) && !this.#unheld.has(digest)) {
        this.#unheld.set(digest, sizeBytes);
        this.#unheldBytes += sizeBytes;
      }
    }
    for (const oldest of this.#unheld.keys()) {
      if (this.#unheldBytes <= this.unheldBytesMax) {
        break;
      }
      this.#forgetUnheld(oldest);
      await this.#oneAtATime(oldest, async () => {
        if (!this.#holders.has(oldest)) {
          this.#present.delete(oldest);
          await this.#remove(oldest);
        }
      });
    }
  }

  #forgetUnheld(digest: string): void {
    this.#unheldBytes -= this.#unheld.get(digest) ?? 0;
    this.#unheld.delete(digest);
  }

  /** Removes what an earlier run has left and nobody holds. */
  async sweep(): Promise<void> {
    for (const digest of await this.store.list()) {
      if (!this.#holders.has(digest) && !this.#present.has(digest)) {
        await this.#remove(digest);
      }
    }
  }

  async #remove(digest: string): Promise<void> {
    await rm(preparedPath(this.store.locate(digest)), { force: true });
    await this.store.remove(digest);
  }

  async #oneAtATime(digest: string, work: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(digest);
    const mine = (async () => {
      // Its failure is told to whoever asked for it.
      await before?.catch(() => undefined);
      await work();
    })();
    this.#busy.set(digest, mine);
    try {
      await mine;
    } finally {
      if (this.#busy.get(digest) === mine) {
        this.#busy.delete(digest);
      }
    }
  }

  async #bring(name: string, { digest, sizeBytes }: ArtifactReference, source: ArtifactSource): Promise<void> {
    // A file of an earlier run is looked at once: disks rot, and a worker maps it as it is.
    if ((await this.store.sizeOf(digest)) !== null && !(await this.#isWhole(digest))) {
      await this.store.remove(digest);
    }
    try {
      await this.store.put(digest, sizeBytes, source(digest));
    } catch (error) {
      if (error instanceof ServiceError && error.reason === 'BLOB_MISMATCH') {
        throw new BrokenArtifact(`${name} is not the file that the version was made with: ${error.message}`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  async #isWhole(digest: string): Promise<boolean> {
    const hash = createHash('sha256');
    for await (const chunk of this.store.read(digest)) {
      hash.update(chunk);
    }
    return `sha256:${hash.digest('hex')}` === digest;
  }
}
