import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { type ColumnChunk, canonicalJson } from '../pipeline/index.js';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import { digestOf } from '../platform/blob-store.js';
import { syncFolder } from '../platform/durable-file.js';
import { ServiceError } from '../platform/errors.js';
import type { Column } from './column.js';
import { ColumnDigest } from './column-digest.js';

export const dataFile = 'data.arrows';
export const metadataFile = 'version.json';

/** So much is written between two times that the system is told to bring it to the disk: with more, the writing waits now and then. */
const flushBytes = 8 * 1024 * 1024;

/** Parts that one system call writes: IOV_MAX of Linux and macOS. */
const vectorsMax = 1_024;

/** What is known of the rows once they are all written. */
export interface DraftContent {
  digest: string;
  columns: Column[];
  nullCounts: number[];
  rowCount: number;
  sizeBytes: number;
}

/** Rows on their way to a dataset version: an Arrow stream in a folder that no reader knows yet. */
export class DatasetDraft {
  readonly #digests: ColumnDigest[];
  /** Goes on beside the writing, so that little is left to do at the end. */
  #flushing: Promise<unknown> = Promise.resolve();
  #unflushedBytes = 0;
  #rowCount = 0;
  #sizeBytes = 0;

  private constructor(
    readonly folder: string,
    private readonly file: FileHandle,
    readonly columns: Column[],
  ) {
    this.#digests = columns.map((column) => new ColumnDigest(column));
  }

  static async create(folder: string, columns: Column[], schema: EncodedMessage): Promise<DatasetDraft> {
    await mkdir(folder, { recursive: true });
    const draft = new DatasetDraft(folder, await open(path.join(folder, dataFile), 'wx'), columns);
    try {
      await draft.#write(schema);
      return draft;
    } catch (error) {
      await draft.discard();
      throw error;
    }
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Adds rows: the messages as they will be read again, and the values in them. */
  async append(messages: readonly EncodedMessage[], chunks: readonly ColumnChunk[]): Promise<void> {
    const written = this.#writeEach(messages);
    const digested = this.#digest(chunks);
    await Promise.all([written, digested]);
    this.#rowCount += chunks[0]?.length ?? 0;
  }

  async #writeEach(messages: readonly EncodedMessage[]): Promise<void> {
    for (const message of messages) {
      await this.#write(message);
    }
  }

  /** While the system writes. */
  async #digest(chunks: readonly ColumnChunk[]): Promise<void> {
    for (const [i, chunk] of chunks.entries()) {
      this.#digests[i]!.update(chunk);
    }
  }

  /** Adds a message without rows: a dictionary. */
  async appendDictionary(message: EncodedMessage): Promise<void> {
    await this.#write(message);
  }

  /** Puts the bare flatbuffer into the envelope of Arrow's stream format. */
  async #write({ header, body, bodyBytes }: EncodedMessage): Promise<void> {
    const padding = -header.length & 7;
    const prefix = new DataView(new ArrayBuffer(8));
    prefix.setInt32(0, -1, true);
    prefix.setInt32(4, header.length + padding, true);
    const parts = [new Uint8Array(prefix.buffer), header, new Uint8Array(padding), ...body];
    await this.#writeAll(parts.filter(({ length }) => length > 0));
    this.#sizeBytes += 8 + header.length + padding + bodyBytes;
    this.#unflushedBytes += bodyBytes;
    if (this.#unflushedBytes >= flushBytes) {
      this.#unflushedBytes = 0;
      // An error is told once; it counts at the end.
      this.#flushing = this.#flushing.then(() => this.file.datasync());
      this.#flushing.catch(() => undefined);
    }
  }

  /** Goes on after a short write, as they come at the edge of a full disk. */
  async #writeAll(parts: readonly Uint8Array[]): Promise<void> {
    for (let from = 0; from < parts.length; from += vectorsMax) {
      const vectors = parts.slice(from, from + vectorsMax);
      let { bytesWritten: done } = await this.file.writev(vectors);
      for (const part of vectors) {
        if (done < part.length) {
          await this.file.writeFile(part.subarray(done));
        }
        done = Math.max(0, done - part.length);
      }
    }
  }

  /** Ends the stream and makes it safe on disk. */
  async finish(): Promise<DraftContent> {
    if (this.#rowCount === 0) {
      throw new ServiceError('INVALID_ARGUMENT', 'NO_ROWS', 'Expected at least one row but received none.');
    }
    const end = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);
    await this.file.writeFile(end);
    await this.#flushing;
    await this.file.sync();
    await this.file.close();
    await syncFolder(this.folder);
    const columnDigests = this.#digests.map((digest) => digest.finish());
    return {
      digest: digestOf(canonicalJson([this.#rowCount, columnDigests])),
      columns: this.columns,
      nullCounts: this.#digests.map(({ nullCount }) => nullCount),
      rowCount: this.#rowCount,
      sizeBytes: this.#sizeBytes + end.length,
    };
  }

  /** Removes what was written; harmless once the draft has become a version. */
  async discard(): Promise<void> {
    await this.#flushing.catch(() => undefined);
    await this.file.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
