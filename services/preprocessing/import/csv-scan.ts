import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { bufferPool } from '../buffer-pool.js';
import { workAhead } from '../work-ahead.js';
import { type CsvOutline, type CsvSample, type Delimiter, recordBytesMax } from './csv-outline.js';
import { CsvScanner, pieceBytes } from './csv-scanner.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';
import type { MissingValues } from './missing-values.js';

const newline = 0x0a;
const readBytes = 1024 * 1024;

/**
 * Checks the form of a CSV file (RFC 4180): UTF-8, a header of distinct names, and as many fields in each record; and finds
 * what the fields of each column are. DuckDB, which reads the values, guesses what a file with a fault in its form might
 * mean; here it is refused, with its line.
 */
export async function scanCsv(
  { path: file, sizeBytes }: ImportFile,
  delimiter: Delimiter,
  missing: MissingValues,
  signal: AbortSignal,
): Promise<CsvOutline> {
  if (sizeBytes === 0) {
    throw invalidFile(file, 'Expected a header line but the file is empty.');
  }
  const scanner = new CsvScanner(file, delimiter, missing);
  const handle = await openFile(file);
  try {
    // What is left of a field stands before the bytes that come after it, so that each field is in one piece.
    const buffer = Buffer.alloc(recordBytesMax + readBytes);
    let kept = 0;
    /** In the file, of what is first in the buffer. */
    let offset = 0;
    /** Blocks that are scanned here before the rest is left to threads, as far as it is plain; more where little was. */
    let blocks = 1;
    for (let block = 1; ; block++) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, kept, readBytes, offset + kept);
      if (bytesRead === 0) {
        return scanner.finish(buffer, kept, offset);
      }
      const end = kept + bytesRead;
      const fieldStart = scanner.push(buffer, kept, end, offset);
      buffer.copyWithin(0, fieldStart, end);
      kept = end - fieldStart;
      offset += fieldStart;
      const start = block >= blocks && sizeBytes - offset > pieceBytes ? scanner.returnToRecord(offset) : null;
      if (start !== null) {
        kept = 0;
        offset = await scanAhead(handle, scanner, start, signal);
        blocks = offset - start > plainBytesMin ? 1 : Math.min(2 * blocks, blocksMax);
        block = 0;
      }
    }
  } finally {
    await handle.close();
  }
}

/** Scans the first records of a CSV file, which is large. */
export async function sampleCsv(
  { path: file }: ImportFile,
  delimiter: Delimiter,
  missing: MissingValues,
): Promise<CsvSample | null> {
  const scanner = new CsvScanner(file, delimiter, missing);
  const handle = await openFile(file);
  try {
    const buffer = Buffer.alloc(readBytes);
    const { bytesRead } = await handle.read(buffer, 0, readBytes, 0);
    scanner.push(buffer, 0, bytesRead, 0);
    return scanner.sample(bytesRead);
  } finally {
    await handle.close();
  }
}

/** Less than this is not worth leaving to threads. */
const plainBytesMin = 16 * 1024 * 1024;
const blocksMax = 64;
const piecesAhead = 2;

/** Has plain records scanned on threads of their own. @returns where in the file the first begins that is not plain, or not whole */
async function scanAhead(handle: FileHandle, scanner: CsvScanner, start: number, signal: AbortSignal): Promise<number> {
  const scan = async (piece: { bytes: Buffer<ArrayBuffer>; offset: number; sizeBytes: number }) => {
    const { bytes, offset, sizeBytes } = piece;
    const isText = isUtf8(bytes.subarray(0, sizeBytes));
    const { end, count } = isText ? await scanner.scanAhead(bytes, sizeBytes) : { end: 0, count: 0 };
    bufferPool.give(bytes);
    return { offset, sizeBytes, end, count };
  };
  const pieces = wholeLines(handle, start, scanner.pieceBytes(start));
  let reached = start;
  for await (const { offset, sizeBytes, end, count } of workAhead(pieces, piecesAhead, scan)) {
    signal.throwIfAborted();
    scanner.takePlain(offset, end, count);
    reached = offset + end;
    if (end < sizeBytes) {
      break;
    }
  }
  return reached;
}

/** Pieces of a file that end with a line. */
async function* wholeLines(handle: FileHandle, start: number, bytesMax: number) {
  for (let offset = start; ; ) {
    const bytes = bufferPool.take(bytesMax);
    const { bytesRead } = await handle.read(bytes, 0, bytesMax, offset);
    const sizeBytes = bytes.subarray(0, bytesRead).lastIndexOf(newline) + 1;
    if (sizeBytes === 0) {
      return;
    }
    yield { bytes, offset, sizeBytes };
    offset += sizeBytes;
  }
}
