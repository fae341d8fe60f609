import type { Violations } from '../platform/errors.js';

/** Settings as they came: what was left out is undefined. */
export type Draft = Readonly<Record<string, unknown>>;

/** One setting: what it may hold, in words and as a test, and what stands for it where it is left out. */
export interface Setting {
  rule: string;
  allows: (value: unknown) => boolean;
  /** `required`: it must be given; `unset`: it stays out. */
  otherwise: unknown;
}

/** By name, in the engine's words. */
export type Settings = Readonly<Record<string, Setting>>;

export const required = Symbol('required');
export const unset = Symbol('unset');

/** The engine computes in float32: what is 0 or infinite there is so here. */
function number(rule: string, allows: (inFloat32: number) => boolean) {
  const inFloat32 = (value: unknown) => (typeof value === 'number' ? Math.fround(value) : Number.NaN);
  return (otherwise: unknown): Setting => ({
    rule,
    allows: (value) => Number.isFinite(inFloat32(value)) && allows(inFloat32(value)),
    otherwise,
  });
}

export const positive = number('a finite number greater than 0', (value) => value > 0);
export const notNegative = number('a finite number from 0', (value) => value >= 0);
export const fraction = number('in [0, 1)', (value) => value >= 0 && value < 1);
export const openFraction = number('in (0, 1)', (value) => value > 0 && value < 1);
export const fromOne = number('a finite number from 1', (value) => value >= 1);

/** What Adam and its kin divide by: less than the smallest normal number would be 0 to the engine. */
export const epsilon = number('at least 1.2e-38', (value) => value >= 2 ** -126);

export function integer(minimum: number, otherwise: unknown, maximum = Number.MAX_SAFE_INTEGER): Setting {
  return {
    rule: maximum === Number.MAX_SAFE_INTEGER ? `an integer from ${minimum}` : `from ${minimum} to ${count(maximum)}`,
    allows: (value) => Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum,
    otherwise,
  };
}

export function flag(otherwise: boolean): Setting {
  return { rule: 'true or false', allows: (value) => typeof value === 'boolean', otherwise };
}

/** @param names of the contract, by our words */
export function choice(names: Readonly<Record<string, string>>, otherwise: unknown): Setting {
  return {
    rule: `one of ${Object.values(names).join(', ')}`,
    allows: (value) => typeof value === 'string' && Object.hasOwn(names, value),
    otherwise,
  };
}

// Not `toLocaleString`: loading a locale takes 20 ms of each start.
const count = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

/** A field as the contract has it: `learning_rate`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Notes every setting that is missing, wrong or of another kind. @param field that holds them, for example `spec.optimizer.adam` */
export function checkSettings(settings: Settings, given: Draft, field: string, violations: Violations): void {
  for (const [name, { rule, allows, otherwise }] of Object.entries(settings)) {
    const value = given[name] ?? undefined;
    const path = `${field}.${snakeCase(name)}`;
    if (value !== undefined) {
      violations.check(allows(value), path, rule, value);
    } else if (otherwise === required) {
      violations.add(path, `Expected \`${path}\` to be set: ${rule}.`);
    }
  }
}

/** Settings that were checked, with defaults; always in the same order. */
export function withDefaults(settings: Settings, given: Draft): Record<string, unknown> {
  const filled = Object.entries(settings).map(([name, { otherwise }]) => [name, given[name] ?? otherwise] as const);
  return Object.fromEntries(filled.filter(([, value]) => value !== unset));
}
