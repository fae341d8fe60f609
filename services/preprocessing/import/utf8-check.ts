import { isUtf8 } from 'node:buffer';
import { invalidFile } from './import-file.js';

const newline = 0x0a;

/** Checks UTF-8 piece by piece; a character may be cut in two. */
export class Utf8Check {
  #rest = Buffer.alloc(0);

  constructor(private readonly file: string) {}

  /** @param line of the first byte */
  push(bytes: Buffer, line: number): void {
    const text = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    const end = text.length - incompleteBytes(text);
    const whole = text.subarray(0, end);
    if (!isUtf8(whole)) {
      throw this.#fault(whole, line);
    }
    this.#rest = Buffer.from(text.subarray(end));
  }

  finish(line: number): void {
    if (this.#rest.length > 0) {
      throw this.#fault(this.#rest, line);
    }
  }

  #fault(text: Buffer, firstLine: number) {
    let line = firstLine;
    for (let from = 0; from < text.length; line++) {
      const at = text.indexOf(newline, from);
      const to = at < 0 ? text.length : at + 1;
      if (!isUtf8(text.subarray(from, to))) {
        break;
      }
      from = to;
    }
    return invalidFile(
      this.file,
      `Line ${line}: Expected UTF-8 but received other bytes. Convert the file: iconv -t utf-8.`,
    );
  }
}

/** Bytes at the end that begin a character whose other bytes are still to come. */
function incompleteBytes(text: Buffer): number {
  for (let back = 1; back <= Math.min(3, text.length); back++) {
    const byte = text[text.length - back]!;
    if ((byte & 0xc0) !== 0x80) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
      return length > back ? back : 0;
    }
  }
  return 0;
}
