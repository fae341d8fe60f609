import { distance } from 'fastest-levenshtein';
import protobuf from 'protobufjs';
import type { FieldViolation } from '../../proto/index.js';

/**
 * Reads plain data, as it comes from YAML or JSON, into a message. Keys are the contract's field names as its .proto file has them; values of enums are
 * written short and in small letters (`relu` for ACTIVATION_RELU). Everything that does not fit is noted, not thrown.
 */
export class PlainMessageReader {
  readonly violations: FieldViolation[] = [];

  read(value: unknown, type: protobuf.Type, path = ''): Record<string, unknown> {
    const message: Record<string, unknown> = {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#refuse(path, 'a mapping', value);
      return message;
    }
    for (const [key, item] of Object.entries(value)) {
      const field = Object.hasOwn(type.fields, key) ? type.fields[key]! : null;
      const itemPath = path ? `${path}.${key}` : key;
      if (field) {
        message[toCamelCase(key)] = this.#readField(item, field.resolve(), itemPath);
      } else {
        this.violations.push({ field: itemPath, description: unknownKey(itemPath, key, Object.keys(type.fields)) });
      }
    }
    return message;
  }

  #readField(value: unknown, field: protobuf.Field, path: string): unknown {
    if (!field.repeated) {
      return this.#readValue(value, field, path);
    }
    if (!Array.isArray(value)) {
      this.#refuse(path, 'a list', value);
      return [];
    }
    return value.map((item, i) => this.#readValue(item, field, `${path}[${i}]`));
  }

  #readValue(value: unknown, field: protobuf.Field, path: string): unknown {
    if (field.resolvedType instanceof protobuf.Type) {
      // `standardise:` without settings is written as an empty value in YAML.
      return this.read(value ?? {}, field.resolvedType, path);
    }
    if (field.resolvedType instanceof protobuf.Enum) {
      return this.#readEnum(value, field.resolvedType, path);
    }
    switch (field.type) {
      case 'double':
        return this.#expect(typeof value === 'number', value, 'a number', path);
      case 'int32':
      case 'int64':
        return this.#expect(Number.isSafeInteger(value), value, 'an integer', path);
      case 'bool':
        return this.#expect(typeof value === 'boolean', value, 'true or false', path);
      case 'string':
        return this.#expect(typeof value === 'string', value, 'text', path);
      default:
        throw new Error(`no plain form for protobuf type ${field.type}`);
    }
  }

  #expect(ok: boolean, value: unknown, expected: string, path: string): unknown {
    if (!ok) {
      this.#refuse(path, expected, value);
    }
    return value;
  }

  #readEnum(value: unknown, type: protobuf.Enum, path: string): string | undefined {
    const names = plainEnumNames(type);
    const found = names.find(({ short }) => short === value);
    if (!found) {
      this.#refuse(path, `one of ${names.map(({ short }) => short).join(', ')}`, value);
    }
    return found?.full;
  }

  #refuse(path: string, expected: string, value: unknown): void {
    const shown = JSON.stringify(value) ?? 'nothing';
    this.violations.push({
      field: path,
      description: `Expected \`${path || 'the file'}\` to be ${expected} but received ${shown}.`,
    });
  }
}

/** The values of an enum but for the unspecified one: in full, and as they are written in plain data. */
export function plainEnumNames({ values }: protobuf.Enum): { full: string; short: string }[] {
  const [unspecified, ...full] = Object.keys(values);
  const prefixLength = unspecified!.length - 'UNSPECIFIED'.length;
  return full.map((name) => ({ full: name, short: name.slice(prefixLength).toLowerCase() }));
}

function unknownKey(path: string, key: string, known: string[]): string {
  const nearest = [...known].sort((a, b) => distance(a, key) - distance(b, key))[0];
  const hint = nearest !== undefined && distance(nearest, key) <= 3 ? ` Did you mean \`${nearest}\`?` : '';
  return `Unknown key \`${path}\`.${hint} Allowed are ${known.join(', ') || 'no keys'}.`;
}

const toCamelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
