import { ServiceError } from '../platform/errors.js';
import { type Column, type ColumnType, columnsMax, shapeKey, supportedTypes } from './column.js';
import { FlatbufferError, FlatTable } from './flatbuffer.js';

/** What stands in the flatbuffer before a record batch's buffers. */
export interface BatchHeader {
  length: number;
  nodes: { length: number; nullCount: number }[];
  /** Within the body. */
  buffers: Region[];
}

export interface Region {
  offset: number;
  length: number;
}

/** One message of Arrow's interprocess format. */
export type ArrowMessage =
  | { kind: 'schema'; columns: Column[] }
  | { kind: 'batch'; batch: BatchHeader; bodyBytes: number }
  | { kind: 'dictionary'; id: number; isDelta: boolean; batch: BatchHeader; bodyBytes: number };

export function malformedArrow(what: string, cause?: unknown): ServiceError {
  const message = `Expected an Arrow stream but ${what}.`;
  return new ServiceError('INVALID_ARGUMENT', 'MALFORMED_ARROW', message, { cause });
}

/** Reads a bare flatbuffer `Message`. Whatever the bytes are, the answer is a message or a refusal. */
export function decodeMessage(header: Uint8Array): ArrowMessage {
  try {
    return decode(FlatTable.root(header));
  } catch (error) {
    throw error instanceof FlatbufferError ? malformedArrow(`in a message's header ${error.message}`, error) : error;
  }
}

function decode(message: FlatTable): ArrowMessage {
  const kind = message.byte(1);
  const header = message.table(2);
  const bodyBytes = message.int64(3);
  if (!header || bodyBytes < 0) {
    throw new FlatbufferError('the kind of message or the length of its body is missing');
  }
  switch (kind) {
    case 1:
      return { kind: 'schema', columns: decodeSchema(header) };
    case 2: {
      const batch = header.table(1);
      if (!batch) {
        throw new FlatbufferError('a dictionary has no values');
      }
      return {
        kind: 'dictionary',
        id: header.int64(0),
        isDelta: header.byte(2) !== 0,
        batch: decodeBatchHeader(batch),
        bodyBytes,
      };
    }
    case 3:
      return { kind: 'batch', batch: decodeBatchHeader(header), bodyBytes };
    default:
      throw new FlatbufferError(
        `a message of kind ${kind} stands, which is neither schema, dictionary nor record batch`,
      );
  }
}

function decodeBatchHeader(table: FlatTable): BatchHeader {
  if (table.table(3)) {
    throw malformedArrow('its buffers are compressed. Send them uncompressed');
  }
  const length = table.int64(0);
  if (length < 0 || length > 0x7fff_ffff) {
    throw new FlatbufferError(`a batch has ${length} rows`);
  }
  return {
    length,
    nodes: table.pairs(1).map(([nodeLength, nullCount]) => ({ length: nodeLength, nullCount })),
    buffers: table.pairs(2).map(([offset, bytes]) => ({ offset, length: bytes })),
  };
}

function decodeSchema(schema: FlatTable): Column[] {
  if (schema.int16(0) !== 0) {
    throw malformedArrow('it is big-endian. Send it little-endian');
  }
  const columns = [...schema.tables(1, columnsMax)].map(decodeField);
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

function decodeField(field: FlatTable): Column {
  const name = field.text(0);
  const type = decodeType(field, name);
  return { name, type, shape: type.kind === 'list' ? decodeShape(field, name, type.width) : [] };
}

const typeNames = [
  ...['None', 'Null', 'Int', 'FloatingPoint', 'Binary', 'Utf8', 'Bool', 'Decimal', 'Date', 'Time', 'Timestamp'],
  ...['Interval', 'List', 'Struct', 'Union', 'FixedSizeBinary', 'FixedSizeList', 'Map', 'Duration', 'LargeBinary'],
  ...['LargeUtf8', 'LargeList', 'RunEndEncoded', 'BinaryView', 'Utf8View', 'ListView', 'LargeListView'],
];

function decodeType(field: FlatTable, name: string): ColumnType {
  const kind = typeOf(field);
  const type = field.table(3);
  const isText = kind === 'Utf8' || kind === 'LargeUtf8';
  const dictionary = field.table(4);
  if (dictionary) {
    const index = dictionary.table(1);
    if (isText) {
      const indexType = index ? integerType(index) : 'int32';
      if (indexType) {
        return { kind: 'dictionary', index: indexType, large: kind === 'LargeUtf8', id: dictionary.int64(0) };
      }
    }
    throw unsupported(name, `a dictionary of ${kind}`);
  }
  if (isText) {
    return { kind: 'text', large: kind === 'LargeUtf8' };
  }
  if (kind === 'Bool') {
    return { kind: 'boolean' };
  }
  if (kind === 'FixedSizeList' && type) {
    const [item, ...more] = field.tables(5, 2);
    const number = item && more.length === 0 ? numberType(item) : null;
    const width = type.int32(0);
    if (number && width > 0) {
      return { kind: 'list', type: number, width };
    }
    throw unsupported(name, `a FixedSizeList of ${width} items that are not numbers`);
  }
  const number = numberType(field);
  if (!number) {
    throw unsupported(name, kind);
  }
  return { kind: 'number', type: number };
}

const typeOf = (field: FlatTable) => typeNames[field.byte(2)] ?? 'unknown';

/** Null: a field of something else. */
function numberType(field: FlatTable) {
  const type = field.table(3);
  if (!type || field.table(4)) {
    return null;
  }
  switch (typeOf(field)) {
    case 'Int':
      return integerType(type);
    case 'FloatingPoint':
      return ([null, 'float32', 'float64'] as const)[type.int16(0)] ?? null;
    default:
      return null;
  }
}

function integerType(type: FlatTable) {
  const bits = type.int32(0);
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) {
    return null;
  }
  return type.byte(1) ? (`int${bits}` as const) : (`uint${bits}` as const);
}

function unsupported(name: string, type: string): ServiceError {
  const message = `Expected column ${JSON.stringify(name)} to be of type ${supportedTypes} but received ${type}.`;
  return new ServiceError('INVALID_ARGUMENT', 'UNSUPPORTED_TYPE', message);
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
