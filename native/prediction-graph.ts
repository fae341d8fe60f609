import { addon, type PredictionGraphHandle } from './addon.js';
import { keepInPlace } from './arrays-in-place.js';
import { invalidArgument } from './engine-error.js';
import type { Activation } from './spec.js';

/** Of tensors that go in and come out. A bool is a byte; float16 is IEEE 754 binary16, bfloat16 the upper half of a float32. */
export type GraphDatatype =
  | 'bool'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float16'
  | 'bfloat16'
  | 'float32'
  | 'float64';

/**
 * Reads values, in `inputs`, and makes the next. Values are numbered: those of the graph's inputs first, then one for each
 * step. All but concatenate and cast take and make float32. Weights are copied when the graph is made.
 */
export type GraphStep =
  /**
   * activation(x * kernel + bias [units]); the kernel is [in, units], or [units, in] where `transposed`; an elementwise
   * activation with its default parameter.
   */
  | {
      type: 'dense';
      inputs: [number];
      units: number;
      kernel: Float32Array;
      transposed: boolean;
      bias: Float32Array | null;
      activation: Activation;
    }
  /** `parameter` is leakyRelu's slope or elu's alpha; others ignore it. */
  | { type: 'activation'; inputs: [number]; activation: Activation; parameter: number }
  /** x < 0 ? alpha * x : x, by column. */
  | { type: 'prelu'; inputs: [number]; alpha: Float32Array }
  /** x * factor + summand, by column. */
  | { type: 'scale'; inputs: [number]; factor: Float32Array; summand: Float32Array }
  /** Bounds may be infinite. NaN passes. */
  | { type: 'clip'; inputs: [number]; lowest: number; highest: number }
  /** Of two values of as many columns, or of one and, by column, `operand`: on its left where `reversed`. */
  | { type: 'arithmetic'; operation: ArithmeticOperation; inputs: [number, number]; operand: null; reversed: false }
  | { type: 'arithmetic'; operation: ArithmeticOperation; inputs: [number]; operand: Float32Array; reversed: boolean }
  /** Each row of each value is `blocks` blocks: the first of each, then the second of each, and so on. Of one datatype. */
  | { type: 'concatenate'; inputs: number[]; blocks: number }
  /** The rules are in engine/conversion.h. */
  | { type: 'cast'; inputs: [number]; to: GraphDatatype };

export type ArithmeticOperation = 'add' | 'subtract' | 'multiply' | 'divide';

export interface PredictionGraphSpec {
  inputs: { datatype: GraphDatatype; columns: number }[];
  steps: GraphStep[];
  /** Values. */
  outputs: number[];
}

/**
 * A graph of steps over rows, for prediction only: several inputs and outputs of any datatype, branches that meet. Tensors
 * are bytes, little-endian and row-major, which may begin anywhere. Nothing is fused or folded: a step does what it says.
 * Every method throws EngineError: INVALID_ARGUMENT for a wrong argument, FAILED_PRECONDITION after `dispose`.
 */
export class PredictionGraph {
  /** Memory of its weights. */
  readonly bytes: number;
  /** Multiplications and additions of one row. */
  readonly multiplyAdds: number;
  readonly #handle: PredictionGraphHandle;

  private constructor(spec: PredictionGraphSpec) {
    this.#handle = new addon.PredictionGraphHandle(spec);
    this.bytes = this.#handle.bytes();
    this.multiplyAdds = this.#handle.multiplyAdds();
  }

  static create(spec: PredictionGraphSpec): PredictionGraph {
    return new PredictionGraph(spec);
  }

  /** One array an output, on the spot. A row's answer does not depend on the rows beside it. */
  predict(inputs: readonly Uint8Array[], rows: number): Uint8Array[] {
    return PredictionGraph.#of(this).predict([...inputs], rows);
  }

  /** The same off the event loop. The inputs must not change meanwhile; their buffers are marked as untransferable. */
  async predictAsync(inputs: readonly Uint8Array[], rows: number): Promise<Uint8Array[]> {
    const handle = PredictionGraph.#of(this);
    const arrays = [...inputs];
    keepInPlace(arrays.map((array, index) => [`inputs[${index}]`, array]));
    return handle.predictAsync(arrays, rows);
  }

  /** Frees the weights now, or when the last prediction under way has ended. A second call does nothing. */
  dispose(): void {
    PredictionGraph.#of(this).dispose();
  }

  static #of(graph: PredictionGraph): PredictionGraphHandle {
    if (typeof graph === 'object' && graph !== null && #handle in graph) return graph.#handle;
    throw invalidArgument('graph', 'Expected a PredictionGraph.');
  }
}
