import { quote, type Violations } from '../platform/errors.js';
import type { Urgency } from './batcher.js';

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

/** What a request asks for beside its tensors. */
export interface RequestOptions extends Urgency {
  /** Requests with the same key are answered by the same version of a split; null: no matter. */
  routingKey: string | null;
  /** Every answer of a stream says that it is the last of its request. */
  marksFinal: boolean;
}

type Kind = 'boolean' | 'integer' | 'string';

/** Networks keep nothing from request to request, so that a sequence is as good as its requests. */
const known: Record<string, readonly Kind[]> = {
  sequence_id: ['integer', 'string'],
  sequence_start: ['boolean'],
  sequence_end: ['boolean'],
  priority: ['integer'],
  timeout: ['integer'],
  triton_enable_empty_final_response: ['boolean'],
  routing_key: ['string'],
};

const noOptions: RequestOptions = { priority: 0, timeoutUs: 0, routingKey: null, marksFinal: false };

/** Reads the parameters of a request. Those of names that nobody has reserved are the caller's own. */
export function readOptions(parameters: Parameters, violations: Violations): RequestOptions {
  let options = noOptions;
  for (const name in parameters) {
    const parameter = parameters[name]!;
    const kinds = Object.hasOwn(known, name) ? known[name]! : null;
    if (!kinds) {
      checkCustom(name, parameter, violations);
    } else if (!kinds.includes(kindOf(parameter)!)) {
      refuse(
        name,
        `Expected parameter ${quote(name)} to be ${kinds.map(article).join(' or ')} but received ${quote(chosenValue(parameter))}.`,
        violations,
      );
    } else {
      options = { ...options, ...toOption(name, chosenValue(parameter), violations) };
    }
  }
  return options;
}

function toOption(name: string, value: unknown, violations: Violations): Partial<RequestOptions> {
  switch (name) {
    case 'priority':
    case 'timeout':
      if (Number(value) < 0) {
        refuse(name, `Expected parameter ${quote(name)} to be 0 or more but received ${quote(value)}.`, violations);
      }
      return name === 'priority' ? { priority: Number(value) } : { timeoutUs: Number(value) };
    case 'routing_key':
      return { routingKey: value as string };
    case 'triton_enable_empty_final_response':
      return { marksFinal: value as boolean };
    default:
      return {};
  }
}

function checkCustom(name: string, { parameterChoice }: Parameter, violations: Violations): void {
  if (name.startsWith('triton_')) {
    refuse(name, `Expected no parameter ${quote(name)}: names that begin with 'triton_' are reserved.`, violations);
  } else if (parameterChoice === undefined || parameterChoice === 'uint64Param') {
    const received = parameterChoice ? 'an unsigned integer' : 'nothing';
    refuse(
      name,
      `Expected parameter ${quote(name)} to be a string, boolean, int64 or double but received ${received}.`,
      violations,
    );
  }
}

function refuse(name: string, description: string, violations: Violations): void {
  violations.add(`parameters[${quote(name)}]`, description);
}

function kindOf({ parameterChoice }: Parameter): Kind | null {
  switch (parameterChoice) {
    case 'boolParam':
      return 'boolean';
    case 'stringParam':
      return 'string';
    case 'int64Param':
    case 'uint64Param':
      return 'integer';
    default:
      return null;
  }
}

const article = (kind: Kind) => (kind === 'integer' ? 'an integer' : `a ${kind}`);

export function chosenValue(parameter: Parameter): unknown {
  return parameter.parameterChoice ? parameter[parameter.parameterChoice as keyof Parameter] : null;
}

/** A part of a shared memory region. */
export interface RegionPart {
  region: string;
  offset: number;
  byteSize: number;
}

export interface TensorOptions {
  /** Where the tensor is, or is to go; null: in the message. */
  part: RegionPart | null;
  /** Of an output: as many likeliest classes instead of the tensor; 0: the tensor. */
  classes: number;
}

const inMessage: TensorOptions = { part: null, classes: 0 };

const tensorParameters: Record<string, Kind> = {
  shared_memory_region: 'string',
  shared_memory_offset: 'integer',
  shared_memory_byte_size: 'integer',
  classification: 'integer',
  // Of the HTTP protocol: all tensors are binary here.
  binary_data: 'boolean',
};

/** Reads the parameters of one tensor. */
export function readTensorOptions(
  parameters: Parameters,
  field: string,
  isOutput: boolean,
  violations: Violations,
): TensorOptions {
  const values: Record<string, unknown> = {};
  let isEmpty = true;
  for (const name in parameters) {
    isEmpty = false;
    const kind = Object.hasOwn(tensorParameters, name) ? tensorParameters[name]! : null;
    const value = chosenValue(parameters[name]!);
    const isKnown = kind !== null && (isOutput || name !== 'classification');
    if (!isKnown || kindOf(parameters[name]!) !== kind) {
      const expected = isKnown ? `parameter ${quote(name)} to be ${article(kind)}` : `no parameter ${quote(name)}`;
      violations.add(`${field}.parameters`, `Expected ${expected} at \`${field}\` but received ${quote(value)}.`);
    } else {
      values[name] = value;
    }
  }
  return isEmpty ? inMessage : toTensorOptions(values, field, violations);
}

function toTensorOptions(values: Record<string, unknown>, field: string, violations: Violations): TensorOptions {
  const { shared_memory_region: region, shared_memory_offset: offset = 0, shared_memory_byte_size: byteSize } = values;
  const classes = Number(values.classification ?? 0);
  const add = (description: string) => violations.add(`${field}.parameters`, description);
  if (classes < 0 || ('classification' in values && classes === 0)) {
    add(`Expected \`classification\` at \`${field}\` to be 1 or more but received ${classes}.`);
  }
  if (region === undefined) {
    if (byteSize !== undefined || 'shared_memory_offset' in values) {
      add(`Expected \`shared_memory_region\` beside the offset and size of shared memory at \`${field}\`.`);
    }
    return { part: null, classes };
  }
  if (byteSize === undefined || Number(byteSize) < 0 || Number(offset) < 0) {
    add(
      `Expected \`shared_memory_byte_size\` and \`shared_memory_offset\` of 0 or more at \`${field}\` but received ${quote(byteSize ?? null)} and ${quote(offset)}.`,
    );
    return { part: null, classes };
  }
  if (classes > 0) {
    add(`Expected either \`classification\` or shared memory at \`${field}\` but received both.`);
  }
  return { part: { region: region as string, offset: Number(offset), byteSize: Number(byteSize) }, classes };
}
