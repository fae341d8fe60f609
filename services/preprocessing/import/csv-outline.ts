import type { FieldKind } from './field-kind.js';

/** Where a field stands, and what it says. */
export interface FieldPlace {
  line: number;
  text: string;
}

/** What is known of a column from all its fields. */
export interface CsvColumn {
  name: string;
  /** Of all fields that are not missing. */
  kind: FieldKind;
  /** Some fields are missing by a word, as far as it is not a column of texts. */
  hasMissingWords: boolean;
  /** The first field that is more than an integer, or more than a number; null: there is none. */
  firstBeyond: Record<'integer' | 'number', FieldPlace | null>;
}

/** What a CSV file is made of, found by reading all of it once. */
export interface CsvOutline {
  columns: CsvColumn[];
  /** Records after the header. */
  rowCount: number;
  /** All records, in their order. */
  pieces: CsvPiece[];
  /** Null: there is none. */
  lineEnd: LineEnd | null;
}

/** What the first records of a CSV file tell. */
export interface CsvSample {
  columns: readonly CsvColumn[];
  lineEnd: 'LF' | 'CR LF';
  /** In the file, of the first record. */
  start: number;
  bytesPerRow: number;
}

/** Bytes of a file that hold whole records; where lines end with two characters, the second may be in the next piece. */
export interface CsvPiece {
  offset: number;
  sizeBytes: number;
  rowCount: number;
}

/** What stands between fields. */
export type Delimiter = ',' | '\t';

export type LineEnd = 'LF' | 'CR' | 'CR LF';

/** The reader of the values must be told, too. */
export const recordBytesMax = 2 * 1024 * 1024;
