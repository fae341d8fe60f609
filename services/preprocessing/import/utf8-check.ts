import { isUtf8 } from 'node:buffer';
import { invalidFile } from './import-file.js';

const newline = 0x0a;

/**
 * What more than its line is known of a place, to stand behind that in a message, such as `, column "a"`.
 * @param at in the bytes that were given last; negative: in those before them
 */
export type DescribePlace = (at: number) => string;

const nothingMore: DescribePlace = () => '';

/** Checks UTF-8 piece by piece; a character may be cut in two. */
export class Utf8Check {
  #rest = Buffer.alloc(0);
  /** Of the line that the next byte is in, those before `#rest`. */
  #lineBytes = 0;

  constructor(private readonly file: string) {}

  /** @param line of the first byte */
  push(bytes: Buffer, line: number, describe = nothingMore): void {
    const rest = this.#rest.length;
    const text = rest > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    const end = text.length - incompleteBytes(text);
    const whole = text.subarray(0, end);
    if (!isUtf8(whole)) {
      throw this.#fault(whole, line, (at) => describe(at - rest));
    }
    const lastLine = whole.lastIndexOf(newline) + 1;
    this.#lineBytes = whole.length - lastLine + (lastLine === 0 ? this.#lineBytes : 0);
    this.#rest = Buffer.from(text.subarray(end));
  }

  finish(line: number, describe = nothingMore): void {
    const rest = this.#rest.length;
    if (rest > 0) {
      throw this.#fault(this.#rest, line, (at) => describe(at - rest));
    }
  }

  #fault(text: Buffer, firstLine: number, describe: DescribePlace) {
    let line = firstLine;
    let before = this.#lineBytes;
    let from = 0;
    let to = text.length;
    for (; ; line++, from = to, before = 0) {
      const at = text.indexOf(newline, from);
      to = at < 0 ? text.length : at + 1;
      if (to === text.length || !isUtf8(text.subarray(from, to))) {
        break;
      }
    }
    const place = firstFault(text.subarray(from, to));
    const received = `0x${text[from + place]!.toString(16).padStart(2, '0')} as byte ${before + place + 1} of the line`;
    return invalidFile(
      this.file,
      `Line ${line}${describe(from + place)}: Expected UTF-8 but received ${received}. Convert the file: iconv -t utf-8.`,
    );
  }
}

/** Where the first byte is that does not belong to a whole character. */
function firstFault(line: Buffer): number {
  let [whole, broken] = [0, line.length];
  // The longest beginning that is UTF-8, but for a character that is cut at its end.
  while (whole < broken) {
    const middle = Math.ceil((whole + broken) / 2);
    const begin = line.subarray(0, middle);
    if (isUtf8(begin.subarray(0, middle - incompleteBytes(begin)))) {
      whole = middle;
    } else {
      broken = middle - 1;
    }
  }
  return whole - incompleteBytes(line.subarray(0, whole));
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
