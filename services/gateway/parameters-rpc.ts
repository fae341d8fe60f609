import { z } from 'zod';
import type { InferParameter, InferParameter__Output } from '../../proto/gen/inference/InferParameter.js';
import { bounded } from './bounded.js';

export type ParameterValue = boolean | number | string | bigint;

/** Parameters of a request, of an input or of an output, by name. */
export const parameters = bounded(
  z.record(
    z.string(),
    z
      .custom<ParameterValue>(
        (value) => ['boolean', 'string', 'bigint'].includes(typeof value) || Number.isFinite(value),
        'expected true, false, a number or text',
      )
      .meta({ type: ['boolean', 'number', 'string'] }),
  ),
  100,
).default({});

export type InferParameters = Record<string, ParameterValue>;

const int64Max = 2n ** 63n - 1n;

export function toParameters(parameters: InferParameters): Record<string, InferParameter> {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, toParameter(value)]));
}

function toParameter(value: ParameterValue): InferParameter {
  switch (typeof value) {
    case 'boolean':
      return { boolParam: value };
    case 'string':
      return { stringParam: value };
    case 'bigint':
      // As digits: the library reads them exactly.
      return value > int64Max ? { uint64Param: String(value) } : { int64Param: String(value) };
    default:
      return Number.isSafeInteger(value) ? { int64Param: value } : { doubleParam: value };
  }
}

/** Without the ones that hold nothing. */
export function fromParameters(
  parameters: Record<string, InferParameter__Output>,
): Record<string, boolean | number | string> {
  const values: Record<string, boolean | number | string> = {};
  for (const [name, { boolParam, int64Param, uint64Param, doubleParam, stringParam }] of Object.entries(parameters)) {
    const value = boolParam ?? int64Param ?? uint64Param ?? doubleParam ?? stringParam;
    if (value !== undefined) {
      values[name] = value;
    }
  }
  return values;
}
