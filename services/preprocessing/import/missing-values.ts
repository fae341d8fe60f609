import { invalidField, quote } from '../../platform/errors.js';

/**
 * Which fields of a CSV file are missing beside the empty ones. NaN is none of them unless it is given: a number that is not finite
 * is refused, with its row, since it can as well be the result of a fault.
 */
export interface MissingValues {
  spellings: ReadonlySet<string>;
  /** In a column of texts they are words otherwise: NA may be Namibia. */
  everyColumn: boolean;
}

/** Where nothing is given: what pandas, R, SQL and spreadsheets write. */
const usual = new Set(['NA', 'N/A', 'n/a', '#N/A', '<NA>', 'NULL', 'Null', 'null', 'None']);

const spellingsMax = 100;
const spellingBytesMax = 100;

/** @param given empty: the usual spellings, in columns of numbers */
export function parseMissingValues(given: readonly string[]): MissingValues {
  if (given.length > spellingsMax) {
    const message = `Expected at most ${spellingsMax} \`missing_values\` but received ${given.length}.`;
    throw invalidField('missing_values', message);
  }
  for (const [i, text] of given.entries()) {
    if (/[",\t\r\n\0]/.test(text) || Buffer.byteLength(text) > spellingBytesMax) {
      const field = `missing_values[${i}]`;
      const rule = `at most ${spellingBytesMax} bytes without commas, tabs, quotes and line ends`;
      throw invalidField(field, `Expected \`${field}\` to be ${rule} but received ${quote(text)}.`);
    }
  }
  return given.length > 0 ? { spellings: new Set(given), everyColumn: true } : { spellings: usual, everyColumn: false };
}

/** Whether the field at bytes[from .. to] is spelled so. */
export function isSpelledMissing({ spellings }: MissingValues, bytes: Buffer, from: number, to: number): boolean {
  return to - from <= spellingBytesMax && spellings.has(bytes.toString('utf8', from, to));
}
