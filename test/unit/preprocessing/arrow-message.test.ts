import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  Dictionary,
  DurationSecond,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Int32,
  IntervalYearMonth,
  LargeBinary,
  LargeList,
  List,
  Message,
  Null,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  TimeSecond,
  TimestampNanosecond,
  TimestampSecond,
  tableFromArrays,
  Uint8,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../services/platform/errors.js';
import { decodeMessage } from '../../../services/preprocessing/arrow-message.js';
import { typeName } from '../../../services/preprocessing/column.js';
import { splitStream } from '../../support/arrow-messages.js';

const schemaMessage = (fields: Field[]) => Message.encode(Message.from(new Schema(fields)));
const field = (type: ConstructorParameters<typeof Field>[1], metadata = {}) =>
  new Field('a', type, true, new Map(Object.entries(metadata)));

const headersOf = (table: Table) =>
  splitStream(RecordBatchStreamWriter.writeAll(table).toUint8Array(true)).map(({ header }) => header);

describe('decodeMessage', () => {
  it.each([
    ['no bytes', new Uint8Array(0)],
    ['zeros', new Uint8Array(64)],
    ['text', Buffer.from('this is no flatbuffer at all, but text')],
    ['offsets beyond the end', new Uint8Array(64).fill(0xff)],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeMessage(bytes)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it.each([
    ['a duration', field(new DurationSecond()), 'Duration'],
    ['a time of day', field(new TimeSecond()), 'Time'],
    ['a float16', field(new Float16()), 'FloatingPoint of 16 bits'],
    ['a decimal of 256 bits', field(new Decimal(2, 40, 256)), 'Decimal256 of 40 digits'],
    ['an interval', field(new IntervalYearMonth()), 'Interval'],
    ['a dictionary of numbers', field(new Dictionary(new Int32(), new Int32())), 'a dictionary of Int'],
    [
      'a list of a dictionary',
      field(new List(field(new Dictionary(new Utf8(), new Int32())))),
      'a dictionary of Utf8 within another type',
    ],
  ])('refuses %s in words', (_, column, type) => {
    const decode = () => decodeMessage(schemaMessage([column]));
    expect(decode).toThrow(expect.objectContaining({ reason: 'UNSUPPORTED_TYPE' }));
    expect(decode).toThrow(type);
  });

  it.each([
    [new Null(), 'Null'],
    [new TimestampSecond(), 'Timestamp[s]'],
    [new TimestampNanosecond('Europe/Berlin'), 'Timestamp[ns, Europe/Berlin]'],
    [new DateDay(), 'Date32'],
    [new DateMillisecond(), 'Date64'],
    [new Decimal(2, 10), 'Decimal128[10, 2]'],
    [new Binary(), 'Binary'],
    [new LargeBinary(), 'LargeBinary'],
    [new FixedSizeBinary(16), 'FixedSizeBinary[16]'],
    [new List(field(new Int32())), 'List<Int32>'],
    [new LargeList(field(new List(field(new Utf8())))), 'LargeList<List<Utf8>>'],
    [
      new FixedSizeList(2, field(new FixedSizeList(3, field(new Uint8())))),
      'FixedSizeList[2]<FixedSizeList[3]<Uint8>>',
    ],
    [
      new Struct([new Field('x', new Bool(), true), new Field('y', new List(field(new DateDay())), true)]),
      'Struct<"x": Bool, "y": List<Date32>>',
    ],
  ])('reads the type %s', (type, name) => {
    const message = decodeMessage(schemaMessage([field(type)]));
    expect(message.kind === 'schema' && message.columns.map((column) => typeName(column.type))).toEqual([name]);
  });

  it('refuses fields that are too deep', () => {
    const deep = Array.from({ length: 40 }).reduce((type: DataType) => new List(field(type)), new Bool());
    expect(() => decodeMessage(schemaMessage([field(deep)]))).toThrow('fields more than 32 deep');
  });

  it('refuses a struct that shares its fields to stand for more than there may be', () => {
    // Structs of twelve fields each, one in the other: a forger needs not write them all out.
    const wide = Array.from({ length: 4 }).reduce(
      (type: DataType) => new Struct(Array.from({ length: 12 }, (_, i) => new Field(`${i}`, type, true))),
      new Bool(),
    );
    const narrow = new Struct([field(new Bool())]);
    expect(() => decodeMessage(schemaMessage([field(narrow)]))).not.toThrow();
    expect(() => decodeMessage(schemaMessage([field(wide)]))).toThrow('more than 10000 fields');
  });

  it('refuses columns without names of their own', () => {
    expect(() => decodeMessage(schemaMessage([field(new Bool()), field(new Bool())]))).toThrow(
      'two columns are called "a"',
    );
    expect(() => decodeMessage(schemaMessage([new Field('', new Bool())]))).toThrow('a column has no name');
    expect(() => decodeMessage(schemaMessage([]))).toThrow('at least one column');
  });

  it('refuses a shape that does not make the list', () => {
    const column = field(new FixedSizeList(4, field(new Uint8())), { 'millrace.shape': '3,2' });
    expect(() => decodeMessage(schemaMessage([column]))).toThrow('to make 4 items but received 3,2');
  });

  it('reads the shape of our own metadata and of the extension for tensors', () => {
    const type = new FixedSizeList(4, field(new Uint8()));
    const shapes = [{ 'millrace.shape': '2,2' }, { 'ARROW:extension:metadata': '{"shape":[2,2]}' }].map((metadata) => {
      const message = decodeMessage(schemaMessage([field(type, metadata)]));
      return message.kind === 'schema' && message.columns[0]!.shape;
    });
    expect(shapes).toEqual([
      [2, 2],
      [2, 2],
    ]);
  });

  it('reads what Arrow writes', () => {
    const table = new Table({
      text: vectorFromArray(['x', null], new Utf8()),
      word: vectorFromArray(['p', 'q'], new Dictionary(new Utf8(), new Int32())),
    });
    const [schema, dictionary, batch] = headersOf(table).map(decodeMessage);
    expect(schema).toMatchObject({ kind: 'schema', columns: [{ name: 'text' }, { name: 'word' }] });
    expect(schema!.kind === 'schema' && schema!.columns.map(({ type }) => typeName(type))).toEqual([
      'Utf8',
      'Dictionary<Int32, Utf8>',
    ]);
    expect(dictionary).toMatchObject({ kind: 'dictionary', isDelta: false, batch: { length: 2 } });
    expect(batch).toMatchObject({ kind: 'batch', batch: { length: 2, nodes: [{ nullCount: 1 }, { nullCount: 0 }] } });
  });

  it('answers or refuses, whichever byte is changed', () => {
    const headers = headersOf(tableFromArrays({ a: Float64Array.of(1, 2), b: ['x', 'y'] }));
    let refused = 0;
    for (const header of headers) {
      for (let at = 0; at < header.length; at++) {
        for (const value of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
          const changed = Uint8Array.from(header);
          changed[at] = value;
          try {
            decodeMessage(changed);
          } catch (error) {
            expect(error).toBeInstanceOf(ServiceError);
            refused++;
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
