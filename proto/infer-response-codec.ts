import type { InferParameter } from './gen/inference/InferParameter.js';
import { MessagePieces } from './message-pieces.js';

/** `ModelInferResponse` as a server makes it: tensors are raw, one entry of `rawOutputContents` for each output. */
export interface InferResponse {
  modelName: string;
  modelVersion: string;
  id: string;
  parameters?: Record<string, InferParameter>;
  outputs: InferOutput[];
  rawOutputContents: Uint8Array[];
}

export interface InferOutput {
  name: string;
  datatype: string;
  shape: number[];
  parameters?: Record<string, InferParameter>;
}

export function writeInferResponse(response: InferResponse): MessagePieces {
  return new MessagePieces(responsePieces(response));
}

/** `ModelStreamInferResponse`: an answer, or the message of an error. */
export interface StreamResponse {
  errorMessage?: string;
  inferResponse?: InferResponse | null;
}

export function writeStreamResponse({ errorMessage = '', inferResponse }: StreamResponse): MessagePieces {
  const head = new FieldWriter();
  head.text(1, errorMessage);
  if (!inferResponse) {
    return new MessagePieces([head.toBuffer()]);
  }
  const pieces = responsePieces(inferResponse);
  head.begin(2, new MessagePieces(pieces).byteLength);
  return new MessagePieces([head.toBuffer(), ...pieces]);
}

function responsePieces(response: InferResponse): Uint8Array[] {
  let fields = new FieldWriter();
  fields.text(1, response.modelName);
  fields.text(2, response.modelVersion);
  fields.text(3, response.id);
  fields.parameters(4, response.parameters);
  for (const output of response.outputs) {
    fields.message(5, outputBytes(output));
  }
  const pieces: Uint8Array[] = [];
  for (const tensor of response.rawOutputContents) {
    fields.begin(6, tensor.length);
    pieces.push(fields.toBuffer(), tensor);
    fields = new FieldWriter();
  }
  return pieces.length > 0 ? pieces : [fields.toBuffer()];
}

/** Names, datatypes and shapes differ little from answer to answer. */
const outputs = new Map<string, Buffer>();
const outputsMax = 1_000;

function outputBytes(output: InferOutput): Buffer {
  if (output.parameters) {
    return encodeOutput(output);
  }
  const key = `${output.datatype} ${output.shape.join()} ${output.name}`;
  let bytes = outputs.get(key);
  if (!bytes) {
    bytes = encodeOutput(output);
    if (outputs.size >= outputsMax) {
      outputs.clear();
    }
    outputs.set(key, bytes);
  }
  return bytes;
}

function encodeOutput({ name, datatype, shape, parameters }: InferOutput): Buffer {
  const writer = new FieldWriter();
  writer.text(1, name);
  writer.text(2, datatype);
  const packed = new FieldWriter();
  for (const size of shape) {
    packed.varint(size);
  }
  writer.message(3, packed.toBuffer());
  writer.parameters(4, parameters);
  return writer.toBuffer();
}

/** The small fields of a message, before it is known how long it will be. */
class FieldWriter {
  #bytes = Buffer.allocUnsafe(256);
  size = 0;

  #reserve(length: number): void {
    if (this.size + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * (this.size + length));
      this.#bytes.copy(larger, 0, 0, this.size);
      this.#bytes = larger;
    }
  }

  /** Proto3 leaves out what is empty. */
  text(field: number, value: string): void {
    if (value !== '') {
      this.begin(field, Buffer.byteLength(value));
      this.#reserve(3 * value.length);
      this.size += this.#bytes.write(value, this.size);
    }
  }

  /** The head of a field whose bytes follow. */
  begin(field: number, length: number): void {
    this.#reserve(12);
    this.#tag(field, 2);
    this.varint(length);
  }

  message(field: number, bytes: Uint8Array): void {
    this.begin(field, bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.size);
    this.size += bytes.length;
  }

  parameters(field: number, parameters: Record<string, InferParameter> | undefined): void {
    for (const name in parameters) {
      const entry = new FieldWriter();
      entry.text(1, name);
      entry.message(2, parameterBytes(parameters[name]!));
      this.message(field, entry.toBuffer());
    }
  }

  bool(field: number, value: boolean): void {
    this.#reserve(12);
    this.#tag(field, 0);
    this.varint(value ? 1 : 0);
  }

  integer(field: number, value: bigint): void {
    this.#reserve(24);
    this.#tag(field, 0);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#bytes[this.size++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.size++] = Number(rest);
  }

  double(field: number, value: number): void {
    this.#reserve(12);
    this.#tag(field, 1);
    this.size = this.#bytes.writeDoubleLE(value, this.size);
  }

  varint(value: number): void {
    this.#reserve(10);
    this.size = writeVarint(this.#bytes, value, this.size);
  }

  #tag(field: number, wireType: number): void {
    this.#bytes[this.size++] = (field << 3) | wireType;
  }

  toBuffer(): Buffer {
    return this.#bytes.subarray(0, this.size);
  }
}

function parameterBytes(value: InferParameter): Buffer {
  const writer = new FieldWriter();
  if (value.boolParam != null) {
    writer.bool(1, value.boolParam);
  } else if (value.int64Param != null) {
    writer.integer(2, BigInt(value.int64Param.toString()));
  } else if (value.stringParam != null) {
    // A member of a oneof is written even where it is empty.
    writer.message(3, Buffer.from(value.stringParam));
  } else if (value.doubleParam != null) {
    writer.double(4, Number(value.doubleParam));
  } else if (value.uint64Param != null) {
    writer.integer(5, BigInt(value.uint64Param.toString()));
  }
  return writer.toBuffer();
}

/** Non-negative, up to 2^53. */
function writeVarint(bytes: Buffer, value: number, offset: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}
