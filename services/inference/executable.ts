import type { TensorSpec } from './tensor.js';

/**
 * What computes: a network of ours, or a graph of another format. Tensors are bytes, little-endian and row-major, row after
 * row, in the order of `inputs` and `outputs`. Bytes of an input may begin anywhere.
 */
export interface Executable {
  /** As `ModelMetadata` names it: `millrace_dense`, `onnx_onnxv1`. */
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Multiplications and additions of one row. */
  readonly rowWork: number;
  /** Bytes of the weights. */
  readonly sizeBytes: number;
  /** Answers on this thread. */
  execute(inputs: readonly Uint8Array[], rows: number): Uint8Array[];
  /** As `execute`, from another thread; the inputs must not change meanwhile. */
  executeAsync(inputs: readonly Uint8Array[], rows: number): Promise<Uint8Array[]>;
  /** Frees the weights. */
  dispose(): void;
}
