import type protobuf from 'protobufjs';
import { describeMessage } from '../../../proto/index.js';
import { nearest } from '../../platform/nearest-name.js';

/** What may stand at a place of the training spec. */
export type Target =
  | { type: 'number' | 'integer' | 'flag' | 'text' }
  /** Values of an enum, by how they are written in a spec. */
  | { type: 'word'; names: ReadonlyMap<string, string> }
  /** Settings of exactly one kind: a choice between empty ones. */
  | { type: 'kind'; names: ReadonlyMap<string, string> };

/** A place in the message of a training spec. */
export interface SpecPath {
  /** Names as messages have them in JavaScript, and places in lists. */
  steps: readonly (string | number)[];
  target: Target;
  /** Kinds on the way: `sgd` of `optimizer`. */
  kinds: readonly { path: string; kind: string }[];
}

/** Read once: it takes some 50 ms. */
let specType: protobuf.Type | null = null;

/** Fields of the spec that trials must have in common. */
const fixedFields = [
  'dataset',
  'pipeline',
  'split',
  'validation',
  'metrics',
  'loss',
  'huber_delta',
  'sample_weight',
  'cross_validation',
  'learning_curve',
  'checkpoints',
  'seed',
  'publish',
];

/**
 * Finds a place like `optimizer.adam.learning_rate` or `network.layers[0].units` in the contract.
 * @param besides names that can be searched too, though the contract has none of them, by where they stand
 * @returns what is wrong with it, in words, where it names none that can be searched
 */
export function findPath(text: string, besides: Readonly<Record<string, readonly string[]>>): SpecPath | string {
  specType ??= describeMessage('millrace.v1.TrainingSpec');
  let type = specType;
  const steps: (string | number)[] = [];
  const kinds: { path: string; kind: string }[] = [];
  const parts = text.split('.');
  for (const [i, part] of parts.entries()) {
    const [, name = '', index] = /^([a-z0-9_]*)(?:\[(\d+)\])?$/.exec(part) ?? [];
    const names = searchable(type, i === 0);
    const field = names.includes(name) ? type.fields[name]!.resolve() : null;
    const before = parts.slice(0, i).join('.');
    if (!field) {
      const all = [...names, ...(besides[before] ?? [])];
      const meant = nearest(name || part, all);
      const hint = meant ? ` Did you mean \`${before ? `${before}.` : ''}${meant}\`?` : '';
      return `\`${before || 'the training spec'}\` has no \`${part}\` that can be searched.${hint} Allowed are ${all.join(', ')}.`;
    }
    if (field.repeated !== (index !== undefined)) {
      return `\`${text}\` ${field.repeated ? `needs a place in the list, as \`${name}[0]\`` : `has a place in \`${name}\`, which is no list`}.`;
    }
    if (field.partOf && isKind(type)) {
      kinds.push({ path: before, kind: name });
    }
    steps.push(camelCase(name), ...(index === undefined ? [] : [Number(index)]));
    if (field.resolvedType && 'fields' in field.resolvedType && i < parts.length - 1) {
      type = field.resolvedType as protobuf.Type;
      continue;
    }
    const target = targetOf(field);
    if (target === null) {
      const within = field.resolvedType && 'fields' in field.resolvedType ? Object.keys(field.resolvedType.fields) : [];
      return `\`${text}\` holds several values. Search one of them: ${within.join(', ')}.`;
    }
    if (i < parts.length - 1) {
      return `\`${parts.slice(0, i + 1).join('.')}\` is a single value: there is no \`${parts[i + 1]}\` in it.`;
    }
    return { steps, target, kinds };
  }
  return '`` names no place in the training spec.';
}

function searchable(type: protobuf.Type, isRoot: boolean): string[] {
  return Object.values(type.fields)
    .filter(({ name, map }) => !map && !(isRoot && fixedFields.includes(name)))
    .map(({ name }) => name);
}

function targetOf({ type, resolvedType }: protobuf.Field): Target | null {
  if (resolvedType && 'values' in resolvedType) {
    const [unspecified = '', ...full] = Object.keys(resolvedType.values as Record<string, number>);
    const prefix = unspecified.length - 'UNSPECIFIED'.length;
    return { type: 'word', names: new Map(full.map((name) => [name.slice(prefix).toLowerCase(), name])) };
  }
  if (resolvedType) {
    const message = resolvedType as protobuf.Type;
    const names = Object.values(message.fields).filter(({ partOf, options }) => partOf && !options?.proto3_optional);
    const isChoice =
      names.length > 1 && names.every((field) => field.resolve().resolvedType && 'fields' in field.resolvedType!);
    return isChoice ? { type: 'kind', names: new Map(names.map(({ name }) => [name, camelCase(name)])) } : null;
  }
  if (type === 'double') {
    return { type: 'number' };
  }
  return { type: type === 'bool' ? 'flag' : type === 'string' ? 'text' : 'integer' };
}

/** Whether exactly one kind of settings is set in a message. */
function isKind(type: protobuf.Type): boolean {
  return type.oneofsArray.some(({ name }) => name === 'kind');
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

type Plain = Record<string | number, unknown>;

/** What stands at a place; undefined where something on the way is missing. */
export function readPath(spec: object, steps: SpecPath['steps']): unknown {
  return steps.reduce<unknown>((at, step) => (at as Plain | null | undefined)?.[step], spec);
}

/** Puts a value at a place of a spec that may be changed; settings on the way are made where there are none. */
export function writePath(spec: object, { steps, target }: SpecPath, value: string | number | boolean): void {
  let at = spec as Plain;
  for (const step of steps.slice(0, -1)) {
    at[step] ??= {};
    at = at[step] as Plain;
  }
  const last = steps.at(-1)!;
  if (target.type === 'kind') {
    const before = (at[last] ?? {}) as Plain;
    const kept = [...target.names.values()].map((name) => [
      name,
      name === target.names.get(String(value)) ? (before[name] ?? {}) : null,
    ]);
    at[last] = { ...before, ...Object.fromEntries(kept) };
  } else {
    at[last] = target.type === 'word' ? target.names.get(String(value)) : value;
  }
}
