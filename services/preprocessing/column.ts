import type { NumberType } from '../pipeline/index.js';

/** Arrow types that a dataset's column may have. */
export type ColumnType =
  | { kind: 'number'; type: NumberType }
  | { kind: 'boolean' }
  /** `large`: 64-bit offsets. */
  | { kind: 'text'; large: boolean }
  | { kind: 'dictionary'; index: NumberType; large: boolean; id: number }
  /** Fixed-size list. */
  | { kind: 'list'; type: NumberType; width: number };

export interface Column {
  name: string;
  type: ColumnType;
  /** Lengths of an array or image, outermost first; else empty. */
  shape: number[];
}

/** Columns that a dataset may have. */
export const columnsMax = 10_000;

/** For people, for messages and for the digest. */
export const supportedTypes =
  'Bool, Int8 to Int64, Uint8 to Uint64, Float32, Float64, Utf8, LargeUtf8, dictionaries of text, and fixed-size lists of numbers';

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
  }
}

/** Key of a column's shape in the metadata of its Arrow field; the value is like `28,28`. */
export const shapeKey = 'millrace.shape';
