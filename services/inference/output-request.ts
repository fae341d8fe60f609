import { quote, type Violations } from '../platform/errors.js';
import type { LoadedVersion } from './loaded-version.js';
import { type Parameters, readTensorOptions, type TensorOptions } from './request-parameters.js';

/** An output that is asked for, as it came. */
export interface RequestedOutput {
  name: string;
  parameters: Parameters;
}

/** One output of the answer: which of the version's, and how it is to be given. */
export interface OutputRequest extends TensorOptions {
  index: number;
}

/** Which outputs are asked for, and how; nothing: all of them. */
export function readOutputs(
  outputs: readonly RequestedOutput[],
  version: LoadedVersion,
  violations: Violations,
): readonly OutputRequest[] {
  if (outputs.length === 0) {
    return version.allOutputs;
  }
  const specs = version.executable.outputs;
  const requests: OutputRequest[] = [];
  for (const [i, { name, parameters }] of outputs.entries()) {
    const index = specs.findIndex((spec) => spec.name === name);
    const options = readTensorOptions(parameters, `outputs[${i}]`, true, violations);
    if (index < 0) {
      const names = specs.map((spec) => quote(spec.name)).join(', ');
      const theirs = specs.length === 1 ? `its only output is ${names}` : `its outputs are ${names}`;
      const description = `Unexpected inference output ${quote(name)} for model '${version.model}': ${theirs}.`;
      violations.add(`outputs[${i}].name`, description);
    } else if (requests.some((request) => request.index === index)) {
      violations.add(`outputs[${i}].name`, `Expected each output once but \`outputs\` names ${quote(name)} again.`);
    } else if (options.classes > 0 && specs[index]!.datatype === 'BYTES') {
      const description = `Expected no \`classification\` of output ${quote(name)}: its elements are BYTES, which have no order.`;
      violations.add(`outputs[${i}].parameters`, description);
    } else {
      requests.push({ index, ...options });
    }
  }
  return requests;
}
