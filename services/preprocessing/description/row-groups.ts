import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { HashIndex } from '../hash-index.js';
import { addColumn, RowHashes } from '../row-hash.js';
import type { StoredTable } from '../stored-table.js';

/** Rows whose hashes are looked at together: 12 bytes each, and some 40 in the table of their hashes. */
const partRows = 1 << 18;
/** Files open at a time. */
const partsMax = 256;
const recordWords = 3;
const bufferedRecords = 1 << 12;

/** Rows, by number from 0 and in order, and for each the content that it has: 0 to `contents` - 1. */
export interface RowGroups {
  rows: Uint32Array;
  contentOf: Uint32Array;
  contents: number;
}

/**
 * Finds rows that hold the same as an earlier row, in memory that does not grow with the rows: hashes of 64 bits are sorted
 * into files by their first bits, as many as needed, and each file is then looked at alone.
 *
 * @param columns indices of those that count
 * @param scratch a folder that exists; what is written there is removed
 * @returns parts of the rows; all rows of one content are in the same part
 */
export async function* groupEqualRows(
  table: StoredTable,
  columns: readonly number[],
  scratch: string,
  signal: AbortSignal,
): AsyncGenerator<RowGroups> {
  const partCount = Math.min(Math.ceil(table.rowCount / partRows), partsMax);
  const parts = await HashParts.create(scratch, partCount);
  try {
    for (const batch of table.batches) {
      signal.throwIfAborted();
      const hashes = new RowHashes(batch.header.length);
      for (const column of columns) {
        addColumn(hashes, await table.readColumn(batch, column));
      }
      await parts.add(hashes.finish(), batch.firstRow);
    }
    for await (const part of parts.read()) {
      signal.throwIfAborted();
      yield groupPart(part);
    }
  } finally {
    await parts.remove();
  }
}

function groupPart(records: Uint32Array): RowGroups {
  const index = new HashIndex();
  const count = records.length / recordWords;
  const groups = { rows: new Uint32Array(count), contentOf: new Uint32Array(count), contents: 0 };
  for (let i = 0; i < count; i++) {
    groups.contentOf[i] = index.add(records[i * recordWords]!, records[i * recordWords + 1]!);
    groups.rows[i] = records[i * recordWords + 2]!;
  }
  groups.contents = index.size;
  return groups;
}

/** Records of a hash and its row, shared out by the hash. */
class HashParts {
  readonly #buffers: Uint32Array[];
  readonly #counts: number[];

  private constructor(
    private readonly files: FileHandle[],
    private readonly paths: string[],
  ) {
    this.#buffers = files.map(() => new Uint32Array(bufferedRecords * recordWords));
    this.#counts = files.map(() => 0);
  }

  static async create(folder: string, count: number): Promise<HashParts> {
    const files: FileHandle[] = [];
    const paths = Array.from({ length: count }, (_, i) => path.join(folder, `rows-${i}`));
    try {
      for (const file of paths) {
        files.push(await open(file, 'wx+'));
      }
      return new HashParts(files, paths);
    } catch (error) {
      await new HashParts(files, paths).remove();
      throw error;
    }
  }

  async add({ low, high, length }: RowHashes, firstRow: number): Promise<void> {
    for (let i = 0; i < length; i++) {
      const part = low[i]! % this.files.length;
      const at = this.#counts[part]! * recordWords;
      const buffer = this.#buffers[part]!;
      buffer[at] = low[i]!;
      buffer[at + 1] = high[i]!;
      buffer[at + 2] = firstRow + i;
      if (++this.#counts[part]! === bufferedRecords) {
        await this.#flush(part);
      }
    }
  }

  async #flush(part: number): Promise<void> {
    const words = this.#counts[part]! * recordWords;
    this.#counts[part] = 0;
    await this.files[part]!.writeFile(new Uint8Array(this.#buffers[part]!.buffer, 0, words * 4));
  }

  async *read(): AsyncGenerator<Uint32Array> {
    for (const [part, file] of this.files.entries()) {
      await this.#flush(part);
      const { size } = await file.stat();
      const bytes = new Uint8Array(size);
      for (let done = 0; done < size; ) {
        done += (await file.read(bytes, done, size - done, done)).bytesRead;
      }
      yield new Uint32Array(bytes.buffer);
    }
  }

  async remove(): Promise<void> {
    for (const file of this.files) {
      await file.close();
    }
    for (const file of this.paths) {
      await rm(file, { force: true });
    }
  }
}
