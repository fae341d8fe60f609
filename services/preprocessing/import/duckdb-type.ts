import {
  DuckDBArrayType,
  DuckDBDecimalType,
  DuckDBListType,
  DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
} from '@duckdb/node-api';
import type { NumberType } from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';

const sqlNumbers: Record<NumberType, string> = {
  int8: 'TINYINT',
  int16: 'SMALLINT',
  int32: 'INTEGER',
  int64: 'BIGINT',
  uint8: 'UTINYINT',
  uint16: 'USMALLINT',
  uint32: 'UINTEGER',
  uint64: 'UBIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
};

/** DuckDB's name of a type that can be given to a column of text. */
export function sqlTypeOf(type: ColumnType): string {
  switch (type.kind) {
    case 'number':
      return sqlNumbers[type.type];
    case 'boolean':
      return 'BOOLEAN';
    case 'text':
      return 'VARCHAR';
    default:
      throw new Error(`a column of kind ${type.kind} is not read from text`);
  }
}

const simpleTypes = new Map<DuckDBTypeId, ColumnType>([
  ...(Object.entries(sqlNumbers) as [NumberType, keyof typeof DuckDBTypeId][]).map(
    ([type, sql]): [DuckDBTypeId, ColumnType] => [DuckDBTypeId[sql], { kind: 'number', type }],
  ),
  [DuckDBTypeId.BOOLEAN, { kind: 'boolean' }],
  [DuckDBTypeId.VARCHAR, { kind: 'text', large: false }],
  [DuckDBTypeId.BLOB, { kind: 'binary', large: false, width: null }],
  [DuckDBTypeId.DATE, { kind: 'date', unit: 'day' }],
  [DuckDBTypeId.TIMESTAMP_S, { kind: 'timestamp', unit: 'second', timezone: '' }],
  [DuckDBTypeId.TIMESTAMP_MS, { kind: 'timestamp', unit: 'millisecond', timezone: '' }],
  [DuckDBTypeId.TIMESTAMP, { kind: 'timestamp', unit: 'microsecond', timezone: '' }],
  [DuckDBTypeId.TIMESTAMP_NS, { kind: 'timestamp', unit: 'nanosecond', timezone: '' }],
  [DuckDBTypeId.TIMESTAMP_TZ, { kind: 'timestamp', unit: 'microsecond', timezone: 'UTC' }],
]);

/** The column's type for a type of DuckDB's; null: there is none. */
export function columnTypeOf(type: DuckDBType): ColumnType | null {
  if (type instanceof DuckDBDecimalType) {
    return { kind: 'decimal', precision: type.width, scale: type.scale };
  }
  if (type instanceof DuckDBArrayType || type instanceof DuckDBListType) {
    const item = columnTypeOf(type.valueType);
    const width = type instanceof DuckDBArrayType ? type.length : null;
    if (item?.kind === 'number' && width !== null) {
      return { kind: 'list', type: item.type, width };
    }
    return item && { kind: 'nested', form: width === null ? 'List' : 'FixedSizeList', width, item };
  }
  if (type instanceof DuckDBStructType) {
    const fields = type.entryTypes.map((entry, i) => ({ name: type.entryNames[i]!, type: columnTypeOf(entry) }));
    const known = fields.flatMap(({ name, type: field }) => (field ? [{ name, type: field }] : []));
    return known.length === fields.length ? { kind: 'struct', fields: known } : null;
  }
  return simpleTypes.get(type.typeId) ?? null;
}
