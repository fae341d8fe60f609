import { addon } from './addon.js';

/** Of the fields of a column: 0 missing, 1 integers of at most 18 digits, 2 numbers, 3 text; each may hold those before it. */
export type CsvKinds = Uint8Array;

/** Where the values of a column go, of which the missing ones are 0. */
export interface CsvTarget {
  type: 'int64' | 'float64' | 'text';
  /** [rows] of numbers, or [rows + 1] offsets of texts. */
  values: BigInt64Array | Float64Array | Int32Array;
  /** [rows] bits, least significant first, all 0: they are set where there is a value. */
  validity: Uint8Array;
}

/** How records are written. */
export interface CsvForm {
  /** Its byte. */
  delimiter: number;
  /** Lines end with a carriage return and a line feed; else with a line feed. */
  isCrLf: boolean;
  recordBytesMax: number;
}

/** Where the first record begins that is not plain, or not whole, and how many there are before it. */
export interface PlainRecords {
  end: number;
  count: number;
}

const found = new Uint32Array(2);

/**
 * Goes over plain records of bytes[from .. to], at the first of which `from` is: no quotes, whole lines, one field for each of `kinds`,
 * none of them of a kind above its column's.
 */
export function scanPlainRecords(
  bytes: Uint8Array,
  from: number,
  to: number,
  { delimiter, isCrLf, recordBytesMax }: CsvForm,
  kinds: CsvKinds,
): PlainRecords {
  addon.scanPlainRecords(bytes, from, to, delimiter, isCrLf, recordBytesMax, kinds, found);
  return { end: found[0]!, count: found[1]! };
}

/** As `scanPlainRecords` of bytes[0 .. to], on a thread of its own; what is given must not change, but for the kinds. */
export function scanPlainRecordsAhead(
  bytes: Uint8Array,
  to: number,
  { delimiter, isCrLf, recordBytesMax }: CsvForm,
  kinds: CsvKinds,
): Promise<PlainRecords> {
  return addon.scanPlainRecordsAhead(bytes, to, delimiter, isCrLf, recordBytesMax, kinds);
}

/** What was read of some records. */
export interface CsvRows {
  /** One more than there was room for, where not all were read. */
  rowCount: number;
  /** Of each column, how many values are missing. */
  missing: number[];
  /** Of each column the bytes of its texts. */
  texts: (Uint8Array | null)[];
}

/**
 * Reads CSV (RFC 4180; lines may end in LF, CR or both, the last in none) whose form was checked, on a thread of its own: whole
 * records, each field of which can be of its column's type. An empty line is a record where there is one column. What is given
 * must not change until the promise settles.
 * @param rows that the targets have room for
 */
export function readCsvRecords(
  bytes: Uint8Array,
  delimiter: number,
  columns: readonly CsvTarget[],
  rows: number,
): Promise<CsvRows> {
  // Null is for records that are not plain, which are as good here.
  return addon.readCsvRecords(bytes, delimiter, columns, rows, null, null) as Promise<CsvRows>;
}

/**
 * As `readCsvRecords`, of records whose form was not checked, in two columns and more. Null: one of them is not plain, as
 * `scanPlainRecords` has it, or not of its columns' types.
 */
export function readPlainCsvRecords(
  bytes: Uint8Array,
  { delimiter, isCrLf, recordBytesMax }: CsvForm,
  columns: readonly CsvTarget[],
  rows: number,
): Promise<CsvRows | null> {
  return addon.readCsvRecords(bytes, delimiter, columns, rows, isCrLf, recordBytesMax);
}
