import type { ModelRepositoryParameter } from '../../proto/gen/inference/ModelRepositoryParameter.js';
import { invalidField, quote } from '../platform/errors.js';
import type { InferParameters } from './parameters-rpc.js';

const filePrefix = 'file:';
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Parameters of a load or unload; those that begin with `file:` are contents of files, in base64. */
export function toRepositoryParameters(parameters: InferParameters): Record<string, ModelRepositoryParameter> {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, toParameter(name, value)]));
}

function toParameter(name: string, value: InferParameters[string]): ModelRepositoryParameter {
  const field = `parameters.${name}`;
  if (name.startsWith(filePrefix)) {
    if (typeof value !== 'string' || value.length % 4 !== 0 || !base64.test(value)) {
      throw invalidField(field, `Expected \`${field}\` to be a file in base64 but received ${quote(value)}.`);
    }
    return { bytesParam: Buffer.from(value, 'base64') };
  }
  switch (typeof value) {
    case 'boolean':
      return { boolParam: value };
    case 'string':
      return { stringParam: value };
    case 'bigint':
      return { int64Param: String(value) };
    default:
      if (!Number.isSafeInteger(value)) {
        throw invalidField(field, `Expected \`${field}\` to be an integer but received ${quote(value)}.`);
      }
      return { int64Param: value };
  }
}
