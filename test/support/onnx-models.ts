import { onnxModelType } from '../../proto/index.js';

/** Numbers of a tensor's type, as ONNX gives them. */
export const elementTypes = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
} as const;

export type ElementTypeName = keyof typeof elementTypes;

type Fields = Record<string, unknown>;

/** A tensor of FP32, or of whole numbers as INT64, raw. */
export function tensor(
  name: string,
  dims: number[],
  numbers: ArrayLike<number>,
  type: 'FP32' | 'INT64' = 'FP32',
): Fields {
  const array = type === 'FP32' ? Float32Array.from(numbers) : BigInt64Array.from(Array.from(numbers, BigInt));
  return { name, dims, dataType: elementTypes[type], rawData: new Uint8Array(array.buffer) };
}

/** A dimension is a length, or a name for one that each call decides. */
export function value(name: string, type: ElementTypeName, shape: (number | string)[]): Fields {
  const dim = shape.map((length) => (typeof length === 'string' ? { dimParam: length } : { dimValue: length }));
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: { dim } } } };
}

/** Numbers become FLOAT attributes where the name is in `floats`, INT or INTS elsewhere; texts STRING; objects TENSOR. */
function attribute([name, setting]: [string, unknown]): Fields {
  if (typeof setting === 'string') return { name, type: 3, s: Buffer.from(setting) };
  if (typeof setting === 'bigint') return { name, type: 2, i: Number(setting) };
  if (typeof setting === 'number') return { name, type: 1, f: setting };
  if (Array.isArray(setting)) return { name, type: 7, ints: setting };
  return { name, type: 4, t: setting };
}

/** A node; an integer attribute is a bigint, so that 1 is a FLOAT and 1n an INT. */
export function node(opType: string, input: string[], output: string | string[], attributes: Fields = {}): Fields {
  const outputs = typeof output === 'string' ? [output] : output;
  return { opType, input, output: outputs, name: '', attribute: Object.entries(attributes).map(attribute), domain: '' };
}

export interface ModelParts {
  nodes: Fields[];
  inputs: Fields[];
  outputs: Fields[];
  initializers?: Fields[];
  opset?: number;
  irVersion?: number;
}

/** The bytes of a model file. */
export function onnxModel({
  nodes,
  inputs,
  outputs,
  initializers = [],
  opset = 17,
  irVersion = 8,
}: ModelParts): Uint8Array {
  const type = onnxModelType();
  const model = type.fromObject({
    irVersion,
    graph: { node: nodes, initializer: initializers, input: inputs, output: outputs, name: 'graph' },
    opsetImport: [{ domain: '', version: opset }],
  });
  return type.encode(model).finish();
}

export const bytesOf = (numbers: ArrayLike<number>): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);

export const floatsOf = (bytes: Uint8Array): number[] => [...new Float32Array(Uint8Array.from(bytes).buffer)];
