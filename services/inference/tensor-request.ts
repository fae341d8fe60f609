import { endianness } from 'node:os';
import { quote, Violations } from '../platform/errors.js';
import type { LoadedVersion } from './loaded-version.js';

/** A parameter: `parameterChoice` names the one field that is set. */
export interface Parameter {
  parameterChoice?: string;
  boolParam?: boolean;
  int64Param?: number;
  stringParam?: string;
  doubleParam?: number;
  uint64Param?: number;
}
export type Parameters = Record<string, Parameter>;

export interface TensorContents {
  boolContents: readonly unknown[];
  intContents: readonly unknown[];
  int64Contents: readonly unknown[];
  uintContents: readonly unknown[];
  uint64Contents: readonly unknown[];
  fp32Contents: readonly number[];
  fp64Contents: readonly unknown[];
  bytesContents: readonly unknown[];
}

export interface InputTensor {
  name: string;
  datatype: string;
  shape: readonly number[];
  parameters: Parameters;
  contents: TensorContents | null;
}

export interface RequestedOutput {
  name: string;
  parameters: Parameters;
}

/** An inference request of the Open Inference Protocol, as it came. */
export interface TensorRequest {
  parameters: Parameters;
  inputs: readonly InputTensor[];
  outputs: readonly RequestedOutput[];
  rawInputContents: readonly Buffer[];
}

/** The network's input, row by row. */
export interface InputRows {
  values: Float32Array;
  rows: number;
}

const bytesPerElement = 4;
const isBigEndian = endianness() === 'BE';

/** Checks a request against the version that will answer it, and takes its input out. All violations are told at once. */
export function readInput(request: TensorRequest, version: LoadedVersion): InputRows {
  const violations = new Violations();
  checkParameters(request.parameters, violations);
  checkOutputs(request.outputs, version, violations);
  const input = pickInput(request.inputs, version, violations);
  const rows = input ? checkTensor(input, version, violations) : null;
  const values =
    input && rows !== null ? takeValues(request, input, rows * version.signature.input.width, violations) : null;
  violations.throwIfAny();
  if (values === null || rows === null) {
    throw new Error('a request without violations has an input');
  }
  return { values, rows };
}

/** Numbers as they travel: little-endian, without a copy where the machine has them so. */
export function toRawBytes(values: Float32Array): Buffer {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return isBigEndian ? Buffer.from(bytes).swap32() : bytes;
}

function fromRawBytes(bytes: Buffer, count: number): Float32Array {
  if (isBigEndian) {
    return new Float32Array(Uint8Array.from(Buffer.from(bytes).swap32()).buffer);
  }
  if (bytes.byteOffset % bytesPerElement === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  }
  // A view must begin at a multiple of 4, and where a field begins in a message is chance.
  const values = new Float32Array(count);
  new Uint8Array(values.buffer).set(bytes);
  return values;
}

/** Parameters of the protocol that this server knows but has no use for; their neutral value asks for nothing. */
const unsupportedParameters = new Set([
  'sequence_id',
  'sequence_start',
  'sequence_end',
  'priority',
  'timeout',
  'triton_enable_empty_final_response',
]);

function checkParameters(parameters: Parameters, violations: Violations): void {
  for (const name in parameters) {
    const field = `parameters[${quote(name)}]`;
    const value = chosenValue(parameters[name]!);
    if (!unsupportedParameters.has(name)) {
      violations.add(field, `Expected no parameter ${quote(name)}: this server knows none of that name.`);
    } else if (value !== 0 && value !== '' && value !== false) {
      const description = `Expected no parameter ${quote(name)}, or 0, "" or false for it, but received ${quote(value)}: this server does not support it.`;
      violations.add(field, description);
    }
  }
}

function chosenValue(parameter: Parameter): unknown {
  return parameter.parameterChoice ? parameter[parameter.parameterChoice as keyof Parameter] : null;
}

/** Parameters of a tensor belong to extensions that this server lacks. */
function checkTensorParameters(parameters: Parameters, field: string, violations: Violations): void {
  for (const name in parameters) {
    const known = name.startsWith('shared_memory_') ? ': shared memory is not supported' : '';
    const hint = name === 'classification' ? ': classification is not supported, ask for the tensor' : known;
    violations.add(`${field}.parameters`, `Expected no parameter ${quote(name)} at \`${field}\`${hint}.`);
  }
}

function checkOutputs(outputs: readonly RequestedOutput[], version: LoadedVersion, violations: Violations): void {
  const { name } = version.signature.output;
  for (let i = 0; i < outputs.length; i++) {
    const output = outputs[i]!;
    const field = `outputs[${i}]`;
    if (output.name !== name) {
      const description = `Unexpected inference output ${quote(output.name)} for model '${version.model}': its only output is ${quote(name)}.`;
      violations.add(`${field}.name`, description);
    } else if (i > 0) {
      violations.add(`${field}.name`, `Expected each output once but \`outputs\` names ${quote(name)} again.`);
    }
    checkTensorParameters(output.parameters, field, violations);
  }
}

function pickInput(inputs: readonly InputTensor[], version: LoadedVersion, violations: Violations): InputTensor | null {
  const { name } = version.signature.input;
  let picked: InputTensor | null = null;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i]!;
    if (input.name !== name) {
      const description = `Unexpected inference input ${quote(input.name)} for model '${version.model}': its only input is ${quote(name)}.`;
      violations.add(`inputs[${i}].name`, description);
    } else if (picked) {
      violations.add(`inputs[${i}].name`, `Expected each input once but \`inputs\` has ${quote(name)} again.`);
    } else {
      picked = input;
    }
  }
  if (!picked) {
    violations.add('inputs', `Expected input ${quote(name)} for model '${version.model}' but it is missing.`);
  }
  return picked;
}

/** @returns the number of rows, or null when the contents need not be looked at */
function checkTensor(input: InputTensor, version: LoadedVersion, violations: Violations): number | null {
  const { name, width } = version.signature.input;
  const field = `inputs["${name}"]`;
  checkTensorParameters(input.parameters, field, violations);
  const { datatype, shape } = input;
  if (datatype !== 'FP32') {
    const description = `Inference input '${name}' has datatype ${quote(datatype)}, but model '${version.model}' expects FP32.`;
    violations.add(`${field}.datatype`, description);
  }
  const rows = shape[0];
  if (shape.length !== 2 || shape[1] !== width || rows === undefined || !(rows >= 1)) {
    const description = `Unexpected shape for input '${name}' for model '${version.model}': expected [rows, ${width}] with 1 to ${version.rowsMax} rows but received ${quote(shape)}.`;
    violations.add(`${field}.shape`, description);
    return null;
  }
  if (rows > version.rowsMax) {
    const description = `Expected at most ${version.rowsMax} rows in a request to model '${version.model}' but received ${rows}.`;
    violations.add(`${field}.shape`, description);
    return null;
  }
  return datatype === 'FP32' ? rows : null;
}

function takeValues(
  request: TensorRequest,
  input: InputTensor,
  count: number,
  violations: Violations,
): Float32Array | null {
  const raw = request.rawInputContents;
  if (raw.length === 0) {
    return takeTyped(input, count, violations);
  }
  if (request.inputs.some(({ contents }) => contents !== null)) {
    const description = 'Expected either `raw_input_contents` or `contents` of the inputs but received both.';
    violations.add('raw_input_contents', description);
    return null;
  }
  if (raw.length !== request.inputs.length) {
    const description = `Expected \`raw_input_contents\` to have ${request.inputs.length} entries, one for each input, but received ${raw.length}.`;
    violations.add('raw_input_contents', description);
    return null;
  }
  const position = request.inputs.indexOf(input);
  const bytes = raw[position]!;
  const expected = count * bytesPerElement;
  if (bytes.length !== expected) {
    const description = `Expected ${expected} bytes of input '${input.name}' for shape ${quote(input.shape)} of FP32 but received ${bytes.length}.`;
    violations.add(`raw_input_contents[${position}]`, description);
    return null;
  }
  return fromRawBytes(bytes, count);
}

function takeTyped(input: InputTensor, count: number, violations: Violations): Float32Array | null {
  const { contents, name, shape } = input;
  const field = `inputs["${name}"].contents`;
  if (!contents) {
    violations.add(field, `Expected \`raw_input_contents\`, or \`contents\` of input '${name}', but received neither.`);
    return null;
  }
  const { fp32Contents, ...others } = contents;
  const misplaced = Object.entries(others).find(([, elements]) => Array.isArray(elements) && elements.length > 0);
  if (misplaced) {
    const description = `Expected the elements of input '${name}' in \`fp32_contents\` but received ${wireName(misplaced[0])}.`;
    violations.add(field, description);
    return null;
  }
  if (fp32Contents.length !== count) {
    const description = `Expected ${count} elements of input '${name}' for shape ${quote(shape)} but received ${fp32Contents.length}.`;
    violations.add(field, description);
    return null;
  }
  return Float32Array.from(fp32Contents);
}

const wireName = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
