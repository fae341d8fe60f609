import { addon, type NetworkHandle, type QuantizedNetworkHandle } from './addon.js';
import { invalidArgument } from './engine-error.js';
import type { QuantizationOptions } from './spec.js';

/**
 * A network in reduced precision, made by `Network.quantize`, for prediction only. Every method throws EngineError:
 * INVALID_ARGUMENT for a wrong argument, FAILED_PRECONDITION after `dispose`.
 */
export class QuantizedNetwork {
  /** Memory of its weights, scales and biases. */
  readonly bytes: number;
  readonly #handle: QuantizedNetworkHandle;

  private constructor(network: NetworkHandle, options: QuantizationOptions) {
    this.#handle = new addon.QuantizedNetworkHandle(network, options);
    this.bytes = this.#handle.bytes();
  }

  /** For network.ts only. */
  static create(network: NetworkHandle, options: QuantizationOptions): QuantizedNetwork {
    return new QuantizedNetwork(network, options);
  }

  /**
   * input [rows, inputs] to [rows, outputs], on the spot. A row's answer does not depend on the rows beside it. In int8 a
   * row that holds NaN or an infinity is answered by NaN.
   */
  predict(input: Float32Array, rows: number): Float32Array {
    return QuantizedNetwork.#of(this).predict(input, rows);
  }

  /** The same off the event loop. `input` is copied before this returns. */
  async predictAsync(input: Float32Array, rows: number): Promise<Float32Array> {
    return QuantizedNetwork.#of(this).predictAsync(input, rows);
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
