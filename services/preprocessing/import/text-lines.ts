import { type ImportFile, invalidFile, openFile } from './import-file.js';
import { Utf8Check } from './utf8-check.js';

/** Consecutive lines of a file, without their ends. */
export interface LineBlock {
  lines: string[];
  /** Number of the first, from 1. */
  firstLine: number;
  /** Of the file, with the ends. */
  bytes: number;
}

const readBytes = 1024 * 1024;
export const lineBytesMax = 2 * 1024 * 1024;
const newline = 0x0a;

/**
 * The lines of a file of UTF-8, which end in LF or CR LF; the last may lack its end.
 * @param describe what more is to be said of a place that is not UTF-8, such as `, column "a"`, by what stands before it in its line
 */
export async function* readLines(
  { path: file }: ImportFile,
  signal: AbortSignal,
  describe: (begin: string) => string,
): AsyncGenerator<LineBlock> {
  const text = new Utf8Check(file);
  const handle = await openFile(file);
  try {
    const buffer = Buffer.alloc(lineBytesMax + readBytes);
    let kept = 0;
    let firstLine = 1;
    /** @param end in the buffer */
    const describeAt = (end: number) => {
      const begin = buffer.toString('utf8', 0, end);
      return describe(begin.slice(begin.lastIndexOf('\n') + 1));
    };
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, kept, readBytes);
      if (bytesRead === 0) {
        text.finish(firstLine, (at) => describeAt(kept + at));
        if (kept > 0) {
          yield { lines: [withoutReturn(buffer.toString('utf8', 0, kept))], firstLine, bytes: kept };
        }
        return;
      }
      const [from, end] = [kept, kept + bytesRead];
      text.push(buffer.subarray(from, end), firstLine, (at) => describeAt(from + at));
      const whole = buffer.subarray(0, end).lastIndexOf(newline) + 1;
      if (end - whole > lineBytesMax) {
        throw invalidFile(
          file,
          `Line ${firstLine}: Expected lines of at most ${lineBytesMax} bytes but one near here is longer.`,
        );
      }
      if (whole > 0) {
        const lines = buffer
          .toString('utf8', 0, whole - 1)
          .split('\n')
          .map(withoutReturn);
        yield { lines, firstLine, bytes: whole };
        firstLine += lines.length;
        buffer.copyWithin(0, whole, end);
      }
      kept = end - whole;
    }
  } finally {
    await handle.close();
  }
}

const withoutReturn = (line: string) => (line.endsWith('\r') ? line.slice(0, -1) : line);
