import { createRequire } from 'node:module';
import path from 'node:path';
import protobuf from 'protobufjs';

/** The messages of `onnx/onnx_model.proto`; unset messages are null, int64 is a number, and beyond 2^53 inexact. */
export interface OnnxModel {
  irVersion: number;
  graph: OnnxGraph | null;
  opsetImport: { domain: string; version: number }[];
}

export interface OnnxGraph {
  node: OnnxNode[];
  initializer: OnnxTensor[];
  input: OnnxValue[];
  output: OnnxValue[];
  sparseInitializer: object[];
}

export interface OnnxNode {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  attribute: OnnxAttribute[];
  domain: string;
}

export interface OnnxAttribute {
  name: string;
  type: number;
  f: number;
  i: number;
  s: Uint8Array;
  t: OnnxTensor | null;
  floats: number[];
  ints: number[];
  refAttrName: string;
}

export interface OnnxTensor {
  name: string;
  dims: number[];
  dataType: number;
  floatData: number[];
  int32Data: number[];
  stringData: Uint8Array[];
  /** Beyond 2^53 inexact, as `uint64Data`. */
  int64Data: number[];
  uint64Data: number[];
  doubleData: number[];
  rawData: Uint8Array;
  dataLocation: number;
}

export interface OnnxValue {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: OnnxDimension[] } | null } | null } | null;
}

export interface OnnxDimension {
  /** Which of the others is set. */
  value?: 'dimValue' | 'dimParam';
  dimValue?: number;
  dimParam?: string;
}

/**
 * Fields that a file may have in all, packed integers counted one by one: each becomes an object or a number in memory, many
 * times as large as it was in the file.
 */
const fieldsMax = 4_000_000;

let type: protobuf.Type | null = null;

/** The descriptor of a file, which also encodes one. */
export function onnxModelType(): protobuf.Type {
  if (type === null) {
    const file = createRequire(import.meta.url).resolve('#proto/onnx/onnx_model.proto');
    type = new protobuf.Root().loadSync(path.normalize(file)).resolveAll().lookupType('onnx.ModelProto');
  }
  return type;
}

/** Throws an Error with the reason where the bytes are not a model, or would take too much memory. */
export function decodeOnnxModel(bytes: Uint8Array): OnnxModel {
  const modelType = onnxModelType();
  countFields(modelType, protobuf.Reader.create(bytes), bytes.length, 0);
  const message = modelType.decode(bytes);
  return modelType.toObject(message, { longs: Number, defaults: true, oneofs: true }) as OnnxModel;
}

const isPackedInteger = (field: protobuf.Field) => field.repeated && ['int32', 'int64', 'uint64'].includes(field.type);

/** Counts the fields of a message on top of `count`. Our messages do not nest without end. */
function countFields(message: protobuf.Type, reader: protobuf.Reader, end: number, before: number): number {
  let count = before;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = message.fieldsById[tag >>> 3];
    count++;
    if (field?.resolvedType instanceof protobuf.Type && (tag & 7) === 2) {
      const length = reader.uint32();
      count = countFields(field.resolvedType, reader, reader.pos + length, count);
    } else if (field !== undefined && isPackedInteger(field) && (tag & 7) === 2) {
      const length = reader.uint32();
      count += length;
      reader.skip(length);
    } else {
      reader.skipType(tag & 7);
    }
    if (count > fieldsMax) {
      throw new Error(`it has more than ${fieldsMax} fields`);
    }
  }
  return count;
}
