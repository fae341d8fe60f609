import { quote } from '../platform/errors.js';
import { type Datatype, packBytes } from './tensor.js';

/** The elements of a tensor one by one, as the protocol's `InferTensorContents` has them. */
export interface TensorContents {
  boolContents: readonly boolean[];
  intContents: readonly number[];
  int64Contents: readonly (number | bigint)[];
  uintContents: readonly number[];
  uint64Contents: readonly (number | bigint)[];
  fp32Contents: readonly number[];
  fp64Contents: readonly number[];
  bytesContents: readonly Uint8Array[];
}

type Field = keyof TensorContents;

/** The field that holds elements of a datatype; FP16 and BF16 have none, and travel raw only. */
const fields: Partial<Record<Datatype, Field>> = {
  BOOL: 'boolContents',
  INT8: 'intContents',
  INT16: 'intContents',
  INT32: 'intContents',
  INT64: 'int64Contents',
  UINT8: 'uintContents',
  UINT16: 'uintContents',
  UINT32: 'uintContents',
  UINT64: 'uint64Contents',
  FP32: 'fp32Contents',
  FP64: 'fp64Contents',
  BYTES: 'bytesContents',
};

/** Least and greatest element of the datatypes that are narrower than their field. */
const ranges: Partial<Record<Datatype, readonly [number, number]>> = {
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
};

/** @returns the elements as raw bytes, or in words what is wrong with them */
export function typedToRaw(contents: TensorContents, datatype: Datatype, count: number): Uint8Array | string {
  const field = fields[datatype];
  if (!field) {
    return `Expected elements of ${datatype} in \`raw_input_contents\`: \`contents\` has no field for them`;
  }
  for (const other in contents) {
    if (other !== field && contents[other as Field].length > 0) {
      return `Expected elements of ${datatype} in \`${wireName(field)}\` but received ${wireName(other)}`;
    }
  }
  const elements = contents[field];
  if (elements.length !== count) {
    return `Expected ${count} elements in \`${wireName(field)}\` but received ${elements.length}`;
  }
  const range = ranges[datatype];
  const misfit = range
    ? (elements as readonly number[]).findIndex((element) => element < range[0] || element > range[1])
    : -1;
  if (misfit >= 0) {
    return `Expected elements of ${datatype} from ${range![0]} to ${range![1]} but element ${misfit} is ${quote(elements[misfit])}`;
  }
  return pack(elements, datatype);
}

const arrays = {
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

function pack(elements: TensorContents[Field], datatype: Datatype): Uint8Array {
  switch (datatype) {
    case 'BYTES':
      return packBytes(elements as readonly Uint8Array[]);
    case 'BOOL':
      return Uint8Array.from(elements as readonly boolean[], Number);
    case 'INT64':
      return bytesOf(BigInt64Array.from(elements as readonly (number | bigint)[], BigInt));
    case 'UINT64':
      return bytesOf(BigUint64Array.from(elements as readonly (number | bigint)[], BigInt));
    case 'FP16':
    case 'BF16':
      throw new Error(`${datatype} has no typed contents`);
    default:
      return bytesOf(arrays[datatype].from(elements as readonly number[]));
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: NodeJS.TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const wireName = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
