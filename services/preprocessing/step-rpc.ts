import protobuf from 'protobufjs';
import type { Step__Output, Step as StepMessage } from '../../proto/gen/millrace/v1/Step.js';
import { describeMessage } from '../../proto/index.js';
import type { StepSpec } from './pipeline-spec.js';

type Plain = Record<string, unknown>;

/**
 * Steps are many and their messages all alike, so that the contract itself says how each is read: fields become settings of
 * the same name, what is unset or unspecified becomes null, and values of enums lose their prefix (`mostFrequent` for
 * STRATEGY_MOST_FREQUENT).
 */
export function fromStep(step: Step__Output): StepSpec {
  const { kind } = step as Plain;
  if (typeof kind !== 'string') {
    return { kind: null };
  }
  return { kind, ...fromMessage((step as unknown as Plain)[kind] as Plain, settingsType(kind)) } as StepSpec;
}

/** The other way round. */
export function toStep({ kind, ...settings }: StepSpec): StepMessage {
  return kind === null ? {} : { [kind]: toMessage(settings, settingsType(kind)) };
}

let stepType: protobuf.Type | null = null;

function settingsType(kind: string): protobuf.Type {
  stepType ??= describeMessage('millrace.v1.Step');
  const field = stepType.fieldsArray.find(({ name }) => inCamelCase(name) === kind)!;
  return field.resolve().resolvedType as protobuf.Type;
}

function fromMessage(message: Plain, type: protobuf.Type): Plain {
  return mapFields(type, (name, field) => {
    const value = message[name] ?? null;
    return Array.isArray(value) ? value.map((item) => fromItem(item, field)) : fromItem(value, field);
  });
}

function fromItem(value: unknown, { resolvedType }: protobuf.Field): unknown {
  if (value === null || !resolvedType) {
    return value;
  }
  if (resolvedType instanceof protobuf.Type) {
    return fromMessage(value as Plain, resolvedType);
  }
  const { full, short } = namesOf(resolvedType);
  return short[full.indexOf(value as string)] ?? null;
}

function toMessage(settings: Plain, type: protobuf.Type): Plain {
  return mapFields(type, (name, field) => {
    // A setting that is newer than what is stored is not there.
    const value = settings[name] ?? undefined;
    return Array.isArray(value) ? value.map((item) => toItem(item, field)) : toItem(value, field);
  });
}

function toItem(value: unknown, { resolvedType }: protobuf.Field): unknown {
  if (value === undefined || !resolvedType) {
    return value;
  }
  if (resolvedType instanceof protobuf.Type) {
    return toMessage(value as Plain, resolvedType);
  }
  const { full, short } = namesOf(resolvedType);
  return full[short.indexOf(value as string)];
}

function mapFields(type: protobuf.Type, map: (name: string, field: protobuf.Field) => unknown): Plain {
  return Object.fromEntries(
    type.fieldsArray.map((field) => {
      const name = inCamelCase(field.name);
      return [name, map(name, field.resolve())];
    }),
  );
}

/** The names of an enum's values but the first, which means that none was chosen. */
function namesOf({ values }: protobuf.Enum): { full: string[]; short: string[] } {
  const [unspecified, ...full] = Object.keys(values);
  const prefixLength = unspecified!.length - 'UNSPECIFIED'.length;
  return { full, short: full.map((name) => inCamelCase(name.slice(prefixLength).toLowerCase())) };
}

const inCamelCase = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
