import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from './durable-file.js';
import { ServiceError } from './errors.js';

/** Bytes under their SHA-256. One implementation keeps them in a folder; another may keep them in S3. */
export interface BlobStore {
  /** Size in bytes, or null when the blob is not there. */
  sizeOf(digest: string): Promise<number | null>;
  /**
   * Keeps the bytes once they are whole, are `sizeBytes` long and have this digest; else nothing of them. Returns when they
   * are safe on disk. A blob that is there already is left alone, and its bytes are not asked for.
   */
  put(digest: string, sizeBytes: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The bytes in order; the blob must be there. */
  read(digest: string): AsyncIterable<Buffer>;
}

const digestPattern = /^sha256:([0-9a-f]{64})$/;

export function isDigest(text: string): boolean {
  return digestPattern.test(text);
}

/** `sha256:` and 64 hex digits. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const chunkBytes = 256 * 1024;

/** A blob is written aside, synced and renamed: under its final name it is always whole. */
export class LocalBlobStore implements BlobStore {
  private constructor(
    private readonly folder: string,
    private readonly draftFolder: string,
  ) {}

  /** Opens a folder, making it if needed; drafts that a crash left behind are removed. */
  static async open(folder: string): Promise<LocalBlobStore> {
    const draftFolder = path.join(folder, 'drafts');
    await rm(draftFolder, { recursive: true, force: true });
    await mkdir(draftFolder, { recursive: true });
    await syncFolder(path.dirname(folder));
    return new LocalBlobStore(folder, draftFolder);
  }

  async sizeOf(digest: string): Promise<number | null> {
    try {
      return (await stat(this.#pathOf(digest))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return null;
      }
      throw error;
    }
  }

  async put(digest: string, sizeBytes: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const target = this.#pathOf(digest);
    const present = await this.sizeOf(digest);
    if (present === null) {
      await this.#write(target, digest, sizeBytes, chunks);
    } else if (present !== sizeBytes) {
      throw mismatch(digest, sizeBytes, `the blob has ${present}`);
    }
    // Also for a blob that was there: whoever wrote it may not have come this far.
    await syncFolder(path.dirname(target));
    await syncFolder(this.folder);
  }

  async #write(target: string, digest: string, sizeBytes: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const draft = path.join(this.draftFolder, randomUUID());
    try {
      await writeVerified(draft, digest, sizeBytes, chunks);
      await mkdir(path.dirname(target), { recursive: true });
      await rename(draft, target);
    } finally {
      await rm(draft, { force: true });
    }
  }

  read(digest: string): AsyncIterable<Buffer> {
    return createReadStream(this.#pathOf(digest), { highWaterMark: chunkBytes });
  }

  /** Where the bytes of a blob lie, or would. */
  locate(digest: string): string {
    return this.#pathOf(digest);
  }

  /** Takes a blob away; one that is not there is no error. */
  async remove(digest: string): Promise<void> {
    await rm(this.#pathOf(digest), { force: true });
  }

  /** Digests of all blobs that are there. */
  async list(): Promise<string[]> {
    const names = await readdir(this.folder, { recursive: true });
    return names.map((name) => `sha256:${path.basename(name)}`).filter(isDigest);
  }

  #pathOf(digest: string): string {
    const hex = digestPattern.exec(digest)?.[1];
    if (!hex) {
      throw new Error(`not a digest: ${digest}`);
    }
    return path.join(this.folder, hex.slice(0, 2), hex);
  }
}

async function writeVerified(
  file: string,
  digest: string,
  sizeBytes: number,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const hash = createHash('sha256');
  let written = 0;
  const handle = await open(file, 'wx');
  try {
    for await (const chunk of chunks) {
      written += chunk.length;
      if (written > sizeBytes) {
        break;
      }
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    const actual = `sha256:${hash.digest('hex')}`;
    if (written !== sizeBytes || actual !== digest) {
      throw mismatch(digest, sizeBytes, written > sizeBytes ? 'received more' : `received ${written} with ${actual}`);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function mismatch(digest: string, sizeBytes: number, actual: string): ServiceError {
  const message = `Expected ${sizeBytes} bytes with digest ${digest} but ${actual}. Upload the blob again.`;
  return new ServiceError('INVALID_ARGUMENT', 'BLOB_MISMATCH', message);
}
