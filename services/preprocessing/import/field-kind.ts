import type { ColumnType } from '../column.js';

/**
 * What a field's text is, each kind a part of the next: nothing, an integer of 64 bits, a number, a text. A column is of the
 * greatest kind among its fields, so that the kinds of a column's parts are put together by `Math.max`.
 */
export const fieldKinds = { missing: 0, integer: 1, number: 2, text: 3 } as const;
export type FieldKind = (typeof fieldKinds)[keyof typeof fieldKinds];

/** Of a column that holds fields of this kind. */
export function typeOfKind(kind: FieldKind): ColumnType {
  switch (kind) {
    case fieldKinds.integer:
      return { kind: 'number', type: 'int64' };
    case fieldKinds.number:
      return { kind: 'number', type: 'float64' };
    default:
      return { kind: 'text', large: false };
  }
}

const { missing, integer, number, text } = fieldKinds;
const [space, tab, plus, minus, point, zero, nine] = [0x20, 0x09, 0x2b, 0x2d, 0x2e, 0x30, 0x39];
const lowerE = 0x65;
const lower = 0x20;
/** Longer ones may be too large for 64 bits. */
export const safeDigits = 18;

/** Kind of the field at bytes[from .. to]. Spaces around a number do not count. */
export function kindOfField(bytes: Buffer, from: number, to: number): FieldKind {
  if (from === to) {
    return missing;
  }
  let at = from;
  let end = to;
  while (at < end && (bytes[at] === space || bytes[at] === tab)) {
    at++;
  }
  while (end > at && (bytes[end - 1] === space || bytes[end - 1] === tab)) {
    end--;
  }
  const first = at;
  if (bytes[at] === plus || bytes[at] === minus) {
    at++;
  }
  const whole = at;
  at = skipDigits(bytes, at, end);
  let digits = at - whole;
  if (at === end && digits > 0) {
    return digits <= safeDigits || isInt64(bytes.toString('latin1', first, end)) ? integer : number;
  }
  if (at < end && bytes[at] === point) {
    const fraction = at + 1;
    at = skipDigits(bytes, fraction, end);
    digits += at - fraction;
  }
  if (digits === 0) {
    return isNotFinite(bytes, whole, end) ? number : text;
  }
  if (at < end && (bytes[at]! | lower) === lowerE) {
    at++;
    if (bytes[at] === plus || bytes[at] === minus) {
      at++;
    }
    const exponent = at;
    at = skipDigits(bytes, at, end);
    if (at === exponent) {
      return text;
    }
  }
  return at === end ? number : text;
}

/** The first byte from `from` on that is no digit. */
export function skipDigits(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at]! >= zero && bytes[at]! <= nine) {
    at++;
  }
  return at;
}

function isInt64(digits: string): boolean {
  const value = BigInt(digits.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value;
}

/** NaN and the infinities as they are spelled: they belong to a column of numbers, where they are refused by row. */
function isNotFinite(bytes: Buffer, from: number, end: number): boolean {
  const length = end - from;
  return (length === 3 || length === 8) && /^(nan|inf|infinity)$/i.test(bytes.toString('latin1', from, end));
}
