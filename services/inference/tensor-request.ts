import { quote, Violations } from '../platform/errors.js';
import type { LoadedVersion } from './loaded-version.js';
import { type OutputRequest, type RequestedOutput, readOutputs } from './output-request.js';
import {
  type Parameters,
  type RegionPart,
  type RequestOptions,
  readOptions,
  readTensorOptions,
} from './request-parameters.js';
import { bytesElementOffsets, isDatatype, rowBytes, rowElements, type TensorSpec } from './tensor.js';
import { type TensorContents, typedToRaw } from './typed-contents.js';

export interface InputTensor {
  name: string;
  datatype: string;
  shape: readonly number[];
  parameters: Parameters;
  contents: TensorContents | null;
}

/** An inference request of the Open Inference Protocol, as it came. */
export interface TensorRequest {
  id: string;
  parameters: Parameters;
  inputs: readonly InputTensor[];
  outputs: readonly RequestedOutput[];
  rawInputContents: readonly Uint8Array[];
}

/** Regions of shared memory. Answers a view, or refuses in words. */
export interface SharedMemory {
  bytes(part: RegionPart): Uint8Array;
  /** Refuses where the region has been cut short since `bytes`: what was read of it then may be zeros. */
  expectWhole(region: string): void;
}

/** A request that can be computed. */
export interface ReadRequest {
  rows: number;
  /** In the order of the version's inputs. */
  inputs: Uint8Array[];
  outputs: readonly OutputRequest[];
  options: RequestOptions;
  /** Of shared memory that holds inputs, or will hold outputs. */
  regions: readonly string[];
}

/** Checks a request against the version that will answer it, and takes its tensors out. All violations are told at once. */
export function readRequest(request: TensorRequest, version: LoadedVersion, memory: SharedMemory): ReadRequest {
  const violations = new Violations();
  const options = readOptions(request.parameters, violations);
  const outputs = readOutputs(request.outputs, version, violations);
  const { inputs, rows, regions } = new InputReader(request, version, memory, violations).read();
  violations.throwIfAny();
  for (const { part } of outputs) {
    if (part) {
      regions.push(part.region);
    }
  }
  return { rows, inputs, outputs, options, regions };
}

function fitsRow(shape: readonly number[], spec: TensorSpec): boolean {
  const row = spec.shape;
  for (let i = 0; i < row.length; i++) {
    if (shape[i + 1] !== row[i]) {
      return false;
    }
  }
  return shape.length === row.length + 1;
}

/** Reads the inputs of one request. */
class InputReader {
  #rows = 0;
  readonly #specs: readonly TensorSpec[];
  readonly #positions: (number | undefined)[];

  constructor(
    private readonly request: TensorRequest,
    private readonly version: LoadedVersion,
    private readonly memory: SharedMemory,
    private readonly violations: Violations,
  ) {
    this.#specs = version.executable.inputs;
    this.#positions = new Array(this.#specs.length);
  }

  read(): { inputs: Uint8Array[]; rows: number; regions: string[] } {
    this.#match();
    const parts = this.request.inputs.map(
      ({ parameters, name }) => readTensorOptions(parameters, `inputs["${name}"]`, false, this.violations).part,
    );
    const rawIndexes = this.#rawIndexes(parts);
    const inputs: Uint8Array[] = [];
    for (let i = 0; i < this.#specs.length; i++) {
      const spec = this.#specs[i]!;
      const position = this.#positions[i];
      if (position !== undefined) {
        const input = this.request.inputs[position]!;
        const rows = this.#checkTensor(input, spec);
        const bytes =
          rows === null ? null : this.#take(input, spec, rows, parts[position]!, rawIndexes?.[position] ?? null);
        if (bytes) {
          inputs.push(bytes);
        }
      }
    }
    return { inputs, rows: this.#rows, regions: parts.flatMap((part) => (part ? [part.region] : [])) };
  }

  /** Finds the input of each name. */
  #match(): void {
    const { inputs } = this.request;
    for (let position = 0; position < inputs.length; position++) {
      const { name } = inputs[position]!;
      const index = this.#specs.findIndex((spec) => spec.name === name);
      if (index < 0) {
        this.violations.add(`inputs[${position}].name`, this.#unexpected(name));
      } else if (this.#positions[index] !== undefined) {
        const description = `Expected each input once but \`inputs\` has ${quote(name)} again.`;
        this.violations.add(`inputs[${position}].name`, description);
      } else {
        this.#positions[index] = position;
      }
    }
    for (let i = 0; i < this.#specs.length; i++) {
      if (this.#positions[i] === undefined) {
        const name = quote(this.#specs[i]!.name);
        this.violations.add('inputs', `Expected input ${name} for model '${this.version.model}' but it is missing.`);
      }
    }
  }

  #unexpected(name: string): string {
    const names = this.#specs.map((spec) => quote(spec.name)).join(', ');
    const theirs = this.#specs.length === 1 ? `its only input is ${names}` : `its inputs are ${names}`;
    return `Unexpected inference input ${quote(name)} for model '${this.version.model}': ${theirs}.`;
  }

  /** Which entry of `raw_input_contents` each input of the request has; null: the request is typed, or wrong. */
  #rawIndexes(parts: readonly (RegionPart | null)[]): (number | null)[] | null {
    const { inputs, rawInputContents } = this.request;
    if (rawInputContents.length === 0) {
      return null;
    }
    if (inputs.some(({ contents }) => contents !== null)) {
      const description = 'Expected either `raw_input_contents` or `contents` of the inputs but received both.';
      this.violations.add('raw_input_contents', description);
    }
    let next = 0;
    const indexes = parts.map((part) => (part ? null : next++));
    if (next !== rawInputContents.length) {
      const description = `Expected \`raw_input_contents\` to have ${next} entries, one for each input${next < inputs.length ? ' that is not in shared memory' : ''}, but received ${rawInputContents.length}.`;
      this.violations.add('raw_input_contents', description);
      return null;
    }
    return indexes;
  }

  /** @returns the number of rows, or null when the contents need not be looked at */
  #checkTensor({ datatype, shape }: InputTensor, spec: TensorSpec): number | null {
    const { model, rowsMax } = this.version;
    const { name } = spec;
    const field = `inputs["${name}"]`;
    if (datatype !== spec.datatype) {
      const description = `Inference input '${name}' has datatype ${quote(datatype)}, but model '${model}' expects ${spec.datatype}.`;
      this.violations.add(`${field}.datatype`, description);
    }
    const rows = shape[0];
    if (!fitsRow(shape, spec) || rows === undefined || !(rows >= 1)) {
      const expected = ['rows', ...spec.shape].join(', ');
      const description = `Unexpected shape for input '${name}' for model '${model}': expected [${expected}] with 1 to ${rowsMax} rows but received ${quote(shape)}.`;
      this.violations.add(`${field}.shape`, description);
      return null;
    }
    if (rows > rowsMax) {
      const description = `Expected at most ${rowsMax} rows in a request to model '${model}' but received ${rows}.`;
      this.violations.add(`${field}.shape`, description);
      return null;
    }
    if (this.#rows !== 0 && rows !== this.#rows) {
      const description = `Expected all inputs to have as many rows but input '${name}' has ${rows} where another has ${this.#rows}.`;
      this.violations.add(`${field}.shape`, description);
      return null;
    }
    this.#rows = rows;
    return isDatatype(datatype) && datatype === spec.datatype ? rows : null;
  }

  #take(
    input: InputTensor,
    spec: TensorSpec,
    rows: number,
    part: RegionPart | null,
    rawIndex: number | null,
  ): Uint8Array | null {
    if (part) {
      return this.#checkLength(this.memory.bytes(part), `inputs["${spec.name}"].parameters`, input, spec, rows);
    }
    if (rawIndex !== null) {
      const bytes = this.request.rawInputContents[rawIndex]!;
      return this.#checkLength(bytes, `raw_input_contents[${rawIndex}]`, input, spec, rows);
    }
    if (this.request.rawInputContents.length > 0) {
      return null;
    }
    return this.#takeTyped(input, spec, rows);
  }

  #checkLength(
    bytes: Uint8Array,
    field: string,
    { shape }: InputTensor,
    spec: TensorSpec,
    rows: number,
  ): Uint8Array | null {
    const expected = rowBytes(spec);
    if (expected === null) {
      const count = rows * rowElements(spec);
      if (!bytesElementOffsets(bytes, count)) {
        const description = `Expected ${count} elements of input '${spec.name}', each after its length in 4 bytes, but ${bytes.length} bytes came that are not so many.`;
        this.violations.add(field, description);
        return null;
      }
    } else if (bytes.length !== rows * expected) {
      const description = `Expected ${rows * expected} bytes of input '${spec.name}' for shape ${quote(shape)} of ${spec.datatype} but received ${bytes.length}.`;
      this.violations.add(field, description);
      return null;
    }
    return bytes;
  }

  #takeTyped({ contents, shape }: InputTensor, spec: TensorSpec, rows: number): Uint8Array | null {
    const field = `inputs["${spec.name}"].contents`;
    if (!contents) {
      const description = `Expected \`raw_input_contents\`, or \`contents\` of input '${spec.name}', but received neither.`;
      this.violations.add(field, description);
      return null;
    }
    const bytes = typedToRaw(contents, spec.datatype, rows * rowElements(spec));
    if (typeof bytes === 'string') {
      this.violations.add(field, `${bytes}, for input '${spec.name}' of shape ${quote(shape)}.`);
      return null;
    }
    return bytes;
  }
}
