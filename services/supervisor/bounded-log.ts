import { appendFileSync, renameSync, statSync } from 'node:fs';

/**
 * A log file that does not grow for ever: one that is full becomes `FILE.previous`, in place of the one before. A line that
 * cannot be written, because the disk is full, is lost: what it tells of goes on.
 */
export class BoundedLog {
  constructor(
    private readonly file: string,
    private readonly bytesMax = 16 * 1024 * 1024,
  ) {}

  append(line: string): void {
    try {
      const sizeBytes = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
      if (sizeBytes + Buffer.byteLength(line) >= this.bytesMax) {
        renameSync(this.file, `${this.file}.previous`);
      }
      appendFileSync(this.file, `${line}\n`);
    } catch {
      // There is no place left to say so.
    }
  }
}
