import { addon, type NetworkHandle, type QuantizedNetworkHandle } from './addon.js';
import { given, keepInPlace } from './arrays-in-place.js';
import { invalidArgument } from './engine-error.js';
import type { Float32Bytes, QuantizationOptions } from './spec.js';

/**
 * A network in reduced precision, made by `Network.quantize`, for prediction only. Every method throws EngineError:
 * INVALID_ARGUMENT for a wrong argument, FAILED_PRECONDITION after `dispose`.
 */
export class QuantizedNetwork {
  /** Memory of its weights, scales and biases. */
  readonly sizeBytes: number;
  /** Multiplications, each with its addition, that one row takes. */
  readonly rowWork: number;
  readonly #handle: QuantizedNetworkHandle;

  private constructor(network: NetworkHandle, options: QuantizationOptions) {
    this.#handle = new addon.QuantizedNetworkHandle(network, options);
    this.sizeBytes = this.#handle.bytes();
    this.rowWork = this.#handle.multiplyAdds();
  }

  /** For network.ts only. */
  static create(network: NetworkHandle, options: QuantizationOptions): QuantizedNetwork {
    return new QuantizedNetwork(network, options);
  }

  /**
   * input [rows, inputs] to [rows, outputs], on the spot. A row's answer does not depend on the rows beside it. In int8 a
   * row that holds NaN or an infinity is answered by NaN.
   */
  predict(input: Float32Bytes, rows: number): Float32Array {
    return QuantizedNetwork.#of(this).predict(input, rows, null);
  }

  /** The same off the event loop. `input` is copied before this returns. */
  async predictAsync(input: Float32Bytes, rows: number): Promise<Float32Array> {
    return QuantizedNetwork.#of(this).predictAsync(input, rows, null);
  }

  /** As `predict`, into memory of the caller's, and without copies unless `output` overlaps `input`. */
  predictInto(input: Float32Bytes, rows: number, output: Float32Bytes): void {
    QuantizedNetwork.#of(this).predict(input, rows, given(output));
  }

  /**
   * The same off the event loop. Until it settles both arrays are kept alive, `input` must not change, and what `output` holds
   * is undefined. Their buffers can no longer be transferred; resizable ones are refused.
   */
  async predictIntoAsync(input: Float32Bytes, rows: number, output: Float32Bytes): Promise<void> {
    const handle = QuantizedNetwork.#of(this);
    keepInPlace([
      ['input', input],
      ['output', output],
    ]);
    await handle.predictAsync(input, rows, given(output));
  }

  /** Frees the weights now, or when the last prediction under way has ended. A second call does nothing. */
  dispose(): void {
    QuantizedNetwork.#of(this).dispose();
  }

  static #of(network: QuantizedNetwork): QuantizedNetworkHandle {
    if (typeof network === 'object' && network !== null && #handle in network) return network.#handle;
    throw invalidArgument('network', 'Expected a QuantizedNetwork.');
  }
}
