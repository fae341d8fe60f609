import {
  definitionOf,
  type FittedLabel,
  type StepSpec as KnownStep,
  stepDefinitions,
  type ValueType,
} from '../pipeline/index.js';
import { quote, type Violations } from '../platform/errors.js';
import { type Column, isTransformable, transformableTypes, typeName } from './column.js';
import { checkLabel } from './label-spec.js';
import { findColumn } from './split.js';

/** A step as it was asked for; its kind is null when none is set. */
export type StepSpec = KnownStep | { kind: null };

export interface ColumnSpec {
  column: string;
  steps: StepSpec[];
}

export interface LabelSpec {
  /** Empty: `columns` hold it. */
  column: string;
  kind: FittedLabel['kind'] | null;
  standardise?: boolean;
  /** Of truth values, one for each class; or of numbers. */
  columns?: string[];
  /** Parts the classes in a column of text. */
  separator?: string;
}

export interface PipelineSpec {
  columns: ColumnSpec[];
  label: LabelSpec | null;
}

/** Notes everything that is wrong with a spec, as far as the columns' types tell. */
export function checkPipelineSpec(
  spec: PipelineSpec,
  columns: readonly Column[],
  violations: Violations,
  splitColumn = '',
): void {
  violations.check(spec.columns.length > 0, 'spec.columns', 'at least one column', spec.columns.length);
  const seen = new Set<string>();
  for (const [i, { column, steps }] of spec.columns.entries()) {
    const field = `spec.columns[${i}]`;
    const identity = JSON.stringify([column, steps]);
    if (seen.has(identity)) {
      const message = `Expected \`${field}\` to be named once but ${quote(column)} is named twice with the same steps.`;
      violations.add(`${field}.column`, message);
    }
    seen.add(identity);
    const found = findColumn(column, `${field}.column`, columns, violations);
    if (found && column === splitColumn) {
      const message = `Expected \`${field}.column\` to be a column that a record brings, but ${quote(column)} is the split.`;
      violations.add(`${field}.column`, message);
    }
    if (found && !isTransformable(found)) {
      const message = `Expected \`${field}.column\` to be of type ${transformableTypes} but ${quote(column)} is ${typeName(found.type)}.`;
      violations.add(`${field}.column`, message);
    }
    checkSteps(steps, found, i, spec.label?.kind ?? null, violations);
  }
  const features = new Set(spec.columns.map(({ column }) => column));
  checkLabel(spec.label, columns, features, violations);
}

/** The step's own name in messages; that of a step is the contract's. */
export function stepField(column: number, step: number, { kind }: StepSpec): string {
  const name = kind === null ? '' : `.${inSnakeCase(kind)}`;
  return `spec.columns[${column}].steps[${step}]${name}`;
}

export function inSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What a column gives to its first step; null: nothing that a pipeline reads. */
function typeOf({ type, shape }: Column): ValueType | null {
  switch (type.kind) {
    case 'text':
    case 'dictionary':
      return { kind: 'text' };
    case 'list':
      return { kind: 'list', width: type.width, shape };
    case 'binary':
      return { kind: 'binary' };
    case 'number':
    case 'boolean':
      return { kind: 'number' };
    case 'date':
    case 'timestamp':
      return { kind: 'time' };
    default:
      return null;
  }
}

/** @param column null: unknown, so that only what holds for any type is checked */
function checkSteps(
  steps: StepSpec[],
  column: Column | null,
  index: number,
  label: LabelSpec['kind'],
  violations: Violations,
): void {
  let input = column && typeOf(column);
  let imputes = 0;
  for (const [k, step] of steps.entries()) {
    const field = stepField(index, k, step);
    if (step.kind === null) {
      const kinds = stepDefinitions.map(({ kind }) => inSnakeCase(kind)).join(', ');
      violations.add(field, `Expected \`${field}\` to be one of ${kinds} but none is set.`);
      continue;
    }
    const { takes, gives, check } = definitionOf(step);
    check?.(step, input, {
      field,
      column: column?.name ?? '',
      check: (ok, setting, expected, value) => violations.check(ok, `${field}.${setting}`, expected, value),
      add: (setting, description) => violations.add(setting ? `${field}.${setting}` : field, description),
    });
    if (step.kind === 'impute' && ++imputes === 2) {
      violations.add(field, `Expected \`${field}\` to stand once: after the first, nothing is missing.`);
    }
    if (input && !takes.includes(input.kind)) {
      violations.add(field, mismatch(field, takes, input, column!));
    }
    const given = gives(step, label, input && takes.includes(input.kind) ? input : null);
    if (given === 'features' && k < steps.length - 1) {
      violations.add(field, `Expected \`${field}\` to be the last step.`);
    }
    input = following(input, given);
  }
  if (column && input?.kind === 'list' && column.type.kind === 'binary' && input.width > featuresMax) {
    const field = `spec.columns[${index}].steps`;
    violations.add(
      field,
      `Expected \`${field}\` to give at most ${featuresMax} numbers a row but they give ${input.width}.`,
    );
  }
  if (column && input && input.kind in featureMakers) {
    const field = `spec.columns[${index}].steps`;
    const message = `Expected \`${field}\` to have a step that makes numbers of ${valueNames[input.kind]}, like ${featureMakers[input.kind]}, since column ${quote(column.name)} is ${typeName(column.type)}.`;
    violations.add(field, message);
  }
}

/** @param input null: unknown, or features that no step reads */
function following(input: ValueType | null, given: ReturnType<(typeof stepDefinitions)[number]['gives']>) {
  if (given === 'same' || input === null) {
    return input;
  }
  return given === 'features' ? null : typeof given === 'string' ? { kind: given } : given;
}

/** What a file may become in the end. */
const featuresMax = 256 * 256 * 3;

const valueNames = { number: 'numbers', list: 'lists', time: 'times', text: 'text', binary: 'files' };
/** Steps that a column of a kind may need. */
const featureMakers: Partial<Record<ValueType['kind'], string>> = {
  text: 'one_hot',
  time: 'calendar',
  binary: 'decode_image or decode_sound',
};

function mismatch(field: string, takes: readonly ValueType['kind'][], input: ValueType, column: Column): string {
  // Lists of numbers are numbers, but where single values are needed.
  const isSingle = !takes.includes('list');
  const names = takes.filter((kind) => kind !== 'list').map((kind) => valueNames[kind]);
  const expected = isSingle && input.kind === 'list' ? 'single values' : names.join(' or ');
  const received =
    typeOf(column)?.kind === input.kind ? typeName(column.type) : `turned into ${valueNames[input.kind]}`;
  return `Expected \`${field}\` to follow ${expected} but column ${quote(column.name)} is ${received}.`;
}
