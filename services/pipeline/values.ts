import {
  type ColumnChunk,
  gatherBooleans,
  gatherMissing,
  gatherNumbers,
  gatherTexts,
  isValid,
  type TimeChunk,
  UnsafeIntegerError,
} from './column-chunk.js';
import { isTime, toMilliseconds } from './time.js';

/** [rows, width] numbers of one column in float64, and which rows are missing (null: none). Steps may change them in place. */
export interface NumberValues {
  kind: 'numbers';
  values: Float64Array;
  width: number;
  missing: Uint8Array | null;
}

/** Texts of one column; null: missing. */
export interface TextValues {
  kind: 'texts';
  values: (string | null)[];
}

export type ColumnValues = NumberValues | TextValues;

/** `width` numbers each. `shape`: lengths of an array or image, outermost first; empty: just a list. */
export interface ListType {
  kind: 'list';
  width: number;
  shape: readonly number[];
  /** The first length is time, with so many a second. Absent: it is none. */
  rateHz?: number;
  /** So many numbers that follow each other are of different things, as colours are. Absent: as the shape of an image says. */
  channels?: number;
  /** One a number, for the names of features. Absent: its index. */
  names?: readonly string[];
}

/** What a step gets: single numbers, lists of numbers, times in whole milliseconds since 1970 (UTC), texts, or files as they are encoded. */
export type ValueType = { kind: 'number' } | ListType | { kind: 'time' } | { kind: 'text' } | { kind: 'binary' };

/**
 * The values of some rows of a chunk, ready for the steps.
 * @param scratch where numbers may go, if they are used up before the next call
 * @throws UnsafeIntegerError
 */
export function gatherValues(chunk: ColumnChunk, rows: Int32Array, scratch: Float64Array | null = null): ColumnValues {
  switch (chunk.kind) {
    case 'text':
    case 'dictionary':
      return { kind: 'texts', values: gatherTexts(chunk, rows) };
    case 'boolean':
      return numberValues(gatherBooleans(chunk, rows), 1, gatherMissing(chunk.validity, rows));
    case 'number':
      return numberValues(gatherNumbers(chunk, rows, scratch), chunk.width, gatherMissing(chunk.validity, rows));
    case 'time':
      return numberValues(gatherTimes(chunk, rows), 1, gatherMissing(chunk.validity, rows));
    default:
      throw new Error(`a pipeline is checked not to read a column of kind ${chunk.kind}`);
  }
}

/** The times of the given rows in milliseconds; missing ones are 0. */
function gatherTimes({ values, unit, validity }: TimeChunk, rows: Int32Array): Float64Array {
  const gathered = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (isValid(validity, row)) {
      gathered[i] = toMilliseconds(values[row]!, unit);
      if (!isTime(gathered[i]!)) {
        throw new UnsafeIntegerError(row, BigInt(values[row]!));
      }
    }
  }
  return gathered;
}

export function numberValues(values: Float64Array, width: number, missing: Uint8Array | null): NumberValues {
  return { kind: 'numbers', values, width, missing };
}

export function rowCount(column: ColumnValues): number {
  return column.kind === 'texts' ? column.values.length : column.values.length / column.width;
}

/** Index of the first missing value; -1: there is none. */
export function firstMissing(column: ColumnValues): number {
  return column.kind === 'texts' ? column.values.indexOf(null) : (column.missing?.indexOf(1) ?? -1);
}

/** 1 for each row whose value is missing; null: none is. */
export function missingOf(column: ColumnValues): Uint8Array | null {
  if (column.kind === 'numbers' || !column.values.includes(null)) {
    return column.kind === 'numbers' ? column.missing : null;
  }
  return Uint8Array.from(column.values, (value) => (value === null ? 1 : 0));
}

/** Only the values that are there: numbers (all items of lists), or texts. */
export function presentValues(column: ColumnValues): Float64Array | string[] {
  if (column.kind === 'texts') {
    return column.values.filter((value) => value !== null);
  }
  const { values, width, missing } = column;
  return missing ? values.filter((_, i) => !missing[Math.floor(i / width)]) : values;
}

/** Numbers by size, texts by UTF-16 code unit. */
export function ascending(a: number | string, b: number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
