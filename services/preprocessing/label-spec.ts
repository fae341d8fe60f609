import { quote, type Violations } from '../platform/errors.js';
import { type Column, isText, typeName } from './column.js';
import type { LabelSpec } from './pipeline-spec.js';
import { findColumn } from './split.js';

/** Columns of a label of KIND_NUMBERS. */
const numbersMax = 1_000;

/** Notes everything that is wrong with a label, as far as the columns' types tell. @param features columns of the pipeline */
export function checkLabel(
  label: LabelSpec | null,
  columns: readonly Column[],
  features: ReadonlySet<string>,
  violations: Violations,
): void {
  if (!label) {
    violations.add('spec.label', 'Expected `spec.label` to be set.');
    return;
  }
  const { column, kind, standardise = false, columns: several = [], separator = '' } = label;
  if (kind === null) {
    const message = 'Expected `spec.label.kind` to be CLASSES, BINARY, NUMBER, NUMBERS or LABELS but it is not set.';
    violations.add('spec.label.kind', message);
  }
  const isNumeric = kind === 'number' || kind === 'numbers';
  const rule = 'false, since only a label of KIND_NUMBER or KIND_NUMBERS is standardised,';
  violations.check(!standardise || isNumeric, 'spec.label.standardise', rule, standardise);
  const find = (name: string, field: string) => {
    if (features.has(name)) {
      violations.add(field, `Expected \`${field}\` to be no feature column but ${quote(name)} is one.`);
    }
    return findColumn(name, field, columns, violations);
  };
  if (kind !== 'labels') {
    const rule = 'unset, since only a label of KIND_LABELS has a separator,';
    violations.check(separator === '', 'spec.label.separator', rule, separator);
  }
  if (kind === 'numbers') {
    const count = several.length;
    const rule = `2 to ${numbersMax} columns (a single one is a label of KIND_NUMBER)`;
    violations.check(count >= 2 && count <= numbersMax, 'spec.label.columns', rule, count);
    checkSeveral(label, find, checkNumber, violations);
  } else if (kind !== 'labels') {
    const rule = 'unset, since only a label of KIND_LABELS or KIND_NUMBERS has several columns,';
    violations.check(several.length === 0, 'spec.label.columns', rule, several);
    checkSingle(find(column, 'spec.label.column'), kind, violations);
  } else if (several.length === 0) {
    checkSets(find(column, 'spec.label.column'), separator, violations);
  } else {
    violations.check(separator === '', 'spec.label.separator', 'unset beside `spec.label.columns`', separator);
    checkSeveral(label, find, checkFlag, violations);
  }
}

/** Of several columns each by itself, and that none is named twice. */
function checkSeveral(
  { column, columns = [] }: LabelSpec,
  find: (name: string, field: string) => Column | null,
  check: (found: Column | null, field: string, violations: Violations) => void,
  violations: Violations,
): void {
  violations.check(column === '', 'spec.label.column', 'unset beside `spec.label.columns`', column);
  for (const [i, name] of columns.entries()) {
    const field = `spec.label.columns[${i}]`;
    check(find(name, field), field, violations);
    if (columns.indexOf(name) < i) {
      violations.add(field, `Expected \`${field}\` to be named once but ${quote(name)} is named twice.`);
    }
  }
}

/** One label a row. */
function checkSingle(found: Column | null, kind: LabelSpec['kind'], violations: Violations): void {
  const kinds = kind === 'number' ? ['number'] : ['number', 'boolean', 'text', 'dictionary'];
  if (found && !kinds.includes(found.type.kind)) {
    const expected = kind === 'number' ? 'numbers' : 'single values';
    refuse(found, 'spec.label.column', expected, violations);
  }
}

/** Any number of classes a row, in one column. */
function checkSets(found: Column | null, separator: string, violations: Violations): void {
  if (!found) {
    return;
  }
  const isList = found.type.kind === 'nested' && found.type.item.kind === 'text';
  if (!isList && !isText(found)) {
    refuse(found, 'spec.label.column', 'lists of text, or of text that `spec.label.separator` parts,', violations);
  } else if (isList) {
    violations.check(separator === '', 'spec.label.separator', 'unset for a column of lists', separator);
  } else {
    const rule = 'what parts the classes in a column of text, for example ";",';
    violations.check(separator !== '', 'spec.label.separator', rule, separator);
  }
}

/** Whether a row is of one class. */
function checkFlag(found: Column | null, field: string, violations: Violations): void {
  if (found && found.type.kind !== 'boolean' && found.type.kind !== 'number') {
    refuse(found, field, 'truth values, or of 0 and 1,', violations);
  }
}

/** One of several numbers. */
function checkNumber(found: Column | null, field: string, violations: Violations): void {
  if (found && found.type.kind !== 'number') {
    refuse(found, field, 'numbers', violations);
  }
}

function refuse({ name, type }: Column, field: string, expected: string, violations: Violations): void {
  violations.add(field, `Expected \`${field}\` to be a column of ${expected} but ${quote(name)} is ${typeName(type)}.`);
}
