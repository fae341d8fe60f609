import type { GraphDatatype, GraphStep, PredictionGraphSpec } from '../../../native/index.js';
import { BrokenArtifact } from '../model-files.js';
import { elementCount, type NumberDatatype, type Rows } from './value.js';

const engineDatatype: Record<NumberDatatype, GraphDatatype> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  BF16: 'bfloat16',
  FP32: 'float32',
  FP64: 'float64',
};

/** Numbers that are spread over columns, so that a small file cannot become a very large one in memory. */
const spreadNumbersMax = 2 ** 26;

/** Collects what the engine is to do while the operators of a model are read one by one. */
export class StepList {
  readonly #inputs: PredictionGraphSpec['inputs'] = [];
  readonly #steps: GraphStep[] = [];
  #spreadNumbers = 0;

  /** All inputs come before the first step. */
  addInput(datatype: NumberDatatype, shape: readonly number[]): Rows {
    this.#inputs.push({ datatype: engineDatatype[datatype], columns: elementCount(shape) });
    return { kind: 'rows', datatype, shape, value: this.#inputs.length - 1 };
  }

  /** Float32 rows of another shape than what the step reads. */
  add(step: GraphStep, shape: readonly number[]): Rows {
    this.#steps.push(step);
    const value = this.#inputs.length + this.#steps.length - 1;
    return { kind: 'rows', datatype: 'FP32', shape, value };
  }

  cast(rows: Rows, to: NumberDatatype): Rows {
    const step: GraphStep = { type: 'cast', inputs: [rows.value], to: engineDatatype[to] };
    return { ...this.add(step, rows.shape), datatype: to };
  }

  /** Counts numbers that were spread from a smaller constant. */
  countSpread(numbers: number): void {
    this.#spreadNumbers += numbers;
    if (this.#spreadNumbers > spreadNumbersMax) {
      throw new BrokenArtifact(`model.onnx: its constants spread to more than ${spreadNumbersMax} numbers`);
    }
  }

  get hasInputs(): boolean {
    return this.#inputs.length > 0;
  }

  spec(outputs: number[]): PredictionGraphSpec {
    return { inputs: this.#inputs, steps: this.#steps, outputs };
  }
}
