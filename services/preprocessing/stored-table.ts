import { type FileHandle, open } from 'node:fs/promises';
import type { ColumnChunk } from '../pipeline/index.js';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import { ServiceError } from '../platform/errors.js';
import {
  type ColumnPlace,
  type Dictionaries,
  decodeColumn,
  decodeDictionary,
  layOut,
  type ReadRegion,
} from './arrow-batch.js';
import { type BatchHeader, decodeMessage, type Region } from './arrow-message.js';
import type { Column } from './column.js';

/** Where a message stands in the file. */
interface Place {
  headerOffset: number;
  headerBytes: number;
  bodyOffset: number;
  bodyBytes: number;
}

/** A message of the file. */
export type StoredMessage = Place & ({ kind: 'schema' } | { kind: 'dictionary'; id: number } | StoredBatch);

/** A record batch that can be read, whole or by columns. */
export interface StoredBatch extends Place {
  kind: 'batch';
  header: BatchHeader;
  /** Rows of the table before this batch. */
  firstRow: number;
  dictionaries: Dictionaries;
}

/** Gives memory for so many bytes or more, whatever they hold; of its own, so that arrays of numbers can begin where it does. */
export type Allocate = (sizeBytes: number) => Buffer<ArrayBuffer>;

const allocateOwn: Allocate = (sizeBytes) => Buffer.allocUnsafeSlow(sizeBytes);

/** The rows of a dataset version. Only what is asked for is read. */
export class StoredTable {
  readonly batches: StoredBatch[] = [];
  readonly messages: StoredMessage[] = [];
  readonly #layout: ColumnPlace[];
  rowCount = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly path: string,
    readonly columns: readonly Column[],
  ) {
    this.#layout = layOut(columns);
  }

  static async open(path: string, columns: readonly Column[]): Promise<StoredTable> {
    const table = new StoredTable(await open(path, 'r'), path, columns);
    try {
      await table.#scan();
      return table;
    } catch (error) {
      await table.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** Walks over the headers; bodies are skipped, but for dictionaries. */
  async #scan(): Promise<void> {
    let dictionaries: Dictionaries = new Map();
    let offset = 0;
    for (;;) {
      const prefix = await this.#read(offset, 8);
      const headerBytes = new DataView(prefix.buffer).getInt32(4, true);
      if (headerBytes === 0) {
        return;
      }
      const header = await this.#read(offset + 8, headerBytes);
      const message = decodeMessage(header);
      const bodyBytes = message.kind === 'schema' ? 0 : message.bodyBytes;
      const place = { headerOffset: offset + 8, headerBytes, bodyOffset: offset + 8 + headerBytes, bodyBytes };
      if (message.kind === 'batch') {
        const { batch: batchHeader } = message;
        const batch = { kind: 'batch', ...place, header: batchHeader, firstRow: this.rowCount, dictionaries } as const;
        this.messages.push(batch);
        this.batches.push(batch);
        this.rowCount += batchHeader.length;
      } else if (message.kind === 'schema') {
        this.messages.push({ kind: 'schema', ...place });
      } else {
        this.messages.push({ kind: 'dictionary', id: message.id, ...place });
        const body = await this.#read(place.bodyOffset, bodyBytes);
        dictionaries = updateDictionaries(dictionaries, this.columns, message, body);
      }
      offset = place.bodyOffset + bodyBytes;
    }
  }

  async #read(offset: number, size: number, allocate: Allocate = allocateOwn): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = allocate(size).subarray(0, size);
    let done = 0;
    while (done < size) {
      const { bytesRead } = await this.file.read(bytes, done, size - done, offset + done);
      if (bytesRead === 0) {
        const message = `The file ${this.path} ends at byte ${offset + done}, before its content does.`;
        throw new ServiceError('DATA_LOSS', 'DATASET_DAMAGED', message);
      }
      done += bytesRead;
    }
    return bytes;
  }

  /** One column of one batch; only its own buffers are read. */
  async readColumn(batch: StoredBatch, column: number, allocate?: Allocate): Promise<ColumnChunk> {
    const read = await this.#readBuffers(batch, column, allocate);
    return decodeColumn(this.columns[column]!, this.#layout[column]!, batch.header, read, batch.dictionaries);
  }

  /** Some columns of one batch, in one reading where they are most of what lies between them. */
  async readColumns(batch: StoredBatch, columns: readonly number[], allocate?: Allocate): Promise<ColumnChunk[]> {
    const regions = [...new Set(columns)].flatMap((column) => this.#regions(batch, column));
    const from = regions.reduce((first, { offset }) => Math.min(first, offset), batch.bodyBytes);
    const to = regions.reduce((last, { offset, length }) => Math.max(last, offset + length), from);
    const wanted = regions.reduce((sum, { length }) => sum + length, 0);
    // A column that is named twice is read twice: steps may change what they are given.
    if (wanted < (to - from) / 2 || new Set(columns).size < columns.length) {
      return Promise.all(columns.map((column) => this.readColumn(batch, column, allocate)));
    }
    const bytes = await this.#read(batch.bodyOffset + from, to - from, allocate);
    const read: ReadRegion = ({ offset, length }) => bytes.subarray(offset - from, offset - from + length);
    return columns.map((column) =>
      decodeColumn(this.columns[column]!, this.#layout[column]!, batch.header, read, batch.dictionaries),
    );
  }

  /** One column's nodes and buffers as they are stored. */
  async readParts(batch: StoredBatch, column: number): Promise<{ nodes: BatchHeader['nodes']; buffers: Uint8Array[] }> {
    const { node, nodeCount } = this.#layout[column]!;
    const read = await this.#readBuffers(batch, column);
    return { nodes: batch.header.nodes.slice(node, node + nodeCount), buffers: this.#regions(batch, column).map(read) };
  }

  #regions({ header }: StoredBatch, column: number): Region[] {
    const { buffer, bufferCount } = this.#layout[column]!;
    return header.buffers.slice(buffer, buffer + bufferCount);
  }

  /** The buffers of a column lie side by side. */
  async #readBuffers(batch: StoredBatch, column: number, allocate?: Allocate): Promise<ReadRegion> {
    const regions = this.#regions(batch, column);
    // A column of nulls has no regions.
    const from = regions.length > 0 ? Math.min(...regions.map(({ offset }) => offset)) : 0;
    const to = Math.max(from, ...regions.map(({ offset, length }) => offset + length));
    const bytes = await this.#read(batch.bodyOffset + from, to - from, allocate);
    return ({ offset, length }) => bytes.subarray(offset - from, offset - from + length);
  }

  /** A message as it was written. @param allocate for its body */
  async readMessage(message: StoredMessage, allocate?: Allocate): Promise<EncodedMessage> {
    const { headerOffset, headerBytes, bodyOffset, bodyBytes } = message;
    const header = await this.#read(headerOffset, headerBytes);
    return { header, body: [await this.#read(bodyOffset, bodyBytes, allocate)], bodyBytes };
  }

  /** The bare flatbuffer of the schema. */
  async schemaHeader(): Promise<Uint8Array> {
    const { headerOffset, headerBytes } = this.messages[0]!;
    return this.#read(headerOffset, headerBytes);
  }
}

/** Dictionaries after a message that adds to one or replaces it. */
export function updateDictionaries(
  dictionaries: Dictionaries,
  columns: readonly Column[],
  message: { id: number; isDelta: boolean; batch: BatchHeader },
  body: Uint8Array,
): Dictionaries {
  const column = columns.find(({ type }) => type.kind === 'dictionary' && type.id === message.id);
  if (column?.type.kind !== 'dictionary') {
    throw new ServiceError(
      'INVALID_ARGUMENT',
      'MALFORMED_ARROW',
      `Expected an Arrow stream but dictionary ${message.id} belongs to no column.`,
    );
  }
  const values = decodeDictionary(message.id, column.type.large, message.batch, body);
  const before = message.isDelta ? (dictionaries.get(message.id) ?? []) : [];
  return new Map([...dictionaries, [message.id, [...before, ...values]]]);
}
