import { addon, type NetworkHandle } from './addon.js';
import { given, keepInPlace } from './arrays-in-place.js';
import { invalidArgument } from './engine-error.js';
import { expectNoOthers, fromTensors, tensorOf, toTensors } from './parameter-tensors.js';
import { QuantizedNetwork } from './quantized-network.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import { readTensorEntries } from './safetensors-file.js';
import type { Float32Bytes, NetworkSpec, QuantizationOptions } from './spec.js';

let handleOf: (network: Network) => NetworkHandle;

/** For trainer.ts only. */
export function networkHandle(network: Network): NetworkHandle {
  return handleOf(network);
}

/**
 * A network with its weights. Every method throws EngineError: INVALID_ARGUMENT for a wrong argument,
 * FAILED_PRECONDITION after `dispose` or while a training is writing the weights.
 */
export class Network {
  readonly spec: NetworkSpec;
  readonly inputs: number;
  readonly outputs: number;
  readonly parameterCount: number;
  /** Memory of the weights that predictions read. */
  readonly sizeBytes: number;
  /** Multiplications, each with its addition, that one row takes. */
  readonly rowWork: number;
  readonly #handle: NetworkHandle;

  static {
    handleOf = (network) => Network.#of(network);
  }

  private constructor(spec: NetworkSpec, handle: NetworkHandle) {
    this.#handle = handle;
    this.spec = frozen(structuredClone(spec));
    this.inputs = spec.inputs;
    this.outputs = this.#handle.outputs();
    this.parameterCount = this.#handle.parameterCount();
    this.sizeBytes = this.#handle.bytes();
    this.rowWork = this.#handle.multiplyAdds();
  }

  /** Draws the weights from `seed` (0 to 2^53 - 1): the same numbers on every machine. */
  static create(spec: NetworkSpec, seed: number): Network {
    return new Network(spec, new addon.NetworkHandle(spec, seed));
  }

  /** Refuses wrong shapes and types, truncated files and numbers that are not finite, naming tensor and position. */
  static fromSafetensors(spec: NetworkSpec, bytes: Uint8Array): Network {
    const { tensors } = readSafetensors(bytes);
    const network = Network.create(spec, 0);
    try {
      const shapes = network.#handle.tensors();
      expectNoOthers(shapes, tensors, ['']);
      network.#handle.setParameters(fromTensors(shapes, tensors, ''));
    } catch (error) {
      network.dispose();
      throw error;
    }
    return network;
  }

  /**
   * The same from a file, off the event loop. Weights are packed for prediction, which is memory of this process's own unless
   * `preparedPath` (default null) names a file for the result: it is made when it is missing, damaged, or of another source,
   * and mapped, so that all processes that open both paths share one copy in memory. A network so opened can be trained: what
   * it changes becomes its own. Refused with FAILED_PRECONDITION where that file cannot be written.
   *
   * Either file may be replaced by renaming or removed, but not written to or cut short: cut while a network uses it, the
   * system would end the process with SIGBUS. Keep them in a folder of the server's own.
   */
  static async openSafetensors(
    spec: NetworkSpec,
    path: string,
    { preparedPath = null }: { preparedPath?: string | null } = {},
  ): Promise<Network> {
    // What is awaited must not see a spec that changes.
    const fixed = structuredClone(spec);
    const shapes = addon.tensorsOf(fixed);
    const tensors = await readTensorEntries(path);
    expectNoOthers(shapes, tensors, ['']);
    const offsets = Float64Array.from(shapes, ({ name, shape }) => tensorOf(tensors, name, shape).begin);
    return new Network(fixed, await addon.openNetwork(fixed, path, offsets, preparedPath));
  }

  /** Tensors `layers.0.kernel` [in, units], `layers.0.bias` [units] and so on. Equal networks give equal bytes. */
  toSafetensors(metadata: Record<string, string>): Uint8Array {
    const handle = Network.#of(this);
    return writeSafetensors(toTensors(handle.tensors(), handle.parameters(), ''), metadata);
  }

  /** input [rows, inputs] to [rows, outputs], on the spot. A row's answer does not depend on the rows beside it. */
  predict(input: Float32Bytes, rows: number): Float32Array {
    return Network.#of(this).predict(input, rows, null);
  }

  /** The same off the event loop. `input` is copied before this returns. */
  async predictAsync(input: Float32Bytes, rows: number): Promise<Float32Array> {
    return Network.#of(this).predictAsync(input, rows, null);
  }

  /** As `predict`, into memory of the caller's, and without copies unless `output` overlaps `input`. */
  predictInto(input: Float32Bytes, rows: number, output: Float32Bytes): void {
    Network.#of(this).predict(input, rows, given(output));
  }

  /**
   * The same off the event loop. Until it settles both arrays are kept alive, `input` must not change, and what `output` holds
   * is undefined. Their buffers can no longer be transferred; resizable ones are refused.
   */
  async predictIntoAsync(input: Float32Bytes, rows: number, output: Float32Bytes): Promise<void> {
    const handle = Network.#of(this);
    keepInPlace([
      ['input', input],
      ['output', output],
    ]);
    await handle.predictAsync(input, rows, given(output));
  }

  /**
   * A copy for prediction in reduced precision, which later training does not change. Refuses calibration rows with
   * numbers that are not finite. Takes time in proportion to the weights, and to one prediction of the calibration rows.
   */
  quantize(options: QuantizationOptions): QuantizedNetwork {
    return QuantizedNetwork.create(Network.#of(this), options);
  }

  /** Frees the weights now rather than at the next garbage collection. A second call does nothing. */
  dispose(): void {
    Network.#of(this).dispose();
  }

  static #of(network: Network): NetworkHandle {
    if (typeof network === 'object' && network !== null && #handle in network) return network.#handle;
    throw invalidArgument('network', 'Expected a Network.');
  }
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const field of Object.values(value)) frozen(field);
  return Object.freeze(value);
}
