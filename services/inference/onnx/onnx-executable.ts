import type { PredictionGraph } from '../../../native/index.js';
import type { Executable } from '../executable.js';
import { bytesElementOffsets, type TensorSpec } from '../tensor.js';
import { elementCount, type Rows, type Texts } from './value.js';

/** The elements of one BYTES input, for all rows. */
interface TextInput {
  bytes: Uint8Array;
  offsets: readonly number[];
  /** Of one row. */
  elements: number;
}

/** A graph of another format. Numbers go through the engine; BYTES elements are copied here to where they belong. */
export class OnnxExecutable implements Executable {
  readonly platform = 'onnx_onnxv1';
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly rowWork: number;
  readonly sizeBytes: number;

  /**
   * @param values what each output is
   * @param graph makes those that are no BYTES, in their order; null if there are none
   */
  constructor(
    inputs: readonly TensorSpec[],
    outputs: readonly TensorSpec[],
    private readonly values: readonly (Rows | Texts)[],
    private readonly graph: PredictionGraph | null,
  ) {
    this.inputs = inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape }));
    this.outputs = outputs;
    this.rowWork = graph?.multiplyAdds ?? 0;
    this.sizeBytes = graph?.bytes ?? 0;
  }

  execute(inputs: readonly Uint8Array[], rows: number): Uint8Array[] {
    return this.#withTexts(inputs, rows, this.graph?.predict(this.#numbersOf(inputs), rows) ?? []);
  }

  async executeAsync(inputs: readonly Uint8Array[], rows: number): Promise<Uint8Array[]> {
    const computed = await this.graph?.predictAsync(this.#numbersOf(inputs), rows);
    return this.#withTexts(inputs, rows, computed ?? []);
  }

  dispose(): void {
    this.graph?.dispose();
  }

  #numbersOf(inputs: readonly Uint8Array[]): Uint8Array[] {
    return inputs.filter((_, index) => this.inputs[index]!.datatype !== 'BYTES');
  }

  /** All outputs in their order, given those that the engine has computed. */
  #withTexts(inputs: readonly Uint8Array[], rows: number, computed: Uint8Array[]): Uint8Array[] {
    if (computed.length === this.values.length) {
      return computed;
    }
    const texts = this.inputs.flatMap((spec, index) =>
      spec.datatype === 'BYTES' ? [textInput(spec, inputs[index]!, rows)] : [],
    );
    let next = 0;
    return this.values.map((value) => (value.kind === 'texts' ? textOutput(value, texts, rows) : computed[next++]!));
  }
}

function textInput({ name, shape }: TensorSpec, bytes: Uint8Array, rows: number): TextInput {
  const elements = elementCount(shape);
  const offsets = bytesElementOffsets(bytes, rows * elements);
  if (offsets === null) {
    throw new RangeError(`Expected input \`${name}\` to hold ${rows * elements} BYTES elements.`);
  }
  return { bytes, offsets, elements };
}

function textOutput({ elements }: Texts, inputs: readonly TextInput[], rows: number): Uint8Array {
  /** For each element of a row: its input, and its place in a row of that. */
  const sources = Array.from(elements, (element): [TextInput, number] => {
    let place = element;
    const input = inputs.find((each) => {
      const own = place < each.elements;
      place -= own ? 0 : each.elements;
      return own;
    })!;
    return [input, place];
  });
  const pieces: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    for (const [{ bytes, offsets, elements: own }, place] of sources) {
      const index = row * own + place;
      pieces.push(bytes.subarray(offsets[index]!, offsets[index + 1]!));
    }
  }
  return Buffer.concat(pieces);
}
