import type { OnnxTensor } from '../../../proto/index.js';
import { BrokenArtifact } from '../model-files.js';
import { type Datatype, elementBytes } from '../tensor.js';
import { type Constant, elementCount, type NumberDatatype } from './value.js';

const datatypeByNumber: Record<number, Datatype> = {
  1: 'FP32',
  2: 'UINT8',
  3: 'INT8',
  4: 'UINT16',
  5: 'INT16',
  6: 'INT32',
  7: 'INT64',
  8: 'BYTES',
  9: 'BOOL',
  10: 'FP16',
  11: 'FP64',
  12: 'UINT32',
  13: 'UINT64',
  16: 'BF16',
};

/** The datatype by the number that ONNX gives it; null for those that the protocol does not have. */
export const datatypeOf = (number: number): Datatype | null => datatypeByNumber[number] ?? null;

export const rankMax = 16;

/** Elements of a constant that are numbers in memory: a length may claim any number of them. */
const elementsMax = 2 ** 31;

type Reader = (view: DataView, offset: number) => number;

/** The constants that operators have a use for. Others may stand in a file, but nothing can be made of them. */
const readers: Partial<Record<NumberDatatype, Reader>> = {
  BOOL: (view, offset) => Number(view.getUint8(offset) !== 0),
  UINT8: (view, offset) => view.getUint8(offset),
  INT8: (view, offset) => view.getInt8(offset),
  INT32: (view, offset) => view.getInt32(offset, true),
  INT64: (view, offset) => Number(view.getBigInt64(offset, true)),
  FP32: (view, offset) => view.getFloat32(offset, true),
  FP64: (view, offset) => view.getFloat64(offset, true),
};

const typedField = {
  BOOL: 'int32Data',
  UINT8: 'int32Data',
  INT8: 'int32Data',
  INT32: 'int32Data',
  INT64: 'int64Data',
  FP32: 'floatData',
  FP64: 'doubleData',
} as const;

/** Reads a tensor of a file. `label` begins what is said about a broken one. */
export function readConstant(tensor: OnnxTensor, label: string): Constant {
  const refuse = (reason: string) => new BrokenArtifact(`model.onnx: ${label} ${reason}`);
  if (tensor.dataLocation !== 0) {
    throw refuse('has its numbers in another file; save the model as one file, with its weights in it');
  }
  const shape = tensor.dims;
  if (shape.length > rankMax || shape.some((length) => !Number.isSafeInteger(length) || length < 0)) {
    throw refuse(`has the shape [${shape.slice(0, rankMax).join(', ')}], which no tensor can have`);
  }
  const count = elementCount(shape);
  const datatype = datatypeOf(tensor.dataType);
  if (datatype === null || datatype === 'BYTES' || readers[datatype] === undefined) {
    const known = Object.keys(readers).join(', ');
    throw refuse(`has datatype ${datatype ?? `number ${tensor.dataType}`}; constants can be ${known}`);
  }
  const numbers = readNumbers(tensor, datatype, count);
  if (numbers === null) {
    throw refuse(`does not hold the ${count} numbers of its shape [${shape.join(', ')}]`);
  }
  return { kind: 'constant', datatype, shape, numbers };
}

function readNumbers(tensor: OnnxTensor, datatype: NumberDatatype, count: number): Float32Array | Float64Array | null {
  const { rawData } = tensor;
  const size = elementBytes[datatype];
  if (count > elementsMax) {
    return null;
  }
  if (rawData.length === 0) {
    const typed = tensor[typedField[datatype as keyof typeof typedField]];
    if (typed.length !== count) {
      return null;
    }
    return datatype === 'FP32' ? Float32Array.from(typed) : Float64Array.from(typed);
  }
  if (rawData.length !== count * size) {
    return null;
  }
  if (datatype === 'FP32') {
    // A copy, in which the numbers are aligned; the file is little-endian as every machine that the engine runs on.
    return new Float32Array(new Uint8Array(rawData).buffer);
  }
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  const read = readers[datatype]!;
  return Float64Array.from({ length: count }, (_, index) => read(view, index * size));
}
