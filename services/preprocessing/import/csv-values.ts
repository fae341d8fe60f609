import { type CsvTarget, readCsvRecords } from '../../../native/index.js';
import type { ColumnChunk } from '../../pipeline/index.js';
import { sliceChunk } from '../chunk-slice.js';
import type { Column, ColumnType } from '../column.js';
import type { CsvOutline, CsvPiece, Delimiter } from './csv-scan.js';
import { fixedBytes } from './duckdb-vector.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';
import { batchBytesMax, batchRowsMax, type ImportBatch } from './import-source.js';

/** Pieces that are read ahead, each on a thread of its own, while the rows before them are stored. */
const piecesAhead = 2;

/** Whether a column is read by the engine: these are the types that are inferred. Others that a caller may give are DuckDB's to read. */
export function isReadByEngine(type: ColumnType): boolean {
  return type.kind === 'text' ? !type.large : type.kind === 'number' && targets[type.type] !== undefined;
}

/** Rows of a file whose form was checked, in its order. */
export async function* readCsvValues(
  { path }: ImportFile,
  { pieces, lineEnd }: CsvOutline,
  delimiter: Delimiter,
  columns: readonly Column[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const file = await openFile(path);
  const ahead: Promise<PieceRows>[] = [];
  try {
    for (let i = 0; i < pieces.length; i++) {
      while (ahead.length <= piecesAhead && i + ahead.length < pieces.length) {
        ahead.push(readPiece(pieces[i + ahead.length]!));
      }
      const { rowCount, chunks } = await ahead.shift()!;
      signal.throwIfAborted();
      if (rowCount !== pieces[i]!.rowCount) {
        throw changed(path);
      }
      yield* cut(chunks, pieces[i]!, columns);
    }
  } finally {
    // What is under way reads from the file.
    await Promise.allSettled(ahead);
    await file.close();
  }

  async function readPiece(piece: CsvPiece): Promise<PieceRows> {
    const bytes = Buffer.allocUnsafeSlow(piece.sizeBytes);
    let size = 0;
    while (size < bytes.length) {
      const { bytesRead } = await file.read(bytes, size, bytes.length - size, piece.offset + size);
      if (bytesRead === 0) {
        throw changed(path);
      }
      size += bytesRead;
    }
    // The second half of the line end before the piece.
    const start = lineEnd === 'CR LF' && bytes[0] === newline ? 1 : 0;
    return parse(path, bytes.subarray(start), delimiter, columns, piece.rowCount);
  }
}

interface PieceRows {
  rowCount: number;
  chunks: ColumnChunk[];
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
  rows: number,
): Promise<PieceRows> {
  const given = columns.map(({ type }): CsvTarget => {
    const validity = new Uint8Array(Math.ceil(rows / 8));
    return type.kind === 'number'
      ? { type: type.type as 'int64' | 'float64', values: new targets[type.type]!(rows), validity }
      : { type: 'text', values: new Int32Array(rows + 1), validity };
  });
  const read = readCsvRecords(bytes, delimiter.charCodeAt(0), given, rows);
  const { rowCount, missing, texts } = await read.catch((error: Error) => {
    throw invalidFile(path, `${error.message} Was it changed while it was read?`);
  });
  const chunks = given.map(({ values, validity: bits }, i): ColumnChunk => {
    const validity = missing[i] === 0 ? null : bits;
    return values instanceof Int32Array
      ? { kind: 'text', length: rows, offsets: values, bytes: texts[i]!, validity }
      : { kind: 'number', length: rows, width: 1, values, validity };
  });
  return { rowCount, chunks };
}

/** A piece has few bytes, but may have many rows, or many more bytes once they are read. */
function* cut(chunks: ColumnChunk[], piece: CsvPiece, columns: readonly Column[]): Generator<ImportBatch> {
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
