import { distance } from 'fastest-levenshtein';
import protobuf from 'protobufjs';
import type { FieldViolation } from '../../proto/index.js';
import { scalarField, shortFormOf } from './short-forms.js';
import { isFlag, wordValueOf } from './word-values.js';

/** Something that does not fit. */
export interface ReadViolation extends FieldViolation {
  /** The field that an unknown key was perhaps to be. */
  meant?: string;
}

/**
 * Reads plain data, as it comes from YAML or JSON, into a message. Keys are the contract's field names as its .proto file has them; values of enums are
 * written short and in small letters (`relu` for ACTIVATION_RELU). Everything that does not fit is noted, not thrown, and left out.
 */
export class PlainMessageReader {
  readonly violations: ReadViolation[] = [];

  read(value: unknown, type: protobuf.Type, path = ''): Record<string, unknown> {
    const message: Record<string, unknown> = {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#refuse(path, 'a mapping', value);
      return message;
    }
    const keys = plainKeys(type);
    const entries = Object.entries(value);
    if (isChoice(type) && entries.length !== 1) {
      this.violations.push({
        field: path,
        description: `Expected \`${path}\` to have exactly one of the keys ${keys.join(', ')} but received ${shown(value)}.`,
      });
    }
    for (const [key, item] of entries) {
      const itemPath = within(path, key);
      const word = wordValueOf(type.fullName, key);
      if (!keys.includes(key)) {
        this.violations.push(unknownKey(path, key, keys));
      } else if (word && item === word.word) {
        message[toCamelCase(word.flag)] = true;
      } else {
        const alsoAllowed = word ? `, or ${word.word},` : '';
        message[toCamelCase(key)] = this.#readField(item, type.fields[key]!.resolve(), itemPath, alsoAllowed);
      }
    }
    return message;
  }

  /** @param alsoAllowed what else the key may hold, for messages */
  #readField(value: unknown, field: protobuf.Field, path: string, alsoAllowed: string): unknown {
    if (field.map) {
      return this.#readMap(value, field, path, alsoAllowed);
    }
    if (!field.repeated) {
      return this.#readValue(value, field, path, alsoAllowed);
    }
    if (!Array.isArray(value)) {
      this.#refuse(path, 'a list', value);
      return [];
    }
    const items = value.map((item, i) => this.#readValue(item, field, `${path}[${i}]`));
    return items.includes(undefined) ? [] : items;
  }

  #readMap(value: unknown, field: protobuf.Field, path: string, alsoAllowed: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#refuse(path, `a mapping${alsoAllowed}`, value);
      return {};
    }
    const entries = Object.entries(value).map(([key, item]) => [
      key,
      this.#readValue(item, field, `${path}[${JSON.stringify(key)}]`),
    ]);
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
  }

  #readValue(value: unknown, field: protobuf.Field, path: string, alsoAllowed = ''): unknown {
    if (field.resolvedType instanceof protobuf.Type) {
      const form = shortFormOf(field.resolvedType.fullName);
      if (form) {
        return form === 'list' ? this.#readList(value, field.resolvedType, path) : this.#readScalar(value, path);
      }
      // `standardise:` without settings is written as an empty value in YAML.
      return this.read(value ?? {}, field.resolvedType, path);
    }
    if (field.resolvedType instanceof protobuf.Enum) {
      return this.#readEnum(value, field.resolvedType, path);
    }
    switch (field.type) {
      case 'double':
        return this.#expect(Number.isFinite(value), value, 'a number', path);
      case 'int32':
      case 'int64':
        return this.#readInteger(value, field.type, path, alsoAllowed);
      case 'bool':
        return this.#expect(typeof value === 'boolean', value, 'true or false', path);
      case 'string':
        return this.#expect(typeof value === 'string', value, 'text', path);
      default:
        throw new Error(`no plain form for protobuf type ${field.type}`);
    }
  }

  /** One that the wire would cut is refused: it would become another number. */
  #readInteger(value: unknown, type: 'int32' | 'int64', path: string, alsoAllowed: string): unknown {
    const [minimum, maximum] = integerRange(type);
    const isInteger = Number.isInteger(value);
    const range = isInteger ? ` from ${minimum} to ${maximum}` : '';
    const isWithin = isInteger && (value as number) >= minimum && (value as number) <= maximum;
    return this.#expect(isWithin, value, `an integer${range}${alsoAllowed}`, path);
  }

  #readScalar(value: unknown, path: string): Record<string, unknown> {
    const name = scalarField(value);
    if (name === null) {
      this.#refuse(path, 'a number, a word, or true or false', value);
      return {};
    }
    return { [name]: value };
  }

  #readList(value: unknown, type: protobuf.Type, path: string): Record<string, unknown> {
    const [field] = type.fieldsArray;
    return { [toCamelCase(field!.name)]: this.#readField(value, field!.resolve(), path, '') };
  }

  #expect(ok: boolean, value: unknown, expected: string, path: string): unknown {
    if (!ok) {
      this.#refuse(path, expected, value);
    }
    return ok ? value : undefined;
  }

  #readEnum(value: unknown, type: protobuf.Enum, path: string): string | undefined {
    const names = plainEnumNames(type);
    const found = names.find(({ short }) => short === value);
    if (!found) {
      const allowed = names.map(({ short }) => short);
      this.#refuse(path, `one of ${allowed.join(', ')}`, value, hint(nearestOf(String(value), allowed)));
    }
    return found?.full;
  }

  #refuse(path: string, expected: string, value: unknown, hint = ''): void {
    this.violations.push({
      field: path,
      description: `Expected \`${path || 'the file'}\` to be ${expected} but received ${shown(value)}.${hint}`,
    });
  }
}

function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'nothing');
}

/** The least and the largest integer that a field holds exactly. */
export function integerRange(type: 'int32' | 'int64'): [number, number] {
  return type === 'int32' ? [-(2 ** 31), 2 ** 31 - 1] : [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
}

/** Whether a message holds exactly one of its fields. */
export function isChoice({ oneofsArray, fieldsArray }: protobuf.Type): boolean {
  const [only, ...others] = oneofsArray;
  return (
    only !== undefined && others.length === 0 && fieldsArray.length > 1 && fieldsArray.every((f) => f.partOf === only)
  );
}

/** What may be written in place of a message. */
export function plainKeys(type: protobuf.Type): string[] {
  return Object.keys(type.fields).filter((key) => !isFlag(type.fullName, key));
}

/** The values of an enum but for the unspecified one: in full, and as they are written in plain data. */
export function plainEnumNames({ values }: protobuf.Enum): { full: string; short: string }[] {
  const [unspecified, ...full] = Object.keys(values);
  const prefixLength = unspecified!.length - 'UNSPECIFIED'.length;
  return full.map((name) => ({ full: name, short: name.slice(prefixLength).toLowerCase() }));
}

function unknownKey(path: string, key: string, known: string[]): ReadViolation {
  const field = within(path, key);
  const nearest = nearestOf(key, known);
  const allowed = known.join(', ') || 'no keys';
  return {
    field,
    description: `Unknown key \`${field}\`.${hint(nearest)} Allowed are ${allowed}.`,
    ...(nearest !== null && { meant: within(path, nearest) }),
  };
}

/** Null: none is near. */
function nearestOf(name: string, known: string[]): string | null {
  const nearest = [...known].sort((a, b) => distance(a, name) - distance(b, name))[0];
  return nearest !== undefined && distance(nearest, name) <= 3 ? nearest : null;
}

function hint(nearest: string | null): string {
  return nearest === null ? '' : ` Did you mean \`${nearest}\`?`;
}

function within(path: string, key: string): string {
  return path ? `${path}.${key}` : key;
}

const toCamelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
