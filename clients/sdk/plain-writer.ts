import protobuf from 'protobufjs';
import { plainEnumNames, plainKeys } from './plain-message.js';
import { scalarOf, shortFormOf } from './short-forms.js';
import { wordValueOf } from './word-values.js';

/** A message as plain data, as `PlainMessageReader` reads it: what is unset, or 0 where that is the same, is left out. */
export function writePlainMessage(message: object, type: protobuf.Type): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  const values = message as Record<string, unknown>;
  for (const key of plainKeys(type)) {
    const word = wordValueOf(type.fullName, key);
    if (word && values[camelCase(word.flag)]) {
      plain[key] = word.word;
      continue;
    }
    const field = type.fields[key]!.resolve();
    const value = values[camelCase(key)];
    if (!isUnset(value, field)) {
      plain[key] = field.repeated
        ? (value as unknown[]).map((item) => writeValue(item, field))
        : field.map
          ? Object.fromEntries(Object.entries(value as object).map(([name, item]) => [name, writeValue(item, field)]))
          : writeValue(value, field);
    }
  }
  return plain;
}

function isUnset(value: unknown, field: protobuf.Field): boolean {
  if (value === null || value === undefined) {
    return true;
  }
  if (field.repeated || field.map) {
    return Object.keys(value).length === 0;
  }
  const isOptional = field.partOf !== null;
  return !isOptional && (value === 0 || value === '' || value === false || String(value).endsWith('_UNSPECIFIED'));
}

function writeValue(value: unknown, { resolvedType }: protobuf.Field): unknown {
  if (resolvedType instanceof protobuf.Type) {
    const form = shortFormOf(resolvedType.fullName);
    if (form === 'scalar') {
      return scalarOf(value as object);
    }
    if (form === 'list') {
      const [items] = Object.values(writePlainMessage(value as object, resolvedType));
      return items ?? [];
    }
    return writePlainMessage(value as object, resolvedType);
  }
  return resolvedType instanceof protobuf.Enum
    ? (plainEnumNames(resolvedType).find(({ full }) => full === value)?.short ?? value)
    : value;
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
