import { quote } from '../../platform/errors.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';
import { fieldAtEnd } from './json-record.js';
import { Utf8Check } from './utf8-check.js';

/** An object of an array, as it is written. */
export interface ArrayRecord {
  text: string;
  /** Where it begins, from 1. */
  line: number;
  /** Of the file, with what stands before it. */
  bytes: number;
}

const recordBytesMax = 2 * 1024 * 1024;
const readBytes = 1024 * 1024;

/** Whether a file holds a JSON array, going by its first byte that is no space. */
export async function isJsonArray({ path: file }: ImportFile): Promise<boolean> {
  const handle = await openFile(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer
      .toString('utf8', 0, bytesRead)
      .replace(/^\ufeff/, '')
      .trimStart()
      .startsWith('[');
  } finally {
    await handle.close();
  }
}

/** The objects of a file that is one JSON array of them in UTF-8, however its lines are broken; what is in them is not looked at. */
export async function* readJsonArray({ path: file }: ImportFile, signal: AbortSignal): AsyncGenerator<ArrayRecord> {
  const handle = await openFile(file);
  try {
    const buffer = Buffer.alloc(recordBytesMax + readBytes);
    const utf8 = new Utf8Check(file);
    const scanner = new ArrayScanner(file, buffer);
    let kept = 0;
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, kept, readBytes);
      const [from, end] = [kept, kept + bytesRead];
      const describe = (at: number) => {
        // What is before the fault says which field it is in.
        scanner.push(from, from + at);
        return scanner.place(from + at);
      };
      if (bytesRead === 0) {
        utf8.finish(scanner.line, describe);
        scanner.finish();
        return;
      }
      utf8.push(buffer.subarray(from, end), scanner.line, describe);
      yield* scanner.push(from, end);
      kept = scanner.keep(end);
    }
  } finally {
    await handle.close();
  }
}

const [byteOrderMark, newline, quotes, backslash, comma] = [0xfeff, 0x0a, 0x22, 0x5c, 0x2c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];
const spaces = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** What comes next outside of records, as a message says it. */
const expected = {
  start: 'a JSON array, [ ... ]',
  first: 'a record, { ... }, or the end of the array',
  record: 'a record, { ... }',
  comma: 'a comma or the end of the array',
  end: 'nothing after the array',
};

/** Finds where records begin and end: only brackets, braces and quotes count, which are in no byte of other characters. */
class ArrayScanner {
  line = 1;
  #next: keyof typeof expected = 'start';
  #depth = 0;
  #inText = false;
  #isEscaped = false;
  /** In the buffer: of the record that has not ended, and of what belongs to no record before. */
  #start = 0;
  #startLine = 1;
  #taken = 0;

  constructor(
    private readonly file: string,
    private readonly buffer: Buffer,
  ) {}

  /** The records that end among buffer[from .. to]. */
  push(from: number, to: number): ArrayRecord[] {
    const found: ArrayRecord[] = [];
    for (let at = from; at < to; at++) {
      const byte = this.buffer[at]!;
      this.line += byte === newline ? 1 : 0;
      if (this.#depth === 0) {
        this.#stepOutside(byte, at, to);
      } else if (this.#stepInside(byte)) {
        this.#checkBytes(at + 1 - this.#start);
        const text = this.buffer.toString('utf8', this.#start, at + 1);
        found.push({ text, line: this.#startLine, bytes: at + 1 - this.#taken });
        this.#taken = at + 1;
      }
    }
    return found;
  }

  /** Answers whether the record ends. */
  #stepInside(byte: number): boolean {
    if (this.#inText) {
      this.#inText = byte !== quotes || this.#isEscaped;
      this.#isEscaped = byte === backslash && !this.#isEscaped;
    } else if (byte === quotes) {
      this.#inText = true;
    } else if (byte === openBrace || byte === openBracket) {
      this.#depth++;
    } else if (byte === closeBrace || byte === closeBracket) {
      this.#depth--;
    }
    return this.#depth === 0;
  }

  #stepOutside(byte: number, at: number, end: number): void {
    const next = this.#next;
    if (spaces.has(byte)) {
      return;
    }
    if (byte === openBracket && next === 'start') {
      this.#next = 'first';
    } else if (byte === openBrace && (next === 'first' || next === 'record')) {
      this.#start = at;
      this.#startLine = this.line;
      this.#depth = 1;
      this.#next = 'comma';
    } else if (byte === comma && next === 'comma') {
      this.#next = 'record';
    } else if (byte === closeBracket && (next === 'first' || next === 'comma')) {
      this.#next = 'end';
    } else if (!this.#isMark(at)) {
      const received = this.buffer.toString('utf8', at, Math.min(end, at + 40)).split('\n')[0]!;
      throw this.#fault(`Expected ${expected[next]}, but received ${quote(received)}.`);
    }
  }

  /** The byte order mark has three bytes. */
  #isMark(at: number): boolean {
    return this.#next === 'start' && at < 3 && this.buffer.toString('utf8', 0, 3).charCodeAt(0) === byteOrderMark;
  }

  /** What more than its line is known of a place in the buffer. */
  place(at: number): string {
    const name = this.#depth === 0 ? null : fieldAtEnd(this.buffer.toString('utf8', this.#start, at));
    return name === null ? '' : `, column ${JSON.stringify(name)}`;
  }

  /** Moves what is not taken to the front of the buffer; answers how many bytes that are. @param end of what was pushed */
  keep(end: number): number {
    const from = this.#depth === 0 ? end : this.#start;
    this.#checkBytes(end - from);
    this.buffer.copyWithin(0, from, end);
    this.#start = 0;
    this.#taken -= from;
    return end - from;
  }

  #checkBytes(size: number): void {
    if (size > recordBytesMax) {
      const message = `Expected records of at most ${recordBytesMax} bytes but the one from line ${this.#startLine} on is longer.`;
      throw this.#fault(message);
    }
  }

  finish(): void {
    if (this.#depth > 0 || this.#next !== 'end') {
      const what =
        this.#depth > 0 ? `the end of the record that begins in line ${this.#startLine}` : expected[this.#next];
      throw this.#fault(`Expected ${what}, but the file ends. Is it truncated?`);
    }
  }

  #fault(problem: string) {
    return invalidFile(this.file, `Line ${this.line}: ${problem}`);
  }
}
