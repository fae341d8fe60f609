import type { DuckDBDataChunk } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { isValid, type NumberType, numberArrays, type Validity } from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';
import { type BooleanBuilder, createBuilder, NumberBuilder, TextBuilder } from './column-builder.js';
import { batchBytesMax, batchRowsMax, type ImportBatch } from './import-source.js';

const sqlNumbers: Record<NumberType, string> = {
  int8: 'TINYINT',
  int16: 'SMALLINT',
  int32: 'INTEGER',
  int64: 'BIGINT',
  uint8: 'UTINYINT',
  uint16: 'USMALLINT',
  uint32: 'UINTEGER',
  uint64: 'UBIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
};

/** DuckDB's name of a column's type. */
export function sqlTypeOf(type: ColumnType): string {
  switch (type.kind) {
    case 'number':
      return sqlNumbers[type.type];
    case 'boolean':
      return 'BOOLEAN';
    case 'text':
      return 'VARCHAR';
    default:
      throw new Error(`a column of kind ${type.kind} is not read by DuckDB`);
  }
}

/** Rows of chunks in batches of a size that a dataset keeps. @param bytesPerRow of the file, for the progress */
export async function* toBatches(
  chunks: AsyncIterable<DuckDBDataChunk>,
  types: readonly ColumnType[],
  bytesPerRow: number,
): AsyncGenerator<ImportBatch> {
  let batch = new BatchBuilder(types);
  for await (const chunk of chunks) {
    for (let row = 0; row < chunk.rowCount; ) {
      row = batch.push(chunk, row);
      if (batch.isFull) {
        yield batch.finish(bytesPerRow);
        batch = new BatchBuilder(types);
      }
    }
  }
  if (batch.length > 0) {
    yield batch.finish(bytesPerRow);
  }
}

/** A column of a chunk: DuckDB's own memory, good as long as the chunk is. */
interface Vector {
  type: ColumnType;
  data: Uint8Array;
  validity: Validity;
}

/** Rows on their way to a batch. */
class BatchBuilder {
  readonly #columns: (NumberBuilder | BooleanBuilder | TextBuilder)[];
  readonly #rowsMax: number;
  #isFull = false;

  constructor(private readonly types: readonly ColumnType[]) {
    const rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytesMax / (8 * types.length))));
    this.#rowsMax = rowsMax;
    this.#columns = types.map((type) => createBuilder(type, rowsMax));
  }

  get length(): number {
    return this.#columns[0]!.length;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes the rows of a chunk from `row` on until the batch is full; answers the first row that it did not take. */
  push(chunk: DuckDBDataChunk, row: number): number {
    const vectors = this.types.map((type, i) => readVector(chunk, i, type));
    const end = this.#rowThatFills(chunk.rowCount, vectors, row);
    for (const [i, vector] of vectors.entries()) {
      append(this.#columns[i]!, vector, row, end);
    }
    return end;
  }

  /** The first row of the chunk that the batch does not take. */
  #rowThatFills(rowCount: number, vectors: readonly Vector[], row: number): number {
    const texts = vectors
      .filter(({ type }) => type.kind === 'text')
      .map(({ data, validity }) => ({ lengths: lengthsOf(data), validity }));
    const end = Math.min(rowCount, row + this.#rowsMax - this.length);
    let bytes = this.#columns.reduce((sum, { textBytes }) => sum + textBytes, 0);
    for (let next = row; next < end; next++) {
      for (const { lengths, validity } of texts) {
        bytes += isValid(validity, next) ? lengths[4 * next]! : 0;
      }
      if (bytes >= batchBytesMax) {
        this.#isFull = true;
        return next + 1;
      }
    }
    this.#isFull = this.length + end - row === this.#rowsMax;
    return end;
  }

  finish(bytesPerRow: number): ImportBatch {
    return { chunks: this.#columns.map((column) => column.finish()), bytesDone: Math.round(this.length * bytesPerRow) };
  }
}

const textBytes = 16;
/** Texts up to this length stand where the pointer to longer ones does. */
const inlineBytesMax = 12;

function readVector(chunk: DuckDBDataChunk, column: number, type: ColumnType): Vector {
  const vector = duckdb.data_chunk_get_vector(chunk.chunk, column);
  const { rowCount } = chunk;
  const valueBytes =
    type.kind === 'number' ? numberArrays[type.type].BYTES_PER_ELEMENT : type.kind === 'boolean' ? 1 : textBytes;
  return {
    type,
    data: duckdb.vector_get_data(vector, rowCount * valueBytes),
    validity: (duckdb.vector_get_validity(vector, Math.ceil(rowCount / 64) * 8) as Uint8Array | null) ?? null,
  };
}

/** The length of each text is the first of the four words that stand for it. */
function lengthsOf(data: Uint8Array): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

function append(
  builder: NumberBuilder | BooleanBuilder | TextBuilder,
  { type, data, validity }: Vector,
  from: number,
  to: number,
): void {
  if (builder instanceof NumberBuilder && type.kind === 'number') {
    const ArrayType = numberArrays[type.type];
    const count = data.byteLength / ArrayType.BYTES_PER_ELEMENT;
    const values = new ArrayType(data.buffer as ArrayBuffer, data.byteOffset, count);
    builder.pushAll(values, validity, from, to);
  } else if (builder instanceof TextBuilder) {
    appendTexts(builder, data, validity, from, to);
  } else {
    for (let row = from; row < to; row++) {
      builder.push(isValid(validity, row) ? data[row] !== 0 : null);
    }
  }
}

function appendTexts(builder: TextBuilder, data: Uint8Array, validity: Validity, from: number, to: number): void {
  const lengths = lengthsOf(data);
  for (let row = from; row < to; row++) {
    const length = lengths[4 * row]!;
    if (!isValid(validity, row)) {
      builder.push(null);
    } else if (length <= inlineBytesMax) {
      const start = row * textBytes + 4;
      builder.pushBytes(data, start, start + length);
    } else {
      const pointer = data.byteOffset + row * textBytes + 8;
      builder.pushBytes(duckdb.get_data_from_pointer(data.buffer as ArrayBuffer, pointer, length), 0, length);
    }
  }
}
