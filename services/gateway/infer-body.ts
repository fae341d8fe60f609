import type { IncomingHttpHeaders } from 'node:http';
import { HttpError } from './http-error.js';
import { parseJson } from './json.js';

export const headerLengthName = 'inference-header-content-length';

/** Body of an inference: JSON, and behind it the tensors that go as binary data. */
export interface InferBody {
  /** Null: the body is one tensor and nothing else ("raw binary request"). */
  json: { value: unknown } | null;
  /** Of the body, not copied; null without the header of the extension. */
  binary: Buffer | null;
}

/** Parts a body as the binary tensor data extension has it. */
export function splitBody(headers: IncomingHttpHeaders, body: Buffer): InferBody {
  const header = headers[headerLengthName];
  if (header === undefined) {
    return { json: { value: parseJson(body) }, binary: null };
  }
  const length = Number(header);
  if (!/^\d+$/.test(String(header)) || length > body.length) {
    const message = `Expected \`Inference-Header-Content-Length\` to be the bytes of JSON, from 0 to ${body.length} in this body, but received ${JSON.stringify(header)}.`;
    throw new HttpError(400, message);
  }
  return {
    json: length === 0 ? null : { value: parseJson(body.subarray(0, length)) },
    binary: body.subarray(length),
  };
}

/** Takes the tensors that go as binary data out of the body, one after another. */
export class BinaryTensors {
  #offset = 0;

  constructor(private readonly binary: Buffer | null) {}

  /** @param field where the size stands, for messages */
  take(sizeBytes: unknown, field: string): Buffer {
    if (this.binary === null) {
      throw new HttpError(
        400,
        `\`${field}\` needs the header \`Inference-Header-Content-Length\`, which is not there.`,
      );
    }
    const left = this.binary.length - this.#offset;
    if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > left) {
      const message = `Expected \`${field}\` to be a number of bytes, of which ${left} are left in the body, but received ${sizeBytes}.`;
      throw new HttpError(400, message);
    }
    this.#offset += sizeBytes;
    return this.binary.subarray(this.#offset - sizeBytes, this.#offset);
  }

  end(): void {
    const left = (this.binary?.length ?? 0) - this.#offset;
    if (left > 0) {
      throw new HttpError(400, `The body has ${left} bytes behind the tensors that \`binary_data_size\` tells of.`);
    }
  }
}
