import type { ColumnChunk } from '../pipeline/index.js';
import {
  type ColumnPlace,
  checkBatch,
  type Dictionaries,
  decodeColumn,
  layOut,
  type ReadRegion,
} from './arrow-batch.js';
import { decodeMessage } from './arrow-message.js';
import type { Column } from './column.js';
import { refuseNonFinite } from './finite.js';
import { malformedArrow } from './malformed-arrow.js';
import { updateDictionaries } from './stored-table.js';

/** A message after the schema, checked in every part that a reader will rely on. */
export type CheckedMessage =
  | { kind: 'dictionary'; body: Uint8Array }
  | { kind: 'batch'; body: Uint8Array; length: number; chunks: ColumnChunk[] };

/** The columns of the message that opens an Arrow stream. */
export function readSchema(header: Uint8Array): Column[] {
  if (header.length === 0) {
    throw malformedArrow('the first message has no schema');
  }
  const message = decodeMessage(header);
  if (message.kind !== 'schema') {
    throw malformedArrow(`the first message is a ${message.kind} where the schema should be`);
  }
  return message.columns;
}

/** Reads what follows the schema of a stream that a stranger sends. */
export class ArrowReader {
  readonly #layout: ColumnPlace[];
  #dictionaries: Dictionaries = new Map();
  /** Rows so far. */
  rowCount = 0;

  constructor(private readonly columns: Column[]) {
    this.#layout = layOut(columns);
  }

  read(header: Uint8Array, bytes: Uint8Array): CheckedMessage {
    const message = decodeMessage(header);
    if (message.kind === 'schema') {
      throw malformedArrow('a second schema came');
    }
    if (message.bodyBytes !== bytes.length || bytes.length % 8 !== 0) {
      throw malformedArrow(`a message announces a body of ${message.bodyBytes} bytes and has ${bytes.length}`);
    }
    // The bytes came in the middle of a larger message; Arrow's arrays must start at multiples of 8.
    const body = new Uint8Array(bytes);
    if (message.kind === 'dictionary') {
      this.#dictionaries = updateDictionaries(this.#dictionaries, this.columns, message, body);
      return { kind: 'dictionary', body };
    }
    checkBatch(this.columns, message.batch, body.length);
    const read: ReadRegion = ({ offset, length }) => body.subarray(offset, offset + length);
    const chunks = this.columns.map((column, i) => {
      const chunk = decodeColumn(column, this.#layout[i]!, message.batch, read, this.#dictionaries);
      refuseNonFinite(column.name, chunk, this.rowCount);
      return chunk;
    });
    const { length } = message.batch;
    this.rowCount += length;
    return { kind: 'batch', body, length, chunks };
  }
}
