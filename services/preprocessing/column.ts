import type { FittedColumn, NumberType } from '../pipeline/index.js';

/** Arrow types that a dataset's column may have. */
export type ColumnType =
  | { kind: 'number'; type: NumberType }
  | { kind: 'boolean' }
  /** `large`: 64-bit offsets. */
  | { kind: 'text'; large: boolean }
  | { kind: 'dictionary'; index: NumberType; large: boolean; id: number }
  /** Fixed-size list. */
  | { kind: 'list'; type: NumberType; width: number }
  /** `width`: bytes of every value; null: each has its own length. */
  | { kind: 'binary'; large: boolean; width: number | null }
  /** Days in 32 bits, or milliseconds in 64, since 1970. */
  | { kind: 'date'; unit: 'day' | 'millisecond' }
  /** Since 1970 in UTC; `timezone` is where people see it, empty: it is a wall clock's time, wherever that hangs. */
  | { kind: 'timestamp'; unit: TimestampUnit; timezone: string }
  /** value * 10^-scale, in 128 bits. */
  | { kind: 'decimal'; precision: number; scale: number }
  /** Every value is missing. */
  | { kind: 'null' }
  /** Lists of anything but a fixed number of numbers. `width`: of a fixed-size list. */
  | { kind: 'nested'; form: 'List' | 'LargeList' | 'FixedSizeList'; width: number | null; item: ColumnType }
  | { kind: 'struct'; fields: StructField[] };

export type TimestampUnit = 'second' | 'millisecond' | 'microsecond' | 'nanosecond';

export interface StructField {
  name: string;
  type: ColumnType;
}

export interface Column {
  name: string;
  type: ColumnType;
  /** Lengths of an array or image, outermost first; else empty. */
  shape: number[];
}

/** Columns that a dataset may have; fields within them count. */
export const columnsMax = 10_000;

/** For people, for messages and for the digest. */
export const supportedTypes =
  'Null, Bool, Int8 to Int64, Uint8 to Uint64, Float32, Float64, Decimal128, Date32, Date64, Timestamp, Utf8, LargeUtf8, dictionaries of text, Binary, LargeBinary, FixedSizeBinary, List, LargeList, FixedSizeList and Struct';

/** Types that a pipeline reads. */
export const transformableTypes =
  'Bool, Int8 to Int64, Uint8 to Uint64, Float32, Float64, Date32, Date64, Timestamp, Utf8, LargeUtf8, a dictionary of text, a fixed-size list of numbers, Binary, LargeBinary or FixedSizeBinary';

export function isTransformable({ type }: Column): boolean {
  return fittedType(type) !== null;
}

/** What a pipeline calls the type; null: it reads no such column. */
export function fittedType(type: ColumnType): FittedColumn['type'] | null {
  switch (type.kind) {
    case 'text':
    case 'dictionary':
      return 'text';
    case 'boolean':
    case 'binary':
      return type.kind;
    case 'date':
    case 'timestamp':
      return 'time';
    case 'number':
    case 'list':
      return type.type;
    default:
      return null;
  }
}

export function isText({ type }: Column): boolean {
  return type.kind === 'text' || type.kind === 'dictionary';
}

const numberName = (type: NumberType) => type[0]!.toUpperCase() + type.slice(1);

/** In Arrow's words, for example `FixedSizeList[784]<Uint8>`. */
export function typeName(type: ColumnType): string {
  switch (type.kind) {
    case 'number':
      return numberName(type.type);
    case 'boolean':
      return 'Bool';
    case 'text':
      return type.large ? 'LargeUtf8' : 'Utf8';
    case 'dictionary':
      return `Dictionary<${numberName(type.index)}, ${type.large ? 'LargeUtf8' : 'Utf8'}>`;
    case 'list':
      return `FixedSizeList[${type.width}]<${numberName(type.type)}>`;
    case 'binary':
      return type.width === null ? (type.large ? 'LargeBinary' : 'Binary') : `FixedSizeBinary[${type.width}]`;
    case 'date':
      return type.unit === 'day' ? 'Date32' : 'Date64';
    case 'timestamp':
      return `Timestamp[${unitNames[type.unit]}${type.timezone && `, ${type.timezone}`}]`;
    case 'decimal':
      return `Decimal128[${type.precision}, ${type.scale}]`;
    case 'null':
      return 'Null';
    case 'nested':
      return `${type.form}${type.width === null ? '' : `[${type.width}]`}<${typeName(type.item)}>`;
    case 'struct':
      return `Struct<${type.fields.map((field) => `${JSON.stringify(field.name)}: ${typeName(field.type)}`).join(', ')}>`;
  }
}

const unitNames = { second: 's', millisecond: 'ms', microsecond: 'us', nanosecond: 'ns' };

/** Key of a column's shape in the metadata of its Arrow field; the value is like `28,28`. */
export const shapeKey = 'millrace.shape';
