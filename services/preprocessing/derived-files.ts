import { readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../platform/durable-file.js';

/** Kept of one kind; the oldest leave. */
const keptMax = 32;

/** What was found out about a dataset version, kept beside it: it may be lost, and is then found out again. */
export class DerivedFiles {
  /** @param digest of the version: what is kept of other rows does not count */
  constructor(
    private readonly folder: string,
    private readonly digest: string,
  ) {}

  /** Null: not there, or not readable any more. @param format changes when what is kept does */
  async read<T>(name: string, format: string): Promise<T | null> {
    const text = await readFile(path.join(this.folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        return null;
      }
      throw error;
    });
    if (text === null) {
      return null;
    }
    const kept = parse(text) as { format: string; digest: string; content: T } | null;
    return kept?.format === format && kept.digest === this.digest ? kept.content : null;
  }

  async write(name: string, format: string, content: unknown): Promise<void> {
    const text = JSON.stringify({ format, digest: this.digest, content });
    await writeDurably(path.join(this.folder, name), text);
  }

  /** Removes the oldest files of a kind, by the beginning of their names, where there are too many. */
  async trim(prefix: string): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => name.startsWith(prefix) && name.endsWith('.json'));
    if (names.length <= keptMax) {
      return;
    }
    const times = await Promise.all(names.map(async (name) => (await stat(path.join(this.folder, name))).mtimeMs));
    const files = names.map((name, i) => ({ name, time: times[i]! })).sort((a, b) => a.time - b.time);
    for (const { name } of files.slice(0, files.length - keptMax)) {
      await rm(path.join(this.folder, name), { force: true });
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A damaged file counts as none.
    return null;
  }
}
