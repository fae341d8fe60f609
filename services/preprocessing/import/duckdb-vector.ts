import type { DuckDBDataChunk } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { isValid, numberArrays, type Validity } from '../../pipeline/index.js';
import type { ColumnType } from '../column.js';

/** A column of a chunk in DuckDB's own memory, good as long as the chunk is. */
export interface DuckDbVector {
  type: ColumnType;
  rowCount: number;
  data: Uint8Array;
  validity: Validity;
  /** Of lists, the items; of structs, the fields. */
  children: DuckDbVector[];
}

/** What stands for a text: its length and the first bytes, or the length, four bytes and a pointer. */
export const textBytes = 16;
/** Texts up to this length stand where the pointer to longer ones does. */
export const inlineBytesMax = 12;

export function readVectors(chunk: DuckDBDataChunk, types: readonly ColumnType[]): DuckDbVector[] {
  return types.map((type, i) => readVector(duckdb.data_chunk_get_vector(chunk.chunk, i), type, chunk.rowCount));
}

function readVector(vector: duckdb.Vector, type: ColumnType, rowCount: number): DuckDbVector {
  return {
    type,
    rowCount,
    data: duckdb.vector_get_data(vector, rowCount * valueBytes(type)),
    validity: duckdb.vector_get_validity(vector, Math.ceil(rowCount / 64) * 8) ?? null,
    children: readChildren(vector, type, rowCount),
  };
}

function readChildren(vector: duckdb.Vector, type: ColumnType, rowCount: number): DuckDbVector[] {
  switch (type.kind) {
    case 'list':
      return [
        readVector(duckdb.array_vector_get_child(vector), { kind: 'number', type: type.type }, rowCount * type.width),
      ];
    case 'nested':
      return type.width === null
        ? [readVector(duckdb.list_vector_get_child(vector), type.item, duckdb.list_vector_get_size(vector))]
        : [readVector(duckdb.array_vector_get_child(vector), type.item, rowCount * type.width)];
    case 'struct':
      return type.fields.map((field, i) => readVector(duckdb.struct_vector_get_child(vector, i), field.type, rowCount));
    default:
      return [];
  }
}

/** What DuckDB has for a value; what lies elsewhere does not count. */
export function valueBytes(type: ColumnType): number {
  switch (type.kind) {
    case 'number':
      return numberArrays[type.type].BYTES_PER_ELEMENT;
    case 'boolean':
      return 1;
    case 'date':
      return 4;
    case 'timestamp':
      return 8;
    case 'decimal':
      return type.precision > 18 ? 16 : type.precision > 9 ? 8 : type.precision > 4 ? 4 : 2;
    case 'text':
    case 'binary':
    case 'nested':
      return type.kind === 'nested' && type.width !== null ? 0 : 16;
    default:
      return 0;
  }
}

/** The first of the four words that stand for each text. */
export function textLengths({ data }: DuckDbVector): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

/** Of each list, where its items begin and how many there are. */
export function listEntries({ data }: DuckDbVector): BigUint64Array {
  return new BigUint64Array(data.buffer, data.byteOffset, data.byteLength / 8);
}

/** Adds to `sizes` the bytes that each row will take beyond what every row of its type takes. */
export function addSizes(vector: DuckDbVector, sizes: Float64Array): void {
  const { type, children, validity } = vector;
  if (type.kind === 'text' || type.kind === 'binary') {
    const lengths = textLengths(vector);
    for (let row = 0; row < sizes.length; row++) {
      sizes[row]! += isValid(validity, row) ? lengths[4 * row]! : 0;
    }
  } else if (type.kind === 'struct') {
    for (const field of children) {
      addSizes(field, sizes);
    }
  } else if (type.kind === 'nested') {
    addItemSizes(vector, sizes);
  }
}

function addItemSizes(vector: DuckDbVector, sizes: Float64Array): void {
  const [items] = vector.children as [DuckDbVector];
  const width = vector.type.kind === 'nested' ? vector.type.width : null;
  const entries = listEntries(vector);
  const itemSizes = new Float64Array(items.rowCount).fill(fixedBytes(items.type));
  addSizes(items, itemSizes);
  for (let row = 0; row < sizes.length; row++) {
    const from = width === null ? Number(entries[2 * row]) : row * width;
    const count = width ?? (isValid(vector.validity, row) ? Number(entries[2 * row + 1]) : 0);
    for (let item = from; item < from + count; item++) {
      sizes[row]! += itemSizes[item]!;
    }
  }
}

/** Of every row of a type, as Arrow lays it out. */
export function fixedBytes(type: ColumnType): number {
  switch (type.kind) {
    case 'list':
      return numberArrays[type.type].BYTES_PER_ELEMENT * type.width;
    case 'decimal':
      return 16;
    case 'struct':
      return type.fields.reduce((sum, field) => sum + fixedBytes(field.type), 0);
    case 'text':
    case 'binary':
    case 'nested':
      return 8;
    default:
      return Math.max(valueBytes(type), 1);
  }
}
