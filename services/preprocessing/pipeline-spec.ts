import { quote, type Violations } from '../platform/errors.js';
import { type Column, isText, typeName } from './column.js';
import { unknownColumn } from './split.js';

/** A step as it was asked for; null: left to the training split, or not set. */
export type StepSpec =
  | { kind: 'impute'; strategy: ImputeStrategy | null; number: number | null; text: string | null }
  | { kind: 'scale'; minimum: number | null; maximum: number | null }
  | { kind: 'standardise' }
  | { kind: 'oneHot'; categoriesMax: number | null }
  | { kind: null };
export type ImputeStrategy = 'mean' | 'median' | 'mostFrequent' | 'constant';

export interface ColumnSpec {
  column: string;
  steps: StepSpec[];
}

export interface LabelSpec {
  column: string;
  kind: 'classes' | 'binary' | 'number' | null;
}

export interface PipelineSpec {
  columns: ColumnSpec[];
  label: LabelSpec | null;
}

export const categoriesMaxDefault = 1_000;
const categoriesMaxLimit = 10_000;

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
    if (seen.has(column)) {
      violations.add(
        `${field}.column`,
        `Expected \`${field}.column\` to be named once but ${quote(column)} is named twice.`,
      );
    }
    seen.add(column);
    const found = findColumn(column, `${field}.column`, columns, violations);
    if (found && column === splitColumn) {
      const message = `Expected \`${field}.column\` to be a column that a record brings, but ${quote(column)} is the split.`;
      violations.add(`${field}.column`, message);
    }
    checkSteps(steps, found, field, violations);
  }
  checkLabel(spec.label, columns, seen, violations);
}

function findColumn(name: string, field: string, columns: readonly Column[], violations: Violations): Column | null {
  const found = columns.find((column) => column.name === name);
  if (!found) {
    violations.add(field, unknownColumn(field, name, columns));
  }
  return found ?? null;
}

/** @param column null: unknown, so that only what holds for any type is checked */
function checkSteps(steps: StepSpec[], column: Column | null, columnField: string, violations: Violations): void {
  let hasImpute = false;
  for (const [k, step] of steps.entries()) {
    const field = `${columnField}.steps[${k}]`;
    switch (step.kind) {
      case null:
        violations.add(
          field,
          `Expected \`${field}\` to be one of impute, scale, standardise, one_hot but none is set.`,
        );
        break;
      case 'impute':
        checkImpute(step, column, `${field}.impute`, violations);
        if (hasImpute) {
          violations.add(
            `${field}.impute`,
            `Expected \`${field}.impute\` to stand once: after the first, nothing is missing.`,
          );
        }
        hasImpute = true;
        break;
      case 'scale':
        checkScale(step, `${field}.scale`, violations);
        requireNumbers(column, `${field}.scale`, violations);
        break;
      case 'standardise':
        requireNumbers(column, `${field}.standardise`, violations);
        break;
      case 'oneHot':
        checkOneHot(step, column, `${field}.one_hot`, k === steps.length - 1, violations);
    }
  }
  if (column && isText(column) && !steps.some(({ kind }) => kind === 'oneHot')) {
    const message = `Expected \`${columnField}.steps\` to have a one_hot step, since column ${quote(column.name)} is text.`;
    violations.add(`${columnField}.steps`, message);
  }
}

function requireNumbers(column: Column | null, field: string, violations: Violations): void {
  if (column && isText(column)) {
    violations.add(
      field,
      `Expected \`${field}\` to follow numbers but column ${quote(column.name)} is ${typeName(column.type)}.`,
    );
  }
}

function checkImpute(
  { strategy, number, text }: StepSpec & { kind: 'impute' },
  column: Column | null,
  field: string,
  violations: Violations,
): void {
  if (strategy === null) {
    const message = `Expected \`${field}.strategy\` to be MEAN, MEDIAN, MOST_FREQUENT or CONSTANT but it is not set.`;
    violations.add(`${field}.strategy`, message);
  }
  if (strategy === 'mean' || strategy === 'median') {
    requireNumbers(column, field, violations);
  }
  const wanted = strategy !== 'constant' || !column ? null : isText(column) ? 'text' : 'number';
  if (number !== null && !Number.isFinite(number)) {
    violations.check(false, `${field}.number`, 'finite', number);
  }
  if (wanted === 'number' && (number === null || text !== null)) {
    const message = `Expected \`${field}\` to have a number and no text, since column ${quote(column!.name)} holds numbers.`;
    violations.add(`${field}.number`, message);
  }
  if (wanted === 'text' && (text === null || number !== null)) {
    const message = `Expected \`${field}\` to have a text and no number, since column ${quote(column!.name)} holds text.`;
    violations.add(`${field}.text`, message);
  }
  if (strategy !== null && strategy !== 'constant' && (number !== null || text !== null)) {
    const message = `Expected \`${field}\` to have a number or text with STRATEGY_CONSTANT only.`;
    violations.add(`${field}.${number === null ? 'text' : 'number'}`, message);
  }
}

function checkScale({ minimum, maximum }: StepSpec & { kind: 'scale' }, field: string, violations: Violations): void {
  const isGiven = (value: number | null, name: string) =>
    value === null || violations.check(Number.isFinite(value), `${field}.${name}`, 'finite', value);
  const minimumOk = isGiven(minimum, 'minimum');
  const maximumOk = isGiven(maximum, 'maximum');
  if (minimumOk && maximumOk && minimum !== null && maximum !== null) {
    violations.check(maximum > minimum, `${field}.maximum`, `greater than \`minimum\`, ${minimum},`, maximum);
  }
}

function checkOneHot(
  { categoriesMax }: StepSpec & { kind: 'oneHot' },
  column: Column | null,
  field: string,
  isLast: boolean,
  violations: Violations,
): void {
  if (categoriesMax !== null) {
    const isAllowed = Number.isInteger(categoriesMax) && categoriesMax >= 1 && categoriesMax <= categoriesMaxLimit;
    violations.check(isAllowed, `${field}.categories_max`, `from 1 to ${categoriesMaxLimit}`, categoriesMax);
  }
  if (!isLast) {
    violations.add(field, `Expected \`${field}\` to be the last step.`);
  }
  if (column?.type.kind === 'list') {
    violations.add(
      field,
      `Expected \`${field}\` to follow single values but column ${quote(column.name)} is ${typeName(column.type)}.`,
    );
  }
}

function checkLabel(
  label: LabelSpec | null,
  columns: readonly Column[],
  features: ReadonlySet<string>,
  violations: Violations,
): void {
  if (!label) {
    violations.add('spec.label', 'Expected `spec.label` to be set.');
    return;
  }
  const { column, kind } = label;
  if (kind === null) {
    violations.add('spec.label.kind', 'Expected `spec.label.kind` to be CLASSES, BINARY or NUMBER but it is not set.');
  }
  const found = findColumn(column, 'spec.label.column', columns, violations);
  if (features.has(column)) {
    const message = `Expected \`spec.label.column\` to be no feature column but ${quote(column)} is one.`;
    violations.add('spec.label.column', message);
  }
  if (found?.type.kind === 'list' || (found && kind === 'number' && found.type.kind !== 'number')) {
    const expected = kind === 'number' ? 'a column of numbers' : 'a column of single values';
    const message = `Expected \`spec.label.column\` to be ${expected} but ${quote(column)} is ${typeName(found.type)}.`;
    violations.add('spec.label.column', message);
  }
}
