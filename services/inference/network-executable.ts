import type { Executable } from './executable.js';
import type { TensorSpec } from './tensor.js';

/** What of the engine's `Network` is used. */
export interface PredictingNetwork {
  /** Answers on this thread, from and into bytes that may begin anywhere. */
  predictInto(input: Uint8Array, rows: number, output: Uint8Array): void;
  /** The same from another thread. */
  predictIntoAsync(input: Uint8Array, rows: number, output: Uint8Array): Promise<void>;
  dispose(): void;
}

export interface NetworkDescription {
  input: { name: string; width: number };
  output: { name: string; width: number };
  /** Multiplications and additions of one row. */
  rowWork: number;
  sizeBytes: number;
}

/** A network of the engine: one FP32 matrix in, one out. */
export class NetworkExecutable implements Executable {
  readonly platform = 'millrace_dense';
  readonly inputs: readonly [TensorSpec];
  readonly outputs: readonly [TensorSpec];
  readonly rowWork: number;
  readonly sizeBytes: number;
  readonly #outputBytes: number;

  constructor(
    private readonly network: PredictingNetwork,
    { input, output, rowWork, sizeBytes }: NetworkDescription,
  ) {
    this.inputs = [{ name: input.name, datatype: 'FP32', shape: [input.width] }];
    this.outputs = [{ name: output.name, datatype: 'FP32', shape: [output.width] }];
    this.rowWork = rowWork;
    this.sizeBytes = sizeBytes;
    this.#outputBytes = Float32Array.BYTES_PER_ELEMENT * output.width;
  }

  execute([input]: readonly Uint8Array[], rows: number): Uint8Array[] {
    const output = this.#output(rows);
    this.network.predictInto(input!, rows, output);
    return [output];
  }

  async executeAsync([input]: readonly Uint8Array[], rows: number): Promise<Uint8Array[]> {
    const output = this.#output(rows);
    await this.network.predictIntoAsync(input!, rows, output);
    return [output];
  }

  #output(rows: number): Uint8Array {
    return Buffer.allocUnsafe(rows * this.#outputBytes);
  }

  dispose(): void {
    this.network.dispose();
  }
}

/** Numbers as they travel, where the machine has them so: the engine runs on little-endian machines only. */
export function toBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

export function toFloats(bytes: Uint8Array): Float32Array {
  if (bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / Float32Array.BYTES_PER_ELEMENT);
  }
  // A view must begin at a multiple of 4, and where a field begins in a message is chance.
  return new Float32Array(new Uint8Array(bytes).buffer);
}
