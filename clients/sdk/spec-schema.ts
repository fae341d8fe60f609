import protobuf from 'protobufjs';
import { describeMessage } from '../../proto/index.js';
import { integerRange, isChoice, plainEnumNames, plainKeys } from './plain-message.js';
import { shortFormOf } from './short-forms.js';
import { wordValueOf } from './word-values.js';

/** Specifications that are written as YAML or JSON, by the name of their schema. */
export const specMessages = {
  'training-spec': 'millrace.v1.TrainingSpec',
  'tuning-spec': 'millrace.v1.TrainingSpec',
  'pipeline-fit': 'millrace.v1.FitPipelineRequest',
  pipeline: 'millrace.v1.PipelineSpec',
} as const;
export type SpecName = keyof typeof specMessages;

/** What a specification has beside the fields of its message. */
const besides: Partial<Record<SpecName, { key: string; message: 'millrace.v1.TuneSpec' }>> = {
  'tuning-spec': { key: 'tune', message: 'millrace.v1.TuneSpec' },
};

type Schema = Record<string, unknown>;

/**
 * The JSON Schema (2020-12) of a specification, for editors: keys, types, values of enums and the contract's own comments. What it
 * lets through may still be refused: ranges and what depends on data are checked by the service.
 */
export function specSchema(name: SpecName): Schema {
  const definitions: Record<string, Schema> = {};
  const root = describeMessage(specMessages[name]);
  const { type: _, ...schema } = messageSchema(root, definitions);
  const { key, message } = besides[name] ?? {};
  if (key && message) {
    schema.properties = {
      ...(schema.properties as Schema),
      [key]: { ...messageSchema(describeMessage(message), definitions), type: 'object' },
    };
    schema.required = [key];
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `Millrace ${root.name}${key ? ` with ${key}` : ''}`,
    type: 'object',
    ...schema,
    $defs: Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function messageSchema(type: protobuf.Type, definitions: Record<string, Schema>): Schema {
  const properties: Record<string, Schema> = {};
  for (const key of plainKeys(type)) {
    const field = type.fields[key]!.resolve();
    const value = fieldSchema(field, definitions);
    const word = wordValueOf(type.fullName, key);
    properties[key] = {
      ...(field.comment ? { description: inOneLine(field.comment) } : {}),
      ...(word ? { anyOf: [value, { const: word.word }] } : value),
    };
  }
  return {
    ...(type.comment ? { description: inOneLine(type.comment) } : {}),
    // `standardise:` without settings is an empty value in YAML.
    type: isChoice(type) ? 'object' : ['object', 'null'],
    properties,
    additionalProperties: false,
    ...(isChoice(type) ? { minProperties: 1, maxProperties: 1 } : {}),
  };
}

function fieldSchema(field: protobuf.Field, definitions: Record<string, Schema>): Schema {
  const value = valueSchema(field, definitions);
  if (field.map) {
    return { type: 'object', additionalProperties: value };
  }
  return field.repeated ? { type: 'array', items: value } : value;
}

function valueSchema({ type, resolvedType }: protobuf.Field, definitions: Record<string, Schema>): Schema {
  if (resolvedType instanceof protobuf.Type) {
    const form = shortFormOf(resolvedType.fullName);
    if (form === 'scalar') {
      return { type: ['number', 'string', 'boolean'] };
    }
    if (form === 'list') {
      return fieldSchema(resolvedType.fieldsArray[0]!.resolve(), definitions);
    }
    if (!definitions[resolvedType.name]) {
      // Noted before it is filled: a message may hold itself.
      definitions[resolvedType.name] = {};
      Object.assign(definitions[resolvedType.name]!, messageSchema(resolvedType, definitions));
    }
    return { $ref: `#/$defs/${resolvedType.name}` };
  }
  if (resolvedType instanceof protobuf.Enum) {
    const { comments } = resolvedType;
    const names = plainEnumNames(resolvedType);
    return {
      anyOf: names.map(({ full, short }) => ({ const: short, description: inOneLine(comments[full] ?? short) })),
    };
  }
  switch (type) {
    case 'double':
      return { type: 'number' };
    case 'int32':
    case 'int64': {
      const [minimum, maximum] = integerRange(type);
      return { type: 'integer', minimum, maximum };
    }
    case 'bool':
      return { type: 'boolean' };
    case 'string':
      return { type: 'string' };
    default:
      throw new Error(`no JSON form for protobuf type ${type}`);
  }
}

const inOneLine = (comment: string) => comment.replace(/\s*\n\s*/g, ' ');
