import { isUtf8 } from 'node:buffer';
import { columnsMax } from './column.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';

/** What a CSV file is made of, found by reading all of it once. */
export interface CsvOutline {
  names: string[];
  /** Records after the header. */
  rowCount: number;
}

const [comma, quote, newline, carriageReturn] = [0x2c, 0x22, 0x0a, 0x0d];
const readBytes = 1024 * 1024;
/** The reader of the values must be told, too. */
export const recordBytesMax = 2 * 1024 * 1024;

/**
 * Checks the form of a CSV file (RFC 4180): UTF-8, a header of distinct names, and as many fields in each record. DuckDB,
 * which reads the values, guesses what a file with a fault in its form might mean; here it is refused, with its line.
 */
export async function scanCsv({ path: file, sizeBytes }: ImportFile, signal: AbortSignal): Promise<CsvOutline> {
  if (sizeBytes === 0) {
    throw invalidFile(file, 'Expected a header line but the file is empty.');
  }
  const scanner = new CsvScanner(file);
  const handle = await openFile(file);
  try {
    const bytes = Buffer.alloc(readBytes);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(bytes, 0, readBytes);
      if (bytesRead === 0) {
        return scanner.finish();
      }
      scanner.push(bytes.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

type LineEnd = 'LF' | 'CR' | 'CR LF';
type State = 'start of record' | 'start of field' | 'in field' | 'in quotes' | 'after quote';

class CsvScanner {
  readonly #text: Utf8Check;
  #state: State = 'start of record';
  #line = 1;
  /** Where the record began: quotes may hold line ends. */
  #recordLine = 1;
  #fields = 0;
  #recordBytes = 0;
  #records = 0;
  #afterCarriageReturn = false;
  #lineEnd: LineEnd | null = null;
  #headerBytes: number[] | null = [];
  #names: string[] = [];

  constructor(private readonly file: string) {
    this.#text = new Utf8Check(file);
  }

  push(bytes: Buffer): void {
    this.#text.push(bytes, this.#line);
    for (const byte of bytes) {
      if (this.#headerBytes) {
        this.#headerBytes.push(byte);
      }
      this.#step(byte);
    }
  }

  #step(byte: number): void {
    const isFirstHalf = this.#afterCarriageReturn;
    this.#afterCarriageReturn = byte === carriageReturn;
    if (isFirstHalf && this.#state === 'start of record') {
      this.#checkLineEnd(byte === newline ? 'CR LF' : 'CR', this.#line - 1);
    }
    if (byte === newline && isFirstHalf) {
      // The second half of a line end.
      return;
    }
    const isLineEnd = byte === newline || byte === carriageReturn;
    if (++this.#recordBytes > recordBytesMax) {
      throw this.#fault(
        `Expected records of at most ${recordBytesMax} bytes but this one is longer. Is a quote missing?`,
      );
    }
    if (this.#state === 'in quotes') {
      this.#state = byte === quote ? 'after quote' : 'in quotes';
    } else if (isLineEnd) {
      if (byte === newline) {
        this.#checkLineEnd('LF', this.#line);
      }
      this.#endRecord();
    } else if (byte === comma) {
      if (++this.#fields >= columnsMax) {
        throw this.#fault(`Expected at most ${columnsMax} columns but received more.`);
      }
      this.#state = 'start of field';
    } else if (byte === quote && this.#state !== 'in field') {
      this.#state = 'in quotes';
    } else if (this.#state === 'after quote') {
      throw this.#fault(
        'Expected a comma or the end of the line after a closing quote. A quote within quotes is written twice.',
      );
    } else {
      this.#state = 'in field';
    }
    if (isLineEnd) {
      this.#line++;
      if (this.#state === 'start of record') {
        this.#recordLine = this.#line;
      }
    }
  }

  /** DuckDB refuses a mixture, but does not say where. */
  #checkLineEnd(found: LineEnd, line: number): void {
    this.#lineEnd ??= found;
    if (found !== this.#lineEnd) {
      const message = `Line ${line}: Expected it to end with ${this.#lineEnd}, as the first line does, but received ${found}.`;
      throw invalidFile(this.file, message);
    }
  }

  #endRecord(): void {
    const isBlank = this.#state === 'start of record';
    const fields = this.#fields + 1;
    this.#state = 'start of record';
    this.#fields = 0;
    this.#recordBytes = 0;
    if (this.#headerBytes) {
      this.#names = this.#readHeader(Buffer.from(this.#headerBytes));
      this.#headerBytes = null;
      return;
    }
    // An empty line is a missing value where there is one column, and nothing where there are more.
    if (isBlank && this.#names.length > 1) {
      return;
    }
    if (fields !== this.#names.length) {
      throw this.#fault(`Expected ${this.#names.length} fields, as in the header, but received ${fields}.`);
    }
    this.#records++;
  }

  #fault(problem: string) {
    return invalidFile(this.file, `Line ${this.#recordLine}: ${problem}`);
  }

  #readHeader(bytes: Buffer): string[] {
    const text = bytes
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .replace(/[\r\n]+$/, '');
    const fields = text.match(/(?:^|,)(?:"(?:[^"]|"")*"|[^,]*)/g) ?? [];
    const names = fields.map((field, i) => {
      const raw = i === 0 && !field.startsWith(',') ? field : field.slice(1);
      return raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw.trim();
    });
    const seen = new Set<string>();
    for (const [i, name] of names.entries()) {
      if (name === '') {
        throw this.#fault(`Expected a name for column ${i + 1} but received none.`);
      }
      // DuckDB tells columns apart without regard to case.
      if (seen.has(name.toLowerCase())) {
        throw this.#fault(
          `Expected columns with names of their own (case aside) but two are called ${JSON.stringify(name)}.`,
        );
      }
      seen.add(name.toLowerCase());
    }
    return names;
  }

  finish(): CsvOutline {
    this.#text.finish(this.#line);
    if (this.#state === 'in quotes') {
      throw this.#fault('Expected a closing quote but the file ends. Is it truncated?');
    }
    if (this.#state !== 'start of record') {
      this.#endRecord();
    }
    if (this.#records === 0) {
      throw invalidFile(this.file, 'Expected at least one row after the header but received none.');
    }
    return { names: this.#names, rowCount: this.#records };
  }
}

/** Checks UTF-8 piece by piece; a character may be cut in two. */
class Utf8Check {
  #rest = Buffer.alloc(0);

  constructor(private readonly file: string) {}

  /** @param line of the first byte */
  push(bytes: Buffer, line: number): void {
    const text = Buffer.concat([this.#rest, bytes]);
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
