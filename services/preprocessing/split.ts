import { everyRow, gatherTexts, randomKey } from '../pipeline/index.js';
import { ServiceError, type Violations } from '../platform/errors.js';
import { type Column, isText, typeName } from './column.js';
import { nearest } from './nearest-name.js';
import type { StoredTable } from './stored-table.js';

/** How rows are shared out. Exactly what was asked for. */
export interface SplitSpec {
  /** Empty: rows are drawn at random. */
  column: string;
  validationFraction: number;
  testFraction: number;
  seed: number;
}

export const splitNames = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof splitNames)[number];

/** For each row, the index of its split in `splitNames`: every row is in exactly one. */
export type SplitAssignment = Uint8Array;

const [train, validation, test] = [0, 1, 2];

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
  if (column === '') {
    return;
  }
  if (testOk) {
    violations.check(testFraction === 0, field('test_fraction'), '0 when `split.column` is set', testFraction);
  }
  const found = columns.find(({ name }) => name === column);
  if (!found) {
    violations.add(field('column'), unknownColumn(field('column'), column, columns));
  } else if (!isText(found)) {
    const message = `Expected \`split.column\` to be a column of text but ${JSON.stringify(column)} is ${typeName(found.type)}.`;
    violations.add(field('column'), message);
  }
}

/** Names the columns there are, the nearest first. */
export function unknownColumn(field: string, name: string, columns: readonly Column[]): string {
  const names = columns.map((column) => column.name);
  const guess = nearest(name, names);
  const hint = guess ? `did you mean ${JSON.stringify(guess)}?` : `there are ${names.slice(0, 20).join(', ')}.`;
  return `Expected \`${field}\` to be a column of the dataset but received ${JSON.stringify(name)}; ${hint}`;
}

/** Shares out all rows of a table. @throws ServiceError for a split column that holds something else, or no row to train on */
export async function assignSplits(spec: SplitSpec, table: StoredTable): Promise<SplitAssignment> {
  const assignment: SplitAssignment = new Uint8Array(table.rowCount);
  if (spec.column === '') {
    draw(assignment, spec.seed, test, Math.round(spec.testFraction * table.rowCount));
    draw(assignment, spec.seed, validation, Math.round(spec.validationFraction * table.rowCount));
  } else {
    await assignByColumn(spec, table, assignment);
  }
  if (!assignment.includes(train)) {
    const message = `Expected the split to leave at least one row for training but it leaves none of ${table.rowCount}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'NO_TRAINING_ROWS', message, {
      fieldViolations: [{ field: 'split', description: message }],
    });
  }
  return assignment;
}

async function assignByColumn(spec: SplitSpec, table: StoredTable, assignment: SplitAssignment): Promise<void> {
  const index = table.columns.findIndex(({ name }) => name === spec.column);
  for (const batch of table.batches) {
    const chunk = await table.readColumn(batch, index);
    if (chunk.kind !== 'text' && chunk.kind !== 'dictionary') {
      throw new Error(`the split column is checked to be text, but is ${chunk.kind}`);
    }
    for (const [i, value] of gatherTexts(chunk, everyRow(chunk.length)).entries()) {
      const split = (splitNames as readonly (string | null)[]).indexOf(value);
      if (split < 0) {
        const received = value === null ? 'no value' : JSON.stringify(value);
        const message = `Expected column ${JSON.stringify(spec.column)} to hold train, validation or test but received ${received} in row ${batch.firstRow + i + 1}.`;
        throw new ServiceError('INVALID_ARGUMENT', 'INVALID_SPLIT', message, {
          fieldViolations: [{ field: 'split.column', description: message }],
        });
      }
      assignment[batch.firstRow + i] = split;
    }
  }
  if (spec.validationFraction > 0) {
    if (assignment.includes(validation)) {
      const message = `Expected \`split.validation_fraction\` to be 0, since column ${JSON.stringify(spec.column)} has validation rows of its own, but received ${spec.validationFraction}.`;
      throw new ServiceError('INVALID_ARGUMENT', 'INVALID_SPLIT', message, {
        fieldViolations: [{ field: 'split.validation_fraction', description: message }],
      });
    }
    const trainRows = assignment.reduce((count, split) => count + (split === train ? 1 : 0), 0);
    draw(assignment, spec.seed, validation, Math.round(spec.validationFraction * trainRows));
  }
}

/** Moves the `count` training rows with the smallest random keys to another split; of equal keys, the earlier row. */
function draw(assignment: SplitAssignment, seed: number, target: number, count: number): void {
  if (count === 0) {
    return;
  }
  const keys: number[] = [];
  for (let row = 0; row < assignment.length; row++) {
    if (assignment[row] === train) {
      keys.push(randomKey(seed, row));
    }
  }
  const sorted = Float64Array.from(keys).sort();
  const limit = sorted[count - 1] ?? Number.POSITIVE_INFINITY;
  let atLimit = count - lowerBound(sorted, limit);
  for (let row = 0, i = 0; row < assignment.length; row++) {
    if (assignment[row] === train) {
      const key = keys[i++]!;
      if (key < limit || (key === limit && atLimit-- > 0)) {
        assignment[row] = target;
      }
    }
  }
}

/** How many of the sorted values are below `limit`. */
function lowerBound(sorted: Float64Array, limit: number): number {
  let count = sorted.indexOf(limit);
  while (count > 0 && sorted[count - 1] === limit) {
    count--;
  }
  return Math.max(count, 0);
}

/** Indices, within a batch, of its rows that are in a split. */
export function rowsInSplit(
  assignment: SplitAssignment,
  split: SplitName,
  { firstRow, header }: { firstRow: number; header: { length: number } },
): Int32Array {
  const wanted = splitNames.indexOf(split);
  const rows = new Int32Array(header.length);
  let count = 0;
  for (let i = 0; i < header.length; i++) {
    if (assignment[firstRow + i] === wanted) {
      rows[count++] = i;
    }
  }
  return rows.subarray(0, count);
}

export function countSplits(assignment: SplitAssignment): Record<SplitName, number> {
  const counts = [0, 0, 0];
  for (const split of assignment) {
    counts[split]!++;
  }
  return { train: counts[train]!, validation: counts[validation]!, test: counts[test]! };
}
