import type { Executable } from './executable.js';
import type { TensorSpec } from './tensor.js';

/** What of the engine's `Network` is used. */
export interface PredictingNetwork {
  /** Answers on this thread. */
  predict(values: Float32Array, rows: number): Float32Array;
  /** Answers from another thread. */
  predictAsync(values: Float32Array, rows: number): Promise<Float32Array>;
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

  constructor(
    private readonly network: PredictingNetwork,
    { input, output, rowWork, sizeBytes }: NetworkDescription,
  ) {
    this.inputs = [{ name: input.name, datatype: 'FP32', shape: [input.width] }];
    this.outputs = [{ name: output.name, datatype: 'FP32', shape: [output.width] }];
    this.rowWork = rowWork;
    this.sizeBytes = sizeBytes;
  }

  execute([input]: readonly Uint8Array[], rows: number): Uint8Array[] {
    return [toBytes(this.network.predict(toFloats(input!), rows))];
  }

  async executeAsync([input]: readonly Uint8Array[], rows: number): Promise<Uint8Array[]> {
    return [toBytes(await this.network.predictAsync(toFloats(input!), rows))];
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
