import type { FileHandle } from 'node:fs/promises';
import {
  type CsvForm,
  type CsvRows,
  type CsvTarget,
  readCsvRecords,
  readPlainCsvRecords,
} from '../../../native/index.js';
import type { ColumnChunk } from '../../pipeline/index.js';
import { bufferPool } from '../buffer-pool.js';
import { sliceChunk } from '../chunk-slice.js';
import type { Column, ColumnType } from '../column.js';
import { workAhead } from '../work-ahead.js';
import type { CsvOutline, CsvPiece, Delimiter } from './csv-outline.js';
import { fixedBytes } from './duckdb-vector.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';
import { batchBytesMax, batchRowsMax, type ImportBatch } from './import-source.js';

/** Pieces that are read ahead, each on a thread of its own, while the rows before them are stored. */
export const piecesAhead = 2;

/** Whether a column is read by the engine: these are the types that are inferred. Others that a caller may give are DuckDB's to read. */
export function isReadByEngine(type: ColumnType): boolean {
  return type.kind === 'text' ? !type.large : type.kind === 'number' && targets[type.type] !== undefined;
}

/** Rows of a file whose form was checked, in its order. A batch is used up when the next is asked for. */
export async function* readCsvValues(
  { path }: ImportFile,
  { pieces, lineEnd }: CsvOutline,
  delimiter: Delimiter,
  columns: readonly Column[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const file = await openFile(path);
  const read = async (piece: CsvPiece) => {
    const bytes = bufferPool.take(piece.sizeBytes);
    try {
      await readWhole(file, path, bytes.subarray(0, piece.sizeBytes), piece.offset);
      // The second half of the line end before the piece.
      const start = lineEnd === 'CR LF' && bytes[0] === newline ? 1 : 0;
      const rows = await parse(path, bytes.subarray(start, piece.sizeBytes), delimiter, columns, piece);
      return { piece, ...rows };
    } finally {
      bufferPool.give(bytes);
    }
  };
  try {
    for await (const { piece, chunks, memory } of workAhead(pieces, piecesAhead, read)) {
      signal.throwIfAborted();
      yield* cutPiece(chunks, piece, columns);
      bufferPool.give(memory);
    }
  } finally {
    await file.close();
  }
}

/** @throws ServiceError if the file ends before */
export async function readWhole(file: FileHandle, path: string, bytes: Buffer, offset: number): Promise<void> {
  let size = 0;
  while (size < bytes.length) {
    const { bytesRead } = await file.read(bytes, size, bytes.length - size, offset + size);
    if (bytesRead === 0) {
      throw changed(path);
    }
    size += bytesRead;
  }
}

interface PieceRows {
  chunks: ColumnChunk[];
  /** What their arrays lie in, but for the bytes of texts. */
  memory: Buffer<ArrayBuffer>;
}

const newline = 0x0a;
const targets: Partial<Record<string, typeof BigInt64Array | typeof Float64Array>> = {
  int64: BigInt64Array,
  float64: Float64Array,
};

async function parse(
  path: string,
  bytes: Uint8Array,
  delimiter: Delimiter,
  columns: readonly Column[],
  { rowCount: rows }: CsvPiece,
): Promise<PieceRows> {
  const { targets: given, memory } = makeTargets(columns, rows);
  const read = readCsvRecords(bytes, delimiter.charCodeAt(0), given, rows);
  const { rowCount, missing, texts } = await read.catch((error: Error) => {
    throw invalidFile(path, `${error.message} Was it changed while it was read?`);
  });
  if (rowCount !== rows) {
    throw changed(path);
  }
  return { chunks: toChunks(given, { rowCount, missing, texts }), memory };
}

/** As `readCsvValues` reads a piece, but its form was not checked. Null: its records are not plain. @param rows about as many */
export async function parsePiece(
  path: string,
  bytes: Uint8Array,
  columns: readonly Column[],
  rows: number,
  form: CsvForm,
): Promise<PieceRows | null> {
  const room = rows + (rows >> 3) + 1;
  const { targets: given, memory } = makeTargets(columns, room);
  const read = readPlainCsvRecords(bytes, form, given, room);
  const found = await read.catch((error: Error) => {
    throw invalidFile(path, error.message);
  });
  if (found && found.rowCount <= room) {
    return { chunks: toChunks(given, found), memory };
  }
  bufferPool.give(memory);
  return found && parsePiece(path, bytes, columns, 2 * room, form);
}

function toChunks(given: readonly CsvTarget[], { rowCount: length, missing, texts }: CsvRows): ColumnChunk[] {
  return given.map(({ values, validity: bits }, i) => {
    const validity = missing[i] === 0 ? null : bits.subarray(0, Math.ceil(length / 8));
    return values instanceof Int32Array
      ? { kind: 'text', length, offsets: values.subarray(0, length + 1), bytes: texts[i]!, validity }
      : { kind: 'number', length, width: 1, values: values.subarray(0, length), validity };
  });
}

/** Arrays for the values of a piece, one behind the other. */
function makeTargets(columns: readonly Column[], rows: number) {
  const bitBytes = 8 * Math.ceil(rows / 64);
  const memory = bufferPool.take(columns.length * (8 * (rows + 1) + bitBytes));
  let place = memory.byteOffset;
  const takeBytes = (size: number) => {
    const from = place;
    place += 8 * Math.ceil(size / 8);
    return from;
  };
  const given = columns.map(({ type }): CsvTarget => {
    const validity = new Uint8Array(memory.buffer, takeBytes(bitBytes), Math.ceil(rows / 8)).fill(0);
    if (type.kind === 'number') {
      const values = new targets[type.type]!(memory.buffer, takeBytes(8 * rows), rows);
      return { type: type.type as 'int64' | 'float64', values, validity };
    }
    const offsets = new Int32Array(memory.buffer, takeBytes(4 * (rows + 1)), rows + 1);
    offsets[0] = 0;
    return { type: 'text', values: offsets, validity };
  });
  return { targets: given, memory };
}

/** A piece has few bytes, but may have many rows, or many more bytes once they are read. */
export function* cutPiece(
  chunks: ColumnChunk[],
  piece: Pick<CsvPiece, 'sizeBytes' | 'rowCount'>,
  columns: readonly Column[],
): Generator<ImportBatch> {
  const rowBytes = columns.reduce((sum, { type }) => sum + fixedBytes(type), 0);
  const rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytesMax / rowBytes)));
  const bytesPerRow = piece.sizeBytes / piece.rowCount;
  for (let from = 0; from < piece.rowCount; from += rowsMax) {
    const to = Math.min(piece.rowCount, from + rowsMax);
    const isWhole = to - from === piece.rowCount;
    yield {
      chunks: isWhole ? chunks : chunks.map((chunk) => sliceChunk(chunk, from, to)),
      bytesDone: Math.round((to - from) * bytesPerRow),
    };
  }
}

function changed(path: string) {
  return invalidFile(
    path,
    'Expected the rows that were there when its form was checked. Was it changed while it was read?',
  );
}
