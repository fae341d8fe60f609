import { endianness } from 'node:os';
import { z } from 'zod';
import type { ModelInferRequest } from '../../proto/gen/inference/ModelInferRequest.js';
import type { ModelInferResponse__Output as ModelInferResponse } from '../../proto/gen/inference/ModelInferResponse.js';
import { invalidField, quote } from '../platform/errors.js';
import { messageBytesMax } from '../platform/server.js';
import { HttpError } from './http-error.js';

const parameters = z.record(z.string(), z.union([z.boolean(), z.number(), z.string()])).default({});

const inferBody = z.strictObject({
  id: z.string().default(''),
  parameters,
  inputs: z.array(
    z.strictObject({
      name: z.string(),
      shape: z.array(z.int()),
      datatype: z.string(),
      parameters,
      // Checked by hand: it may hold millions of numbers.
      data: z.unknown(),
    }),
  ),
  outputs: z.array(z.strictObject({ name: z.string(), parameters })).default([]),
});

type Parameters = z.output<typeof parameters>;

const bytesPerElement = 4;
const isBigEndian = endianness() === 'BE';

/** Room in a message for all that is not a tensor. */
const overheadBytes = 64 * 1024;

/** The body of an `infer` as the message of the gRPC method. */
export function toInferRequest(modelName: string, modelVersion: string, body: unknown): ModelInferRequest {
  const parsed = inferBody.safeParse(body);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`);
    throw new HttpError(400, `The request is not as the protocol has it. ${issues.join('; ')}.`);
  }
  const { id, inputs, outputs, parameters } = parsed.data;
  const rawInputContents = inputs.map((input, i) => {
    if (input.datatype !== 'FP32') {
      const description = `Inference input ${quote(input.name)} has datatype ${quote(input.datatype)}, but only FP32 can be sent.`;
      throw invalidField(`inputs[${i}].datatype`, description);
    }
    return toBytes(flatten(input.data, input.shape, `inputs[${i}].data`));
  });
  const sizeBytes = rawInputContents.reduce((sum, bytes) => sum + bytes.length, 0);
  if (sizeBytes > messageBytesMax - overheadBytes) {
    throw new HttpError(413, `The tensors have ${sizeBytes} bytes, but a request may have ${messageBytesMax}.`);
  }
  return {
    modelName,
    modelVersion,
    id,
    parameters: toParameters(parameters),
    inputs: inputs.map(({ name, datatype, shape, parameters }) => ({
      name,
      datatype,
      shape,
      parameters: toParameters(parameters),
    })),
    outputs: outputs.map(({ name, parameters }) => ({ name, parameters: toParameters(parameters) })),
    rawInputContents,
  };
}

/** The answer as the protocol's JSON, tensors flat. */
export function toInferBody(response: ModelInferResponse) {
  const { modelName, modelVersion, id, outputs, rawOutputContents } = response;
  return {
    model_name: modelName,
    model_version: modelVersion,
    ...(id === '' ? {} : { id }),
    outputs: outputs.map(({ name, datatype, shape }, i) => ({
      name,
      datatype,
      shape,
      data: toNumbers(rawOutputContents[i]!, name),
    })),
  };
}

/** Of the binary tensor extension; `false` asks for JSON, which is all there is. */
const binaryParameters = new Set(['binary_data', 'binary_data_output']);

function toParameters(parameters: Parameters): NonNullable<ModelInferRequest['parameters']> {
  const others = Object.entries(parameters).filter(([name, value]) => {
    const isBinary = binaryParameters.has(name);
    if (isBinary && value !== false) {
      const description = `Expected \`${name}\` to be false but received ${quote(value)}: tensors go as JSON only.`;
      throw invalidField(`parameters.${name}`, description);
    }
    return !isBinary;
  });
  return Object.fromEntries(
    others.map(([name, value]) => {
      if (typeof value === 'boolean') {
        return [name, { boolParam: value }];
      }
      if (typeof value === 'string') {
        return [name, { stringParam: value }];
      }
      return [name, Number.isSafeInteger(value) ? { int64Param: value } : { doubleParam: value }];
    }),
  );
}

/** Elements in row-major order from a flat array, or from arrays nested as the shape says. */
function flatten(data: unknown, shape: number[], field: string): Float32Array {
  if (!Array.isArray(data)) {
    throw invalidField(field, `Expected \`${field}\` to be an array but received ${quote(data)}.`);
  }
  const elements: unknown[] = [];
  if (Array.isArray(data[0])) {
    gather(data, shape, field, elements);
  } else {
    const count = shape.reduce((product, size) => product * size, 1);
    if (data.length !== count) {
      const description = `Expected \`${field}\` to have ${count} elements for shape ${quote(shape)} but received ${data.length}.`;
      throw invalidField(field, description);
    }
  }
  return toFloats(Array.isArray(data[0]) ? elements : data, field);
}

function gather(data: unknown, [size, ...inner]: number[], field: string, elements: unknown[]): void {
  if (!Array.isArray(data) || data.length !== size) {
    const received = Array.isArray(data) ? `${data.length} elements` : quote(data);
    throw invalidField(
      field,
      `Expected \`${field}\` to be an array of ${size ?? 0} elements but received ${received}.`,
    );
  }
  if (inner.length === 0) {
    for (const element of data) {
      elements.push(element);
    }
    return;
  }
  for (let i = 0; i < data.length; i++) {
    gather(data[i], inner, `${field}[${i}]`, elements);
  }
}

function toFloats(elements: unknown[], field: string): Float32Array {
  const floats = new Float32Array(elements.length);
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i];
    floats[i] = element as number;
    if (typeof element !== 'number' || !Number.isFinite(floats[i]!)) {
      throw invalidField(
        field,
        `Expected element ${i} of \`${field}\` to be an FP32 number but received ${quote(element)}.`,
      );
    }
  }
  return floats;
}

function toBytes(floats: Float32Array): Buffer {
  const bytes = Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
  return isBigEndian ? bytes.swap32() : bytes;
}

function toNumbers(bytes: Buffer, name: string): number[] {
  const numbers = new Array<number>(bytes.length / bytesPerElement);
  for (let i = 0; i < numbers.length; i++) {
    const number = bytes.readFloatLE(i * bytesPerElement);
    if (!Number.isFinite(number)) {
      const message = `Output '${name}' holds ${number}, which JSON cannot express. Ask for it by gRPC.`;
      throw new HttpError(422, message);
    }
    numbers[i] = number;
  }
  return numbers;
}
