import assert from 'node:assert/strict';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Makes the names in a folder safe against a crash. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const writing = new Set<string>();

/**
 * Writes a file so that a crash at any instant leaves the old content or the new, never a mixture. A draft that a crash left
 * behind is overwritten by the next write, so one file has one writer at a time.
 *
 * @param bytes the content, or its parts in order, which are not copied together
 */
export async function writeDurably(file: string, bytes: Uint8Array | string | Iterable<Uint8Array>): Promise<void> {
  assert(!writing.has(file), `${file} is being written already`);
  const draft = `${file}.draft`;
  writing.add(file);
  try {
    const handle = await open(draft, 'w');
    try {
      const parts = typeof bytes === 'string' || bytes instanceof Uint8Array ? [bytes] : bytes;
      for (const part of parts) {
        // Goes on where the part before ended.
        await handle.writeFile(part);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    await syncFolder(path.dirname(file));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    writing.delete(file);
  }
}
