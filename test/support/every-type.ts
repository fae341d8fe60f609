import * as arrow from 'apache-arrow';

/** Rows of each column. */
export const rows = 100;
export const rowsOf = <T>(value: (row: number) => T) => Array.from({ length: rows }, (_, row) => value(row));
const everyThird = <T>(value: (row: number) => T) => rowsOf((row) => (row % 3 === 1 ? null : value(row)));
const item = (type: arrow.DataType, name = 'item') => new arrow.Field(name, type, true);
const decimal = (row: number) => Uint32Array.of(row * 1_000_003, row, 0, row % 2 ? 0x8000_0000 : 0);
const point = new arrow.Struct([item(new arrow.Int32(), 'x'), item(new arrow.List(item(new arrow.Utf8())), 'words')]);

/** A column of each type that a dataset keeps, with missing values. */
export const everyType: Record<string, arrow.Vector> = {
  boolean: arrow.vectorFromArray(
    everyThird((row) => row % 2 === 0),
    new arrow.Bool(),
  ),
  int64: arrow.vectorFromArray(
    everyThird((row) => 2n ** 60n + BigInt(row)),
    new arrow.Int64(),
  ),
  uint16: arrow.vectorFromArray(
    everyThird((row) => 65_535 - row),
    new arrow.Uint16(),
  ),
  float32: arrow.vectorFromArray(
    everyThird((row) => row / 3),
    new arrow.Float32(),
  ),
  text: arrow.vectorFromArray(
    everyThird((row) => '東'.repeat(row % 3)),
    new arrow.Utf8(),
  ),
  'large text': arrow.vectorFromArray(
    everyThird((row) => `${row}`),
    new arrow.LargeUtf8(),
  ),
  dictionary: arrow.vectorFromArray(
    everyThird((row) => `word ${row % 5}`),
    new arrow.Dictionary(new arrow.Utf8(), new arrow.Int16()),
  ),
  pixels: arrow.vectorFromArray(
    everyThird((row) => [row, 1, 255]),
    new arrow.FixedSizeList(3, item(new arrow.Uint8())),
  ),
  null: arrow.makeVector(arrow.makeData({ type: new arrow.Null(), length: rows })),
  binary: arrow.vectorFromArray(
    everyThird((row) => Uint8Array.of(row, 255, row)),
    new arrow.Binary(),
  ),
  'large binary': arrow.vectorFromArray(
    everyThird((row) => new Uint8Array(row % 4)),
    new arrow.LargeBinary(),
  ),
  'fixed-size binary': arrow.vectorFromArray(
    everyThird((row) => Uint8Array.of(row, 1)),
    new arrow.FixedSizeBinary(2),
  ),
  'date of days': arrow.vectorFromArray(
    everyThird((row) => row * 86_400_000),
    new arrow.DateDay(),
  ),
  'date of milliseconds': arrow.vectorFromArray(
    everyThird((row) => row * 86_400_000),
    new arrow.DateMillisecond(),
  ),
  timestamp: arrow.vectorFromArray(
    everyThird((row) => 1_700_000_000_000 + row),
    new arrow.TimestampMicrosecond('Asia/Tokyo'),
  ),
  decimal: arrow.vectorFromArray(everyThird(decimal), new arrow.Decimal(2, 38)),
  list: arrow.vectorFromArray(
    everyThird((row) => Array.from({ length: row % 5 }, (_, i) => (i === 2 ? null : row + i / 2))),
    new arrow.List(item(new arrow.Float64())),
  ),
  'large list': arrow.vectorFromArray(
    everyThird((row) => Array.from({ length: row % 3 }, (_, i) => `${row}:${i}`)),
    new arrow.LargeList(item(new arrow.Utf8())),
  ),
  'list of lists': arrow.vectorFromArray(
    everyThird((row) => Array.from({ length: row % 3 }, () => [row, null, row + 1])),
    new arrow.List(item(new arrow.List(item(new arrow.Int32())))),
  ),
  'fixed-size list of lists': arrow.vectorFromArray(
    everyThird((row) => [
      [row, 1, 2],
      [3, 4, row],
    ]),
    new arrow.FixedSizeList(2, item(new arrow.FixedSizeList(3, item(new arrow.Int32())))),
  ),
  struct: arrow.vectorFromArray(
    everyThird((row) => ({ x: row % 5 ? row : null, words: ['a', `${row}`].slice(row % 3) })),
    point,
  ),
};
