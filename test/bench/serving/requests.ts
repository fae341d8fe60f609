import { readFileSync } from 'node:fs';
import path from 'node:path';
import { contracts } from '../../../proto/index.js';
import { mnistFolder } from '../../support/mesh.js';

export const seedModel = 'mnist';
export const seedInputs = 784;
export const seedOutputs = 10;

const idxHeaderBytes = 16;

/** The first images of MNIST's test set as the network takes them: pixels in [0, 1]. */
export function testImages(rows: number): Float32Array {
  const bytes = readFileSync(path.join(mnistFolder, 't10k-images-idx3-ubyte'));
  const pixels = bytes.subarray(idxHeaderBytes, idxHeaderBytes + rows * seedInputs);
  return Float32Array.from(pixels, (pixel) => Math.fround(pixel / 255));
}

export const bytesOf = (values: Float32Array): Buffer =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength);

type Request = Record<string, unknown>;

/** Asks for the network's answer to `input`, rows of `width`. */
export function rawRequest(model: string, width: number, input: Float32Array): Request {
  const shape = [input.length / width, width];
  return {
    modelName: model,
    inputs: [{ name: 'input', datatype: 'FP32', shape }],
    rawInputContents: [bytesOf(input)],
  };
}

/** A region of shared memory as the input or the output of a request. */
export interface RegionPart {
  region: string;
  offset: number;
  byteSize: number;
}

/** The same with input and output in shared memory. */
export function sharedMemoryRequest(model: string, shape: number[], input: RegionPart, output: RegionPart): Request {
  return {
    modelName: model,
    inputs: [{ name: 'input', datatype: 'FP32', shape, parameters: regionParameters(input) }],
    outputs: [{ name: 'output', parameters: regionParameters(output) }],
  };
}

function regionParameters({ region, offset, byteSize }: RegionPart) {
  return {
    shared_memory_region: { stringParam: region },
    shared_memory_offset: { int64Param: offset },
    shared_memory_byte_size: { int64Param: byteSize },
  };
}

/** The request as it stands in the body of an HTTP/2 request: not compressed, its length, the message. */
export function framed(request: Request): Buffer {
  const message = contracts.inference.definition.ModelInfer!.requestSerialize(request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
