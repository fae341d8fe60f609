import { invalidField, quote } from '../platform/errors.js';
import { halfToNumber, numberToHalf } from './half-float.js';
import { HttpError } from './http-error.js';

/** How the elements of a datatype with a fixed size stand in raw bytes, and as values of JSON. */
interface Codec {
  sizeBytes: number;
  /** What JSON may hold, in words. */
  expected: string;
  /** The value in JSON's letters; null when JSON has none. */
  read(view: DataView, offset: number): string | null;
  /** False when the value is not of the datatype, or would not stay what it is. */
  write(view: DataView, offset: number, value: unknown): boolean;
}

type Get<T> = (view: DataView, offset: number) => T;
type Set<T> = (view: DataView, offset: number, value: T) => void;

function integer(bits: 8 | 16 | 32, isSigned: boolean, get: Get<number>, set: Set<number>): Codec {
  const min = isSigned ? -(2 ** (bits - 1)) : 0;
  const max = 2 ** (isSigned ? bits - 1 : bits) - 1;
  return {
    sizeBytes: bits / 8,
    expected: `an integer from ${min} to ${max}`,
    read: (view, offset) => String(get(view, offset)),
    write(view, offset, value) {
      const ok = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
      if (ok) {
        set(view, offset, value);
      }
      return ok;
    },
  };
}

const digits = /^-?(0|[1-9]\d{0,19})$/;

/** Exact from a JSON number of any length (`parseJson`) or from text; null when it is no integer or was rounded. */
function toBigInt(value: unknown): bigint | null {
  if (typeof value === 'bigint') {
    return value;
  }
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? BigInt(value) : null;
  }
  return typeof value === 'string' && digits.test(value) ? BigInt(value) : null;
}

function longInteger(isSigned: boolean, get: Get<bigint>, set: Set<bigint>): Codec {
  const wrap = isSigned ? BigInt.asIntN : BigInt.asUintN;
  const range = isSigned ? 'from -2^63 to 2^63 - 1' : 'from 0 to 2^64 - 1';
  return {
    sizeBytes: 8,
    expected: `an integer ${range}, in digits as a number or as text`,
    read: (view, offset) => String(get(view, offset)),
    write(view, offset, value) {
      const long = toBigInt(value);
      if (long === null || wrap(64, long) !== long) {
        return false;
      }
      set(view, offset, long);
      return true;
    },
  };
}

function float(
  sizeBytes: number,
  datatype: string,
  get: Get<number>,
  set: (...args: Parameters<Set<number>>) => boolean,
) {
  return {
    sizeBytes,
    expected: `a number that ${datatype} can hold`,
    read(view: DataView, offset: number) {
      const value = get(view, offset);
      if (!Number.isFinite(value)) {
        return null;
      }
      // JSON has a negative zero, but the one that `String` writes is positive.
      return Object.is(value, -0) ? '-0.0' : String(value);
    },
    write(view: DataView, offset: number, value: unknown) {
      const isNumber = typeof value === 'number' || typeof value === 'bigint';
      return isNumber && set(view, offset, Number(value));
    },
  };
}

const codecs: Record<string, Codec> = {
  BOOL: {
    sizeBytes: 1,
    expected: 'true or false',
    read: (view, offset) => (view.getUint8(offset) ? 'true' : 'false'),
    write(view, offset, value) {
      view.setUint8(offset, value ? 1 : 0);
      return typeof value === 'boolean';
    },
  },
  UINT8: integer(
    8,
    false,
    (view, at) => view.getUint8(at),
    (view, at, value) => view.setUint8(at, value),
  ),
  UINT16: integer(
    16,
    false,
    (view, at) => view.getUint16(at, true),
    (view, at, value) => view.setUint16(at, value, true),
  ),
  UINT32: integer(
    32,
    false,
    (view, at) => view.getUint32(at, true),
    (view, at, value) => view.setUint32(at, value, true),
  ),
  UINT64: longInteger(
    false,
    (view, at) => view.getBigUint64(at, true),
    (view, at, value) => view.setBigUint64(at, value, true),
  ),
  INT8: integer(
    8,
    true,
    (view, at) => view.getInt8(at),
    (view, at, value) => view.setInt8(at, value),
  ),
  INT16: integer(
    16,
    true,
    (view, at) => view.getInt16(at, true),
    (view, at, value) => view.setInt16(at, value, true),
  ),
  INT32: integer(
    32,
    true,
    (view, at) => view.getInt32(at, true),
    (view, at, value) => view.setInt32(at, value, true),
  ),
  INT64: longInteger(
    true,
    (view, at) => view.getBigInt64(at, true),
    (view, at, value) => view.setBigInt64(at, value, true),
  ),
  FP16: float(
    2,
    'FP16',
    (view, at) => halfToNumber(view.getUint16(at, true)),
    (view, at, value) => {
      const half = numberToHalf(value);
      view.setUint16(at, half ?? 0, true);
      return half !== null;
    },
  ),
  FP32: float(
    4,
    'FP32',
    (view, at) => view.getFloat32(at, true),
    (view, at, value) => {
      view.setFloat32(at, value, true);
      return Number.isFinite(Math.fround(value));
    },
  ),
  FP64: float(
    8,
    'FP64',
    (view, at) => view.getFloat64(at, true),
    (view, at, value) => {
      view.setFloat64(at, value, true);
      return Number.isFinite(value);
    },
  ),
};

const inJson = [...Object.keys(codecs), 'BYTES'];
const lengthBytes = 4;

/** Bytes of an element; null for BYTES, whose elements have any length, and for what is no datatype. */
export function elementBytes(datatype: string): number | null {
  return datatype === 'BF16' ? 2 : (codecs[datatype]?.sizeBytes ?? null);
}

/**
 * Raw bytes of a tensor from JSON, flat in row-major order or nested as the shape says.
 * @param field where the data stands in the request, for messages
 */
export function toRaw(
  datatype: string,
  shape: readonly number[],
  data: unknown,
  field: string,
  bytesMax: number,
): Buffer {
  const codec = codecs[datatype];
  if (!codec && datatype !== 'BYTES') {
    const words =
      datatype === 'BF16'
        ? 'BF16 has no form in JSON: send it as binary data.'
        : `Expected a datatype that goes as JSON (${inJson.join(', ')}) but received ${quote(datatype)}.`;
    throw invalidField(field.replace(/data$/, 'datatype'), words);
  }
  const elements = flatten(data, shape, field);
  if (!codec) {
    return toByteStrings(elements, field, bytesMax);
  }
  const sizeBytes = elements.length * codec.sizeBytes;
  checkSize(sizeBytes, bytesMax);
  const bytes = Buffer.allocUnsafe(sizeBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < elements.length; i++) {
    if (!codec.write(view, i * codec.sizeBytes, elements[i])) {
      throw invalidElement(field, i, codec.expected, elements[i]);
    }
  }
  return bytes;
}

export function checkSize(sizeBytes: number, bytesMax: number): void {
  if (sizeBytes > bytesMax) {
    throw new HttpError(413, `The tensors have ${sizeBytes} bytes, but a request may have ${bytesMax}.`);
  }
}

function invalidElement(field: string, i: number, expected: string, value: unknown): Error {
  return invalidField(field, `Expected element ${i} of \`${field}\` to be ${expected} but received ${quote(value)}.`);
}

const halfCharacter = /\p{Surrogate}/u;

function toByteStrings(elements: unknown[], field: string, bytesMax: number): Buffer {
  const sizeBytes = elements.reduce<number>((sum, element, i) => {
    // Half of a character has no bytes.
    if (typeof element !== 'string' || halfCharacter.test(element)) {
      throw invalidElement(field, i, 'text', element);
    }
    return sum + lengthBytes + Buffer.byteLength(element);
  }, 0);
  checkSize(sizeBytes, bytesMax);
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let offset = 0;
  for (const element of elements as string[]) {
    const written = bytes.write(element, offset + lengthBytes);
    bytes.writeUInt32LE(written, offset);
    offset += lengthBytes + written;
  }
  return bytes;
}

/** Elements in row-major order from a flat array, or from arrays nested as the shape says. */
function flatten(data: unknown, shape: readonly number[], field: string): unknown[] {
  if (!Array.isArray(data)) {
    throw invalidField(field, `Expected \`${field}\` to be an array but received ${quote(data)}.`);
  }
  if (Array.isArray(data[0])) {
    const elements: unknown[] = [];
    gather(data, shape, field, elements);
    return elements;
  }
  const count = shape.reduce((product, size) => product * size, 1);
  if (data.length !== count) {
    const description = `Expected \`${field}\` to have ${count} elements for shape ${quote(shape)} but received ${data.length}.`;
    throw invalidField(field, description);
  }
  return data;
}

function gather(data: unknown, [size, ...inner]: readonly number[], field: string, elements: unknown[]): void {
  if (!Array.isArray(data) || data.length !== size) {
    const received = Array.isArray(data) ? `${data.length} elements` : quote(data);
    throw invalidField(
      field,
      `Expected \`${field}\` to be an array of ${size ?? 0} elements but received ${received}.`,
    );
  }
  if (inner.length === 0) {
    for (const element of data) {
      elements.push(element);
    }
    return;
  }
  for (let i = 0; i < data.length; i++) {
    gather(data[i], inner, `${field}[${i}]`, elements);
  }
}

/** The elements of a raw tensor as the text of a flat JSON array. `name` is the output's, for messages. */
export function toJsonText(datatype: string, bytes: Buffer, name: string): string {
  if (datatype === 'BYTES') {
    return toTexts(bytes, name);
  }
  const codec = codecs[datatype];
  if (!codec) {
    throw new HttpError(422, `Output '${name}' is ${datatype}, which has no form in JSON. Ask for it as binary data.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements = new Array<string>(bytes.length / codec.sizeBytes);
  for (let i = 0; i < elements.length; i++) {
    const element = codec.read(view, i * codec.sizeBytes);
    if (element === null) {
      const message = `Output '${name}' holds NaN or an infinity at element ${i}, which JSON cannot express. Ask for it as binary data.`;
      throw new HttpError(422, message);
    }
    elements[i] = element;
  }
  return `[${elements.join(',')}]`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function toTexts(bytes: Buffer, name: string): string {
  const elements: string[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const begin = offset + lengthBytes;
    offset = begin + bytes.readUInt32LE(offset);
    elements.push(JSON.stringify(decode(bytes.subarray(begin, offset), name)));
  }
  return `[${elements.join(',')}]`;
}

function decode(element: Buffer, name: string): string {
  try {
    return utf8.decode(element);
  } catch (error) {
    const message = `Output '${name}' holds bytes that are no UTF-8 text, which JSON cannot express. Ask for it as binary data.`;
    throw new HttpError(422, message, { cause: error });
  }
}
