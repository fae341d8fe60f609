import { z } from 'zod';
import type { ModelInferRequest } from '../../proto/gen/inference/ModelInferRequest.js';
import type { ModelInferResponse__Output as ModelInferResponse } from '../../proto/gen/inference/ModelInferResponse.js';
import type { ModelMetadataResponse__Output as ModelMetadata } from '../../proto/gen/inference/ModelMetadataResponse.js';
import { invalidField, quote } from '../platform/errors.js';
import { bounded } from './bounded.js';
import { HttpError } from './http-error.js';
import { BinaryTensors, type InferBody } from './infer-body.js';
import { fromParameters, type InferParameters, parameters, toParameters } from './parameters-rpc.js';
import { check } from './routes.js';
import { checkSize, elementBytes, toJsonText, toRaw } from './tensor-data.js';

const tensorsMax = 1_000;
const dimensionsMax = 64;

export const inferRequest = z.strictObject({
  id: z.string().default(''),
  parameters,
  inputs: bounded(
    z.array(
      z.strictObject({
        name: z.string(),
        shape: bounded(z.array(z.int().nonnegative()), dimensionsMax),
        datatype: z.string(),
        parameters,
        data: z.unknown().optional().meta({
          type: 'array',
          description:
            'Elements, flat in row-major order or nested as the shape says. INT64 and UINT64 may be text. Absent: the tensor goes as binary data, or lies in shared memory.',
        }),
      }),
    ),
    tensorsMax,
  ),
  outputs: bounded(z.array(z.strictObject({ name: z.string(), parameters })), tensorsMax).default([]),
});

export type InferRequest = z.output<typeof inferRequest>;
type Input = InferRequest['inputs'][number];

const answerParameters = z.record(z.string(), z.union([z.boolean(), z.number(), z.string()])).optional();

export const inferAnswer = z.object({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  parameters: answerParameters,
  outputs: z.array(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.int()),
      parameters: answerParameters,
      data: z.array(z.union([z.boolean(), z.number(), z.string()])).optional(),
    }),
  ),
});

/** An inference as the gRPC method takes it, and what it does not need to know. */
export interface Inference {
  message: ModelInferRequest;
  isBinary(output: string): boolean;
}

/** What JSON's form has in parameters and gRPC's does not. */
const binarySize = 'binary_data_size';
const binaryOutput = 'binary_data';
const binaryOutputs = 'binary_data_output';

/** @param bytesMax of all tensors together */
export function toInference(
  model: { name: string; version: string },
  { json, binary }: InferBody,
  bytesMax: number,
): Inference {
  const { id, inputs, outputs, parameters } = check(inferRequest, json?.value);
  const tensors = new BinaryTensors(binary);
  const rawInputContents: Buffer[] = [];
  let sizeBytes = 0;
  for (const [i, input] of inputs.entries()) {
    const raw = rawOf(input, `inputs[${i}]`, tensors, bytesMax - sizeBytes);
    if (raw) {
      sizeBytes += raw.length;
      rawInputContents.push(raw);
    }
  }
  tensors.end();
  checkSize(sizeBytes, bytesMax);
  const isBinaryByDefault = truth(parameters, binaryOutputs, 'parameters') ?? false;
  const kinds = new Map(
    outputs.map(({ name, parameters }, i) => [name, truth(parameters, binaryOutput, `outputs[${i}].parameters`)]),
  );
  const message = {
    modelName: model.name,
    modelVersion: model.version,
    id,
    parameters: toParameters(without(parameters, binaryOutputs)),
    inputs: inputs.map(({ name, datatype, shape, parameters }) => ({
      name,
      datatype,
      shape,
      parameters: toParameters(without(parameters, binarySize)),
    })),
    outputs: outputs.map(({ name, parameters }) => ({
      name,
      parameters: toParameters(without(parameters, binaryOutput)),
    })),
    rawInputContents,
  };
  return { message, isBinary: (output) => kinds.get(output) ?? isBinaryByDefault };
}

/** Null for a tensor in shared memory. */
function rawOf(input: Input, field: string, tensors: BinaryTensors, bytesMax: number): Buffer | null {
  const { datatype, shape, data, parameters } = input;
  const isShared = parameters.shared_memory_region !== undefined;
  const isBinary = parameters[binarySize] !== undefined;
  if (Number(data !== undefined) + Number(isShared) + Number(isBinary) !== 1) {
    const description = `Expected \`${field}\` to have one of \`data\`, \`parameters.${binarySize}\` and \`parameters.shared_memory_region\`.`;
    throw invalidField(`${field}.data`, description);
  }
  if (isShared) {
    return null;
  }
  return isBinary
    ? tensors.take(parameters[binarySize], `${field}.parameters.${binarySize}`)
    : toRaw(datatype, shape, data, `${field}.data`, bytesMax);
}

function truth(parameters: InferParameters, name: string, field: string): boolean | null {
  const value = parameters[name];
  if (value !== undefined && typeof value !== 'boolean') {
    const description = `Expected \`${field}.${name}\` to be true or false but received ${quote(value)}.`;
    throw invalidField(`${field}.${name}`, description);
  }
  return value ?? null;
}

function without(parameters: InferParameters, name: string): InferParameters {
  const { [name]: _, ...others } = parameters;
  return others;
}

const lengthBytes = 4;

/**
 * A body that is nothing but the one input of a model, whose shape follows from its size. BYTES is one element without its
 * length.
 */
export function toRawInference(version: string, { name, inputs }: ModelMetadata, bytes: Buffer): Inference {
  const [input, ...others] = inputs;
  if (!input || others.length > 0) {
    const message = `A request without JSON needs a model with one input, but '${name}' has ${inputs.length}.`;
    throw new HttpError(400, message);
  }
  const raw = input.datatype === 'BYTES' ? withLength(bytes) : bytes;
  const message = {
    modelName: name,
    modelVersion: version,
    inputs: [{ name: input.name, datatype: input.datatype, shape: fittingShape(input, bytes.length) }],
    rawInputContents: [raw],
  };
  return { message, isBinary: () => true };
}

function withLength(bytes: Buffer): Buffer {
  const element = Buffer.allocUnsafe(lengthBytes + bytes.length);
  element.writeUInt32LE(bytes.length);
  element.set(bytes, lengthBytes);
  return element;
}

/** The last size that is open takes what there is; others, and all of BYTES, are 1. */
function fittingShape({ name, datatype, shape }: ModelMetadata['inputs'][number], sizeBytes: number): number[] {
  const open = shape.lastIndexOf(-1);
  const rest = shape.reduce((product, size) => product * Math.abs(size), elementBytes(datatype) ?? sizeBytes);
  const size = sizeBytes / rest;
  if (open >= 0 ? !Number.isInteger(size) : size !== 1) {
    const message = `Expected a body of ${open >= 0 ? 'a multiple of ' : ''}${rest} bytes for input '${name}' but received ${sizeBytes}.`;
    throw new HttpError(400, message);
  }
  return shape.map((given, i) => (given >= 0 ? given : i === open ? size : 1));
}

/** An answer as it goes over HTTP: JSON, and behind it the tensors that were asked for as binary data. */
export interface InferAnswer {
  json: string;
  /** Empty: the answer is JSON alone. */
  binary: Buffer[];
  hasBinary: boolean;
}

export function toInferAnswer(response: ModelInferResponse, isBinary: Inference['isBinary']): InferAnswer {
  const { modelName, modelVersion, id, outputs, rawOutputContents } = response;
  const binary: Buffer[] = [];
  let hasBinary = false;
  const texts = outputs.map(({ name, datatype, shape, parameters: given }, i) => {
    const parameters: InferParameters = fromParameters(given);
    const bytes = rawOutputContents[i] ?? Buffer.alloc(0);
    const isShared = parameters.shared_memory_region !== undefined;
    if (!isShared && isBinary(name)) {
      hasBinary = true;
      binary.push(bytes);
      return JSON.stringify({ name, datatype, shape, parameters: { ...parameters, [binarySize]: bytes.length } });
    }
    const text = JSON.stringify({ name, datatype, shape, ...unlessEmpty(parameters) });
    return isShared ? text : `${text.slice(0, -1)},"data":${toJsonText(datatype, bytes, name)}}`;
  });
  const head = JSON.stringify({
    model_name: modelName,
    model_version: modelVersion,
    ...(id === '' ? {} : { id }),
    ...unlessEmpty(fromParameters(response.parameters)),
  });
  return { json: `${head.slice(0, -1)},"outputs":[${texts.join(',')}]}`, binary, hasBinary };
}

function unlessEmpty(parameters: InferParameters): { parameters?: InferParameters } {
  return Object.keys(parameters).length === 0 ? {} : { parameters };
}
