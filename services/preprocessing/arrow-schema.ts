import { ServiceError } from '../platform/errors.js';
import {
  type Column,
  type ColumnType,
  columnsMax,
  type StructField,
  shapeKey,
  supportedTypes,
  type TimestampUnit,
} from './column.js';
import { FlatbufferError, type FlatTable } from './flatbuffer.js';
import { malformedArrow } from './malformed-arrow.js';

/** Reads the table of an Arrow schema. */
export function decodeSchema(schema: FlatTable): Column[] {
  if (schema.int16(0) !== 0) {
    throw malformedArrow('it is big-endian. Send it little-endian');
  }
  const decoder = new SchemaDecoder();
  const columns = [...schema.tables(1, columnsMax)].map((field) => decoder.column(field));
  const names = new Set<string>();
  for (const { name } of columns) {
    if (name === '' || names.has(name)) {
      const what = name === '' ? 'a column has no name' : `two columns are called ${JSON.stringify(name)}`;
      throw new ServiceError(
        'INVALID_ARGUMENT',
        'INVALID_COLUMN',
        `Expected columns with names of their own but ${what}.`,
      );
    }
    names.add(name);
  }
  if (columns.length === 0) {
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_COLUMN', 'Expected at least one column but received none.');
  }
  return columns;
}

const typeNames = [
  ...['None', 'Null', 'Int', 'FloatingPoint', 'Binary', 'Utf8', 'Bool', 'Decimal', 'Date', 'Time', 'Timestamp'],
  ...['Interval', 'List', 'Struct', 'Union', 'FixedSizeBinary', 'FixedSizeList', 'Map', 'Duration', 'LargeBinary'],
  ...['LargeUtf8', 'LargeList', 'RunEndEncoded', 'BinaryView', 'Utf8View', 'ListView', 'LargeListView'],
];
const timestampUnits = ['second', 'millisecond', 'microsecond', 'nanosecond'] as const;
const depthMax = 32;

class SchemaDecoder {
  /** Fields of a forged schema may share their children: a few bytes can stand for billions of fields. */
  #fields = 0;
  /** Of the column at hand, for messages. */
  #column = '';

  column(field: FlatTable): Column {
    this.#column = field.text(0);
    const type = this.#type(field, 0);
    return {
      name: this.#column,
      type,
      shape: type.kind === 'list' ? decodeShape(field, this.#column, type.width) : [],
    };
  }

  #type(field: FlatTable, depth: number): ColumnType {
    this.#fields++;
    if (this.#fields > columnsMax || depth > depthMax) {
      throw new FlatbufferError(`there are more than ${columnsMax} fields, or fields more than ${depthMax} deep`);
    }
    const kind = typeNames[field.byte(2)] ?? 'unknown';
    const type = field.table(3);
    if (field.table(4)) {
      return this.#dictionary(field, kind, depth);
    }
    if (!type) {
      throw new FlatbufferError('a field has no type');
    }
    switch (kind) {
      case 'Null':
        return { kind: 'null' };
      case 'Bool':
        return { kind: 'boolean' };
      case 'Int':
        return this.#number(integerType(type), `Int of ${type.int32(0)} bits`);
      case 'FloatingPoint':
        return this.#number(([null, 'float32', 'float64'] as const)[type.int16(0)] ?? null, 'FloatingPoint of 16 bits');
      case 'Utf8':
      case 'LargeUtf8':
        return { kind: 'text', large: kind === 'LargeUtf8' };
      case 'Binary':
      case 'LargeBinary':
        return { kind: 'binary', large: kind === 'LargeBinary', width: null };
      case 'FixedSizeBinary':
        return { kind: 'binary', large: false, width: this.#width(type.int32(0), kind) };
      case 'Date':
        // The format's default is milliseconds.
        return { kind: 'date', unit: type.int16(0, 1) === 0 ? 'day' : 'millisecond' };
      case 'Timestamp':
        return { kind: 'timestamp', unit: this.#timestampUnit(type.int16(0)), timezone: type.text(1) };
      case 'Decimal':
        return this.#decimal(type);
      case 'List':
      case 'LargeList':
        return { kind: 'nested', form: kind, width: null, item: this.#item(field, kind, depth) };
      case 'FixedSizeList': {
        const width = this.#width(type.int32(0), kind);
        const item = this.#item(field, kind, depth);
        return item.kind === 'number'
          ? { kind: 'list', type: item.type, width }
          : { kind: 'nested', form: kind, width, item };
      }
      case 'Struct':
        return { kind: 'struct', fields: this.#structFields(field, depth) };
      default:
        throw this.#unsupported(kind);
    }
  }

  #dictionary(field: FlatTable, kind: string, depth: number): ColumnType {
    const dictionary = field.table(4)!;
    const index = dictionary.table(1);
    const indexType = index ? integerType(index) : 'int32';
    const isText = kind === 'Utf8' || kind === 'LargeUtf8';
    if (!isText || !indexType || depth > 0) {
      throw this.#unsupported(`a dictionary of ${kind}${depth > 0 ? ' within another type' : ''}`);
    }
    return { kind: 'dictionary', index: indexType, large: kind === 'LargeUtf8', id: dictionary.int64(0) };
  }

  #number(type: (ColumnType & { kind: 'number' })['type'] | null, received: string): ColumnType {
    if (!type) {
      throw this.#unsupported(received);
    }
    return { kind: 'number', type };
  }

  #decimal(type: FlatTable): ColumnType {
    const [precision, scale, bits] = [type.int32(0), type.int32(1), type.int32(2, 128)];
    if (bits !== 128 || precision < 1 || precision > 38) {
      throw this.#unsupported(`Decimal${bits} of ${precision} digits`);
    }
    return { kind: 'decimal', precision, scale };
  }

  #timestampUnit(unit: number): TimestampUnit {
    const known = timestampUnits[unit];
    if (!known) {
      throw this.#unsupported(`a Timestamp of unit ${unit}`);
    }
    return known;
  }

  #width(width: number, kind: string): number {
    if (width <= 0) {
      throw this.#unsupported(`a ${kind} of width ${width}`);
    }
    return width;
  }

  #item(field: FlatTable, kind: string, depth: number): ColumnType {
    const [item, ...more] = field.tables(5, columnsMax);
    if (!item || more.length > 0) {
      throw new FlatbufferError(`a ${kind} has ${more.length + (item ? 1 : 0)} children where it needs one`);
    }
    return this.#type(item, depth + 1);
  }

  #structFields(field: FlatTable, depth: number): StructField[] {
    const fields: StructField[] = [];
    for (const child of field.tables(5, columnsMax)) {
      fields.push({ name: child.text(0), type: this.#type(child, depth + 1) });
    }
    return fields;
  }

  #unsupported(type: string): ServiceError {
    const message = `Expected column ${JSON.stringify(this.#column)} to be of type ${supportedTypes} but received ${type}.`;
    return new ServiceError('INVALID_ARGUMENT', 'UNSUPPORTED_TYPE', message);
  }
}

function integerType(type: FlatTable) {
  const bits = type.int32(0);
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) {
    return null;
  }
  return type.byte(1) ? (`int${bits}` as const) : (`uint${bits}` as const);
}

const extensionKey = 'ARROW:extension:metadata';
const metadataMax = 1_000;

/** From our own metadata, or from Arrow's extension type for tensors of a fixed shape. */
function decodeShape(field: FlatTable, name: string, width: number): number[] {
  const metadata = new Map([...field.tables(6, metadataMax)].map((pair) => [pair.text(0), pair.text(1)]));
  const own = metadata.get(shapeKey);
  const shape = own === undefined ? extensionShape(metadata.get(extensionKey)) : own.split(',').map(Number);
  const isShape = shape.every((length) => Number.isInteger(length) && length > 0);
  if (shape.length > 0 && (!isShape || shape.reduce((a, b) => a * b) !== width)) {
    const message = `Expected the shape of column ${JSON.stringify(name)} to make ${width} items but received ${shape}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'INVALID_SHAPE', message);
  }
  return shape;
}

function extensionShape(text: string | undefined): number[] {
  try {
    const { shape } = JSON.parse(text ?? '{}') as { shape?: unknown };
    return Array.isArray(shape) ? shape.map(Number) : [];
  } catch {
    // Some other extension's metadata: it says nothing about a shape.
    return [];
  }
}
