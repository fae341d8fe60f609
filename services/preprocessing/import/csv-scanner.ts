import { scanPlainRecords, scanPlainRecordsAhead } from '../../../native/index.js';
import { columnsMax } from '../column.js';
import {
  type CsvColumn,
  type CsvOutline,
  type CsvPiece,
  type CsvSample,
  type Delimiter,
  type LineEnd,
  recordBytesMax,
} from './csv-outline.js';
import { type FieldKind, fieldKinds, kindOfField, safeDigits, skipDigits } from './field-kind.js';
import { invalidFile } from './import-file.js';
import { isSpelledMissing, type MissingValues } from './missing-values.js';
import { Utf8Check } from './utf8-check.js';

/** A piece is ended where one of these is reached. */
export const pieceBytes = 4 * 1024 * 1024;
const valueBytesMin = 4 * 1024 * 1024;

const [comma, quote, newline, carriageReturn, minus, fullStop] = [0x2c, 0x22, 0x0a, 0x0d, 0x2d, 0x2e];
/** Of a field in a message. */
const shownBytes = 40;
const byteOrderMark = Buffer.from('\ufeff');
const [startOfRecord, startOfField, inField, inQuotes, afterQuote] = [0, 1, 2, 3, 4];

/** Goes over a CSV file byte by byte, or takes over what is plain and was scanned elsewhere; knows the line of whatever it refuses. */
export class CsvScanner {
  #text: Utf8Check;
  #state = startOfRecord;
  #line = 1;
  /** Where the record began: quotes may hold line ends. */
  #recordLine = 1;
  /** Within the buffer; negative: bytes before the field are no longer in it. */
  #recordStart = 0;
  #fieldStart = 0;
  /** Fields of the record that have ended. */
  #fields = 0;
  #records = 0;
  /** The last byte was a carriage return; outside quotes a line ended with it. */
  #afterCarriageReturn = false;
  #lineEnd: LineEnd | null = null;
  readonly #columns: CsvColumn[] = [];
  #isHeader = true;
  readonly #delimiter: number;
  /** The kinds of the columns. */
  #kinds = new Uint8Array(0);
  readonly #pieces: CsvPiece[] = [];
  /** In the file, of the buffer. */
  #offset = 0;
  /** In the file, of the first record in no piece yet; and how many records are in pieces. */
  #pieceStart = 0;
  #pieceRecords = 0;
  /** In the file, of what follows the header's line end, or the first byte of it. */
  #start = 0;

  constructor(
    private readonly file: string,
    delimiter: Delimiter,
    private readonly missing: MissingValues,
  ) {
    this.#text = new Utf8Check(file);
    this.#delimiter = delimiter.charCodeAt(0);
  }

  /**
   * Goes over buffer[from .. to]; answers where the field begins that has not ended yet, which will be moved to 0.
   * @param offset in the file, of the buffer
   */
  push(buffer: Buffer, from: number, to: number, offset: number): number {
    this.#offset = offset;
    this.#text.push(buffer.subarray(from, to), this.#line, (at) => {
      // What is before the fault says which field it is in.
      this.#scan(buffer, from, from + at);
      return `, ${this.#place()}`;
    });
    this.#scan(buffer, from, to);
    this.#checkRecordBytes(to);
    this.#endPiece(offset + this.#recordStart, pieceBytes);
    const start = this.#fieldStart;
    this.#recordStart -= start;
    this.#fieldStart = 0;
    return start;
  }

  #scan(buffer: Buffer, from: number, to: number): void {
    const isStart = from === 0 && this.#line === 1 && this.#state === startOfRecord;
    let at = from;
    if (isStart && buffer.indexOf(byteOrderMark) === 0) {
      at = byteOrderMark.length;
      this.#fieldStart = at;
    }
    while (at < to) {
      if (this.#state === startOfRecord && !this.#isHeader) {
        const past = this.#takeRecords(buffer, at, to);
        if (past > at) {
          at = past;
          continue;
        }
      }
      const byte = buffer[at]!;
      if (byte > comma) {
        const past = this.#state <= startOfField ? this.#takeNumber(buffer, at, to) : at;
        if (past > at) {
          at = past;
          continue;
        }
      }
      // Most bytes of a text: nothing above the comma means anything in a field.
      if (byte > comma && (this.#state === inField || this.#state === inQuotes)) {
        this.#afterCarriageReturn = false;
        at = skipPlain(buffer, at + 1, to);
      } else {
        this.#step(buffer, byte, at);
        at++;
      }
    }
  }

  /** The row and the column that the next byte is of. */
  #place(): string {
    const name = this.#columns[this.#fields]?.name;
    if (this.#isHeader || name === undefined) {
      return `${this.#isHeader ? '' : `${this.#row}, `}field ${this.#fields + 1}`;
    }
    return `${this.#row}, column ${JSON.stringify(name)}`;
  }

  /** Of the record that has not ended yet. */
  get #row(): string {
    return `row ${this.#records + 1}`;
  }

  /** What the first bytes of the file have told. Null: too little, or that its records are not plain. */
  sample(bytes: number): CsvSample | null {
    if (!this.#mayBePlain() || this.#records === 0) {
      return null;
    }
    const lineEnd = this.#lineEnd as 'LF' | 'CR LF';
    // The header was over with the first byte of its end.
    const start = this.#start + (lineEnd === 'CR LF' ? 1 : 0);
    return { columns: this.#columns, lineEnd, start, bytesPerRow: (bytes - start) / this.#records };
  }

  /** Goes back to where the record began, at a byte of the file. Null: plain records cannot be told here. @param offset of the buffer */
  returnToRecord(offset: number): number | null {
    if (!this.#mayBePlain()) {
      return null;
    }
    const start = offset + this.#recordStart;
    this.#text = new Utf8Check(this.file);
    this.#state = startOfRecord;
    this.#line = this.#recordLine;
    this.#recordStart = 0;
    this.#fieldStart = 0;
    this.#fields = 0;
    return start;
  }

  #mayBePlain(): boolean {
    return !this.#isHeader && this.#lineEnd !== null && this.#lineEnd !== 'CR' && !this.#afterCarriageReturn;
  }

  #form() {
    return { delimiter: this.#delimiter, isCrLf: this.#lineEnd === 'CR LF', recordBytesMax };
  }

  scanAhead(bytes: Uint8Array, sizeBytes: number) {
    return scanPlainRecordsAhead(bytes, sizeBytes, this.#form(), this.#kinds);
  }

  /** Records that were scanned elsewhere, at a byte of the file. */
  takePlain(offset: number, sizeBytes: number, count: number): void {
    this.#endPiece(offset, 0);
    this.#records += count;
    this.#line += count;
    this.#recordLine = this.#line;
    this.#endPiece(offset + sizeBytes, 0);
  }

  /** Of pieces whose values are few enough, going by the records before a byte of the file. */
  pieceBytes(offset: number): number {
    const valueBytes = this.#records * this.#columns.length * 8;
    return Math.floor(pieceBytes / Math.max(1, valueBytes / offset));
  }

  /** Takes records of the simplest form in one go; answers where they end. Records that are not, or raise a column, go step by step. */
  #takeRecords(buffer: Buffer, at: number, to: number): number {
    if (!this.#mayBePlain()) {
      return at;
    }
    const { end, count } = scanPlainRecords(buffer, at, to, this.#form(), this.#kinds);
    if (count > 0) {
      this.#records += count;
      this.#line += count;
      this.#recordLine = this.#line;
      this.#recordStart = end;
      this.#fieldStart = end;
    }
    return end;
  }

  /** Ends a piece at a byte of the file, where a record begins, if there are enough bytes. */
  #endPiece(end: number, bytesMin: number): void {
    const sizeBytes = end - this.#pieceStart;
    const rowCount = this.#records - this.#pieceRecords;
    // Fields of one byte take eight once they are read.
    const isLarge = sizeBytes >= bytesMin || rowCount * this.#columns.length * 8 >= valueBytesMin;
    if (rowCount > 0 && isLarge) {
      this.#pieces.push({ offset: this.#pieceStart, sizeBytes, rowCount });
      this.#pieceStart = end;
      this.#pieceRecords = this.#records;
    }
  }

  /** Takes a number of the simplest form with the delimiter behind it, in one go; answers where it ends, or `at`: it is none. */
  #takeNumber(buffer: Buffer, at: number, to: number): number {
    const column = this.#columns[this.#fields];
    if (this.#isHeader || !column || this.#afterCarriageReturn) {
      return at;
    }
    const first = buffer[at] === minus ? at + 1 : at;
    const point = skipDigits(buffer, first, to);
    const isInteger = buffer[point] !== fullStop;
    const end = isInteger ? point : skipDigits(buffer, point + 1, to);
    const digits = end - first - (isInteger ? 0 : 1);
    if (end >= to || buffer[end] !== this.#delimiter || digits === 0 || digits > safeDigits) {
      return at;
    }
    const kind = isInteger ? fieldKinds.integer : fieldKinds.number;
    if (column.kind < kind) {
      this.#raise(column, kind, buffer, at, end);
    }
    this.#fields++;
    this.#fieldStart = end + 1;
    this.#state = startOfField;
    return end + 1;
  }

  #step(buffer: Buffer, byte: number, at: number): void {
    const isSecondHalf = byte === newline && this.#afterCarriageReturn;
    if (this.#afterCarriageReturn && this.#state === startOfRecord) {
      this.#checkLineEnd(isSecondHalf ? 'CR LF' : 'CR', this.#line - 1);
    }
    this.#afterCarriageReturn = byte === carriageReturn;
    const isLineEnd = byte === newline || byte === carriageReturn;
    if (this.#state === inQuotes) {
      this.#state = byte === quote ? afterQuote : inQuotes;
      this.#line += isLineEnd && !isSecondHalf ? 1 : 0;
    } else if (isSecondHalf) {
      this.#fieldStart = at + 1;
      this.#recordStart = at + 1;
    } else if (isLineEnd) {
      if (byte === newline) {
        this.#checkLineEnd('LF', this.#line);
      }
      this.#endRecord(buffer, at);
      this.#line++;
      this.#recordLine = this.#line;
    } else if (byte === this.#delimiter) {
      this.#endField(buffer, at);
      this.#state = startOfField;
    } else if (byte === quote && this.#state !== inField) {
      this.#state = inQuotes;
    } else if (this.#state === afterQuote) {
      const delimiter = this.#delimiter === comma ? 'comma' : 'tab';
      throw this.#fault(
        `Expected a ${delimiter} or the end of the line after a closing quote. A quote within quotes is written twice.`,
      );
    } else {
      this.#state = inField;
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

  #checkRecordBytes(at: number): void {
    if (at - this.#recordStart > recordBytesMax) {
      throw this.#fault(
        `Expected records of at most ${recordBytesMax} bytes but this one is longer. Is a quote missing?`,
      );
    }
  }

  /** @param at of the byte after the field */
  #endField(buffer: Buffer, at: number): void {
    const index = this.#fields++;
    const isQuoted = this.#state === afterQuote;
    const [from, to] = isQuoted ? [this.#fieldStart + 1, at - 1] : [this.#fieldStart, at];
    if (this.#isHeader) {
      this.#addColumn(buffer.toString('utf8', from, to), isQuoted);
    } else if (index < this.#columns.length && this.#columns[index]!.kind < fieldKinds.text) {
      const column = this.#columns[index]!;
      const kind = kindOfField(buffer, from, to);
      if (column.kind < kind) {
        this.#raise(column, kind, buffer, from, to);
      }
    }
    this.#fieldStart = at + 1;
  }

  #addColumn(name: string, isQuoted: boolean): void {
    if (this.#columns.length >= columnsMax) {
      throw this.#headerFault(`Expected at most ${columnsMax} columns but received more.`);
    }
    this.#columns.push({
      name: isQuoted ? name.replaceAll('""', '"') : name.trim(),
      kind: fieldKinds.missing,
      hasMissingWords: false,
      firstBeyond: { integer: null, number: null },
    });
  }

  /** The field at buffer[from .. to] is more than those of its column before it, unless it is missing. */
  #raise(column: CsvColumn, kind: FieldKind, buffer: Buffer, from: number, to: number): void {
    if (isSpelledMissing(this.missing, buffer, from, to)) {
      column.hasMissingWords = true;
      return;
    }
    column.kind = kind;
    this.#kinds[this.#columns.indexOf(column)] = kind;
    const place = { line: this.#recordLine, text: buffer.toString('utf8', from, Math.min(to, from + shownBytes)) };
    if (kind > fieldKinds.integer) {
      column.firstBeyond.integer ??= place;
    }
    if (kind > fieldKinds.number) {
      column.firstBeyond.number = place;
    }
  }

  #endRecord(buffer: Buffer, at: number): void {
    const isBlank = this.#state === startOfRecord;
    this.#checkRecordBytes(at + 1);
    this.#endField(buffer, at);
    const fields = this.#fields;
    this.#state = startOfRecord;
    this.#fields = 0;
    this.#recordStart = at + 1;
    if (this.#isHeader) {
      this.#checkHeader();
      this.#isHeader = false;
      this.#kinds = new Uint8Array(this.#columns.length);
      this.#pieceStart = this.#offset + at + 1;
      this.#start = this.#pieceStart;
      return;
    }
    // An empty line is a missing value where there is one column, and nothing where there are more.
    if (isBlank && this.#columns.length > 1) {
      return;
    }
    if (fields !== this.#columns.length) {
      throw this.#fault(
        `Expected ${this.#columns.length} fields, as in the header, but received ${fields}: ${this.#raggedness(fields)}.`,
        this.#row,
      );
    }
    this.#records++;
  }

  /** Where a record has more or fewer fields than there are columns. */
  #raggedness(fields: number): string {
    const first = this.#columns[fields];
    return first
      ? `there is none for column ${JSON.stringify(first.name)}`
      : `the header ends with column ${JSON.stringify(this.#columns.at(-1)!.name)}`;
  }

  #fault(problem: string, place = this.#place()) {
    return invalidFile(this.file, `Line ${this.#recordLine}, ${place}: ${problem}`);
  }

  #headerFault(problem: string) {
    return invalidFile(this.file, `Line 1: ${problem}`);
  }

  #checkHeader(): void {
    const seen = new Set<string>();
    for (const [i, { name }] of this.#columns.entries()) {
      if (name === '') {
        throw this.#headerFault(`Expected a name for column ${i + 1} but received none.`);
      }
      // DuckDB tells columns apart without regard to case.
      if (seen.has(name.toLowerCase())) {
        throw this.#headerFault(
          `Expected columns with names of their own (case aside) but two are called ${JSON.stringify(name)}.`,
        );
      }
      seen.add(name.toLowerCase());
    }
  }

  /**
   * @param end of what is left in the buffer of the last field
   * @param offset in the file, of the buffer
   */
  finish(buffer: Buffer, end: number, offset: number): CsvOutline {
    this.#text.finish(this.#line, () => `, ${this.#place()}`);
    if (this.#state === inQuotes) {
      throw this.#fault('Expected a closing quote but the file ends. Is it truncated?');
    }
    if (this.#state !== startOfRecord) {
      this.#endRecord(buffer, end);
    }
    if (this.#records === 0) {
      throw invalidFile(this.file, 'Expected at least one row after the header but received none.');
    }
    this.#endPiece(offset + end, 0);
    return { columns: this.#columns, rowCount: this.#records, pieces: this.#pieces, lineEnd: this.#lineEnd };
  }
}

/** Of the next byte up to the comma's. */
function skipPlain(buffer: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && buffer[at]! > comma) {
    at++;
  }
  return at;
}
