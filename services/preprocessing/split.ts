import { everyRow } from '../pipeline/index.js';
import type { Violations } from '../platform/errors.js';
import { nearest } from '../platform/nearest-name.js';
import { type Column, type ColumnType, isText, typeName } from './column.js';

/** How rows are shared out. Exactly what was asked for. Columns are empty where none is named. */
export interface SplitSpec {
  /** Holds `train`, `validation` or `test`. */
  column: string;
  /** Each of its values has its share in every split. */
  stratifyColumn: string;
  /** Rows with the same value stay together. */
  groupColumn: string;
  /** The latest rows are the test, those before them validation. */
  timeColumn: string;
  validationFraction: number;
  testFraction: number;
  seed: number;
}

export const splitNames = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof splitNames)[number];

/** For each row, the index of its split in `splitNames`: every row is in exactly one, or in none (`unused`) of a part. */
export type SplitAssignment = Uint8Array;

export const [train, validation, test, unused] = [0, 1, 2, 3] as const;

export const wholeSplit: SplitSpec = {
  column: '',
  stratifyColumn: '',
  groupColumn: '',
  timeColumn: '',
  validationFraction: 0,
  testFraction: 0,
  seed: 0,
};

export function checkSplit(spec: SplitSpec, columns: readonly Column[], violations: Violations): void {
  const { column, validationFraction, testFraction, seed } = spec;
  const isFraction = (value: number) => value >= 0 && value < 1;
  const field = (name: string) => `split.${name}`;
  violations.check(isFraction(validationFraction), field('validation_fraction'), 'in [0, 1)', validationFraction);
  const testOk = violations.check(isFraction(testFraction), field('test_fraction'), 'in [0, 1)', testFraction);
  if (isFraction(validationFraction) && isFraction(testFraction) && validationFraction + testFraction >= 1) {
    const sum = `${validationFraction} + ${testFraction}`;
    violations.add(
      field('validation_fraction'),
      `Expected \`split.validation_fraction\` and \`split.test_fraction\` to leave rows for training but received ${sum}.`,
    );
  }
  violations.check(Number.isSafeInteger(seed) && seed >= 0, field('seed'), 'an integer from 0 to 2^53 - 1', seed);
  if (column !== '') {
    if (testOk) {
      violations.check(testFraction === 0, field('test_fraction'), '0 when `split.column` is set', testFraction);
    }
    checkColumn(field('column'), column, columns, 'of text', isText, violations);
  }
  const given = methods.filter(({ key }) => spec[key] !== '');
  if (given.length > 1) {
    const names = given.map(({ name }) => `\`${field(name)}\``);
    const message = `Expected at most one of \`split.stratify_column\`, \`group_column\` and \`time_column\` but received ${names.join(' and ')}.`;
    violations.add(field(given[1]!.name), message);
  }
  for (const { key, name, expected, kinds } of given) {
    checkColumn(field(name), spec[key], columns, expected, ({ type }) => kinds.includes(type.kind), violations);
    if (spec[key] === column) {
      const message = `Expected \`${field(name)}\` to be another column than \`split.column\` but both are ${JSON.stringify(column)}.`;
      violations.add(field(name), message);
    }
  }
}

const times: ColumnType['kind'][] = ['number', 'date', 'timestamp'];
const singleValues: ColumnType['kind'][] = [...times, 'boolean', 'text', 'dictionary', 'decimal', 'binary'];
/** Ways to share rows out other than drawing them one by one. */
const methods = [
  { key: 'stratifyColumn', name: 'stratify_column', expected: 'of single values', kinds: singleValues },
  { key: 'groupColumn', name: 'group_column', expected: 'of single values', kinds: singleValues },
  { key: 'timeColumn', name: 'time_column', expected: 'of numbers or times', kinds: times },
] as const;

function checkColumn(
  field: string,
  name: string,
  columns: readonly Column[],
  expected: string,
  isAllowed: (column: Column) => boolean,
  violations: Violations,
): void {
  const found = columns.find((column) => column.name === name);
  if (!found) {
    violations.add(field, unknownColumn(field, name, columns));
  } else if (!isAllowed(found)) {
    const message = `Expected \`${field}\` to be a column ${expected} but ${JSON.stringify(name)} is ${typeName(found.type)}.`;
    violations.add(field, message);
  }
}

/** Null: there is none of that name, which is noted. */
export function findColumn(
  name: string,
  field: string,
  columns: readonly Column[],
  violations: Violations,
): Column | null {
  const found = columns.find((column) => column.name === name);
  if (!found) {
    violations.add(field, unknownColumn(field, name, columns));
  }
  return found ?? null;
}

/** Names the columns there are, the nearest first. */
export function unknownColumn(field: string, name: string, columns: readonly Column[]): string {
  const names = columns.map((column) => column.name);
  const guess = nearest(name, names);
  const hint = guess ? `did you mean ${JSON.stringify(guess)}?` : `there are ${names.slice(0, 20).join(', ')}.`;
  return `Expected \`${field}\` to be a column of the dataset but received ${JSON.stringify(name)}; ${hint}`;
}

/** Indices, within a batch, of its rows that are in a split; not to be changed. */
export function rowsInSplit(
  assignment: SplitAssignment,
  split: SplitName,
  { firstRow, header }: { firstRow: number; header: { length: number } },
): Int32Array {
  const wanted = splitNames.indexOf(split);
  const splits = assignment.subarray(firstRow, firstRow + header.length);
  if (!splits.includes(wanted)) {
    return everyRow(0);
  }
  if (areSame(splits)) {
    return everyRow(header.length);
  }
  const rows = new Int32Array(header.length);
  let count = 0;
  for (let i = 0; i < header.length; i++) {
    if (splits[i] === wanted) {
      rows[count++] = i;
    }
  }
  return rows.subarray(0, count);
}

/** Each is as the one before it: to compare all at once takes less than to look at one after the other. */
function areSame(splits: Uint8Array): boolean {
  return Buffer.compare(splits.subarray(1), splits.subarray(0, -1)) === 0;
}

export function countSplits(assignment: SplitAssignment): Record<SplitName, number> {
  const counts = new Float64Array(splitNames.length + 1);
  if (areSame(assignment)) {
    counts[assignment[0]!] = assignment.length;
  } else {
    for (let row = 0; row < assignment.length; row++) {
      counts[assignment[row]!]!++;
    }
  }
  return { train: counts[train]!, validation: counts[validation]!, test: counts[test]! };
}
