import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { bufferPool } from '../buffer-pool.js';
import type { Column } from '../column.js';
import { workAhead } from '../work-ahead.js';
import { type CsvSample, type Delimiter, recordBytesMax } from './csv-outline.js';
import { pieceBytes } from './csv-scanner.js';
import { mayBeTimes } from './csv-times.js';
import { cutPiece, isReadByEngine, parsePiece, piecesAhead, readWhole } from './csv-values.js';
import { type FieldKind, fieldKinds, typeOfKind } from './field-kind.js';
import { type ImportFile, openFile } from './import-file.js';
import { type ImportBatch, type ImportContext, type ImportSource, NotAsGuessed } from './import-source.js';

/** Smaller files are scanned so fast that a guess that fails would cost more. */
const guessedBytesMin = 8 * 1024 * 1024;
const newline = 0x0a;

/** Whether a guess is worth a look at the first records. */
export function mayGuess(
  files: readonly ImportFile[],
  { mayGuess: may, types, missingValues }: ImportContext,
): boolean {
  return may && types.size === 0 && !missingValues.everyColumn && files.every(isLarge);
}

const isLarge = ({ sizeBytes }: ImportFile) => sizeBytes >= guessedBytesMin;

/**
 * Files whose columns are taken for what their first records say, which saves the scan. Null: these say too little, or that the
 * values are not for the engine to read.
 */
export function guessCsv(
  files: readonly ImportFile[],
  delimiter: Delimiter,
  samples: readonly (CsvSample | null)[],
  { signal }: ImportContext,
): ImportSource | null {
  const found = samples.filter((sample) => sample !== null);
  const names = found.map(({ columns }) => columns.map(({ name }) => name).join('\0'));
  if (found.length < files.length || new Set(names).size > 1) {
    return null;
  }
  const columns = found[0]!.columns.map(({ name }, i): Column => {
    const kind = Math.max(...found.map((sample) => sample.columns[i]!.kind)) as FieldKind;
    return { name, type: typeOfKind(kind), shape: [] };
  });
  // A column without values would be one of texts; the first value may say something else.
  const isTold = found.every((sample) => {
    return sample.columns.every(({ kind, hasMissingWords }) => kind !== fieldKinds.missing && !hasMissingWords);
  });
  const isReadable = columns.length > 1 && columns.every(({ type }) => isReadByEngine(type));
  if (!isTold || !isReadable || mayBeTimes(found).length > 0) {
    return null;
  }
  return { columns, batches: readFiles(files, delimiter, found, columns, signal) };
}

async function* readFiles(
  files: readonly ImportFile[],
  delimiter: Delimiter,
  samples: readonly CsvSample[],
  columns: readonly Column[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  for (const [i, file] of files.entries()) {
    yield* readFile(file, delimiter, samples[i]!, columns, signal);
  }
}

/** The rows of a file, as long as all of it is as was guessed. @throws NotAsGuessed */
async function* readFile(
  { path, sizeBytes }: ImportFile,
  delimiter: Delimiter,
  { lineEnd, start, bytesPerRow }: CsvSample,
  columns: readonly Column[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const form = { delimiter: delimiter.charCodeAt(0), isCrLf: lineEnd === 'CR LF', recordBytesMax };
  // What is read may be longer than what is written.
  const bytesMax = Math.floor(pieceBytes / Math.max(1, (columns.length * 8) / bytesPerRow));
  const file = await openFile(path);
  const read = async ({ bytes, size }: Piece) => {
    try {
      const piece = bytes.subarray(0, size);
      const rows = isUtf8(piece) ? await parsePiece(path, piece, columns, Math.ceil(size / bytesPerRow), form) : null;
      return { size, rows };
    } finally {
      bufferPool.give(bytes);
    }
  };
  try {
    const pieces = wholeLines(file, path, { start, end: sizeBytes, bytesMax, lineEnd });
    for await (const { size, rows } of workAhead(pieces, piecesAhead, read)) {
      signal.throwIfAborted();
      if (!rows) {
        throw new NotAsGuessed();
      }
      const { chunks, memory } = rows;
      yield* cutPiece(chunks, { sizeBytes: size, rowCount: chunks[0]!.length }, columns);
      bufferPool.give(memory);
    }
  } finally {
    await file.close();
  }
}

interface Piece {
  bytes: Buffer<ArrayBuffer>;
  size: number;
}

/** A file from `start` on, in pieces that end with a line; the last line gets an end where it has none. */
async function* wholeLines(
  file: FileHandle,
  path: string,
  { start, end, bytesMax, lineEnd }: { start: number; end: number; bytesMax: number; lineEnd: CsvSample['lineEnd'] },
): AsyncGenerator<Piece> {
  const lineEndBytes = Buffer.from(lineEnd === 'CR LF' ? '\r\n' : '\n');
  const read = async (offset: number) => {
    const size = Math.min(bytesMax, end - offset);
    const bytes = bufferPool.take(bytesMax + lineEndBytes.length);
    await readWhole(file, path, bytes.subarray(0, size), offset);
    return { bytes, size };
  };
  /** Of what is not yet passed on: it is read while the piece before it is worked on. */
  let next = start < end ? read(start) : null;
  try {
    for (let offset = start; next; ) {
      const { bytes, size: wanted } = await next;
      let size = bytes.subarray(0, wanted).lastIndexOf(newline) + 1;
      const isLast = offset + wanted === end;
      if (isLast && size < wanted) {
        bytes.set(lineEndBytes, wanted);
        size = wanted + lineEndBytes.length;
      }
      if (size === 0) {
        throw new NotAsGuessed();
      }
      offset += size;
      next = isLast ? null : read(offset);
      // It is looked at in its turn.
      next?.catch(() => undefined);
      yield { bytes, size };
    }
  } finally {
    // Before the file is closed.
    await next?.then(({ bytes }) => bufferPool.give(bytes)).catch(() => undefined);
  }
}
