import { type ColumnChunk, everyRow, gatherTexts, isValid, randomKey } from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';
import { type Shares, shareOut } from './controlled-rounding.js';
import { chooseGroups } from './group-choice.js';
import { HashIndex } from './hash-index.js';
import { orderedKeys } from './ordered-keys.js';
import { selectRanks } from './rank-selection.js';
import { drawRows, type Strata } from './row-draw.js';
import { hashColumn } from './row-hash.js';
import { countSplits, type SplitAssignment, type SplitSpec, splitNames, test, train, validation } from './split.js';
import type { StoredTable } from './stored-table.js';

export const strataMax = 10_000;

/** Shares out all rows of a table. @throws ServiceError for a column that holds something else, or no row to train on */
export async function assignSplits(spec: SplitSpec, table: StoredTable): Promise<SplitAssignment> {
  const assignment: SplitAssignment = new Uint8Array(table.rowCount);
  if (spec.column !== '') {
    await assignByColumn(spec, table, assignment);
  }
  const { train: rows } = countSplits(assignment);
  const testCount = Math.round(spec.testFraction * rows);
  const validationCount = Math.round(spec.validationFraction * rows);
  const totals: Shares = [rows - testCount - validationCount, validationCount, testCount];
  if (spec.stratifyColumn !== '') {
    await drawStratified(spec, table, assignment, totals);
  } else if (spec.groupColumn !== '') {
    await assignGroups(spec, table, assignment, totals);
  } else if (spec.timeColumn !== '') {
    await assignByTime(spec, table, assignment, totals);
  } else if (totals[train] < rows) {
    drawRows(assignment, spec.seed, [totals], null);
  }
  if (!assignment.includes(train)) {
    const message = `Expected the split to leave at least one row for training but it leaves none of ${table.rowCount}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'NO_TRAINING_ROWS', message, {
      fieldViolations: [{ field: 'split', description: message }],
    });
  }
  return assignment;
}

function invalidSplit(field: string, message: string): ServiceError {
  return new ServiceError('INVALID_ARGUMENT', 'INVALID_SPLIT', message, {
    fieldViolations: [{ field: `split.${field}`, description: message }],
  });
}

/** A column in batches. @param field where it was named, if no value may be missing */
async function* chunksOf(table: StoredTable, name: string, field: string | null = null) {
  const index = table.columns.findIndex((column) => column.name === name);
  for (const batch of table.batches) {
    const chunk = await table.readColumn(batch, index);
    if (field !== null) {
      refuseMissing(chunk, name, field, batch.firstRow);
    }
    yield { chunk, firstRow: batch.firstRow };
  }
}

function refuseMissing({ length, validity }: ColumnChunk, name: string, field: string, firstRow: number): void {
  for (let i = 0; validity !== null && i < length; i++) {
    if (!isValid(validity, i)) {
      const message = `Expected every row to have a value in column ${JSON.stringify(name)} but row ${firstRow + i + 1} has none.`;
      throw invalidSplit(field, message);
    }
  }
}

async function assignByColumn(spec: SplitSpec, table: StoredTable, assignment: SplitAssignment): Promise<void> {
  for await (const { chunk, firstRow } of chunksOf(table, spec.column)) {
    if (chunk.kind !== 'text' && chunk.kind !== 'dictionary') {
      throw new Error(`the split column is checked to be text, but is ${chunk.kind}`);
    }
    for (const [i, value] of gatherTexts(chunk, everyRow(chunk.length)).entries()) {
      const split = (splitNames as readonly (string | null)[]).indexOf(value);
      if (split < 0) {
        const received = value === null ? 'no value' : JSON.stringify(value);
        const message = `Expected column ${JSON.stringify(spec.column)} to hold train, validation or test but received ${received} in row ${firstRow + i + 1}.`;
        throw invalidSplit('column', message);
      }
      assignment[firstRow + i] = split;
    }
  }
  if (spec.validationFraction > 0 && assignment.includes(validation)) {
    const message = `Expected \`split.validation_fraction\` to be 0, since column ${JSON.stringify(spec.column)} has validation rows of its own, but received ${spec.validationFraction}.`;
    throw invalidSplit('validation_fraction', message);
  }
}

async function drawStratified(
  { stratifyColumn, seed }: SplitSpec,
  table: StoredTable,
  assignment: SplitAssignment,
  totals: Shares,
): Promise<void> {
  const index = new HashIndex();
  const strata = new Uint16Array(table.rowCount);
  const sizes: number[] = [];
  for await (const { chunk, firstRow } of chunksOf(table, stratifyColumn)) {
    const { low, high } = hashColumn(chunk);
    for (let i = 0; i < chunk.length; i++) {
      const stratum = index.add(low[i]!, high[i]!);
      if (stratum >= strataMax) {
        const message = `Expected column ${JSON.stringify(stratifyColumn)} to have at most ${strataMax} values to stratify by but it has more.`;
        throw invalidSplit('stratify_column', message);
      }
      strata[firstRow + i] = stratum;
      sizes[stratum] = (sizes[stratum] ?? 0) + (assignment[firstRow + i] === train ? 1 : 0);
    }
  }
  // In an order that does not depend on that of the rows.
  const order = sizes.map((_, stratum) => stratum).sort((a, b) => compareKeys(index, a, b));
  const shared = shareOut(
    order.map((stratum) => sizes[stratum]!),
    totals,
  );
  const shares: Shares[] = [];
  for (const [i, stratum] of order.entries()) {
    shares[stratum] = shared[i]!;
  }
  drawRows(assignment, seed, shares, strata satisfies Strata);
}

function compareKeys(index: HashIndex, a: number, b: number): number {
  const [[lowA, highA], [lowB, highB]] = [index.key(a), index.key(b)];
  return highA - highB || lowA - lowB;
}

async function assignGroups(
  { groupColumn, seed }: SplitSpec,
  table: StoredTable,
  assignment: SplitAssignment,
  totals: Shares,
): Promise<void> {
  const index = new HashIndex();
  const groups = new Uint32Array(table.rowCount);
  for await (const { chunk, firstRow } of chunksOf(table, groupColumn, 'group_column')) {
    const { low, high } = hashColumn(chunk);
    for (let i = 0; i < chunk.length; i++) {
      groups[firstRow + i] = index.add(low[i]!, high[i]!);
    }
  }
  const splits = splitsOfGroups(groupColumn, assignment, groups, index.size);
  const sizes = new Uint32Array(index.size);
  for (const group of groups) {
    sizes[group]!++;
  }
  // By the group's value, not by its place, so that the order of the rows does not matter.
  const keys = Float64Array.from(sizes, (_, group) => {
    const [low, high] = index.key(group);
    return randomKey(seed, (low ^ high) >>> 0);
  });
  let order = [...sizes.keys()].filter((group) => splits[group] === train);
  order.sort((a, b) => keys[a]! - keys[b]! || compareKeys(index, a, b));
  for (const [split, othersCount] of [
    [test, totals[validation] > 0 ? 2 : 1],
    [validation, 1],
  ] as const) {
    if (totals[split] === 0) {
      continue;
    }
    const kept = keepGroups(sizes, order, othersCount, groupColumn);
    const chosen = new Set(
      chooseGroups(
        sizes,
        order.filter((group) => !kept.has(group)),
        totals[split],
      ),
    );
    for (const group of chosen) {
      splits[group] = split;
    }
    order = order.filter((group) => !chosen.has(group));
  }
  for (let row = 0; row < assignment.length; row++) {
    assignment[row] = splits[groups[row]!]!;
  }
}

/** The split that each group is in: training, but for those of a split column, where none may be in two. */
function splitsOfGroups(column: string, assignment: SplitAssignment, groups: Uint32Array, count: number): Uint8Array {
  const unknown = 255;
  const splits = new Uint8Array(count).fill(unknown);
  for (let row = 0; row < groups.length; row++) {
    const group = groups[row]!;
    if (splits[group] === unknown) {
      splits[group] = assignment[row]!;
    } else if (splits[group] !== assignment[row]) {
      const [one, other] = [splitNames[splits[group]!], splitNames[assignment[row]!]];
      const message = `Expected the rows of a group in column ${JSON.stringify(column)} to be in one split but that of row ${row + 1} is in ${other} and, in an earlier row, in ${one}.`;
      throw invalidSplit('group_column', message);
    }
  }
  return splits;
}

/** Groups that are left for the splits to come: the largest for training, and the last ones. */
function keepGroups(sizes: Uint32Array, order: readonly number[], count: number, column: string): Set<number> {
  if (order.length <= count) {
    const message = `Expected column ${JSON.stringify(column)} to have a group for each split but there are ${order.length} to share out among ${count + 1}.`;
    throw invalidSplit('group_column', message);
  }
  const largest = order.reduce((best, group) => (sizes[group]! > sizes[best]! ? group : best));
  return new Set([largest, ...order.filter((group) => group !== largest).slice(order.length - count)]);
}

async function assignByTime(
  { timeColumn }: SplitSpec,
  table: StoredTable,
  assignment: SplitAssignment,
  totals: Shares,
): Promise<void> {
  const trainingKeys = async function* () {
    for await (const { chunk, firstRow } of chunksOf(table, timeColumn, 'time_column')) {
      const { low, high } = orderedKeys(timesOf(chunk));
      const isOurs = (_: number, i: number) => assignment[firstRow + i] === train;
      yield { low: low.filter(isOurs), high: high.filter(isOurs) };
    }
  };
  // Places, by time, of the first row of validation and of the first row of the test.
  const rows = totals[train] + totals[validation] + totals[test];
  const places = [totals[train], totals[train] + totals[validation]].filter((place) => place < rows);
  const cuts = await selectRanks(trainingKeys, places);
  // Of rows at the same time, the earlier ones are before the cut.
  const open = cuts.map(({ before }, i) => places[i]! - before);
  for await (const { chunk, firstRow } of chunksOf(table, timeColumn)) {
    const { low, high } = orderedKeys(timesOf(chunk));
    for (let i = 0; i < chunk.length; i++) {
      if (assignment[firstRow + i] === train) {
        const reached = cuts.filter((cut, k) => {
          const order = high[i]! - cut.high || low[i]! - cut.low;
          return order > 0 || (order === 0 && open[k]!-- <= 0);
        });
        assignment[firstRow + i] = [train, validation, test][reached.length]!;
      }
    }
  }
}

function timesOf(chunk: ColumnChunk) {
  if (chunk.kind !== 'number' && chunk.kind !== 'time') {
    throw new Error(`the time column is checked to be numbers or times, but is ${chunk.kind}`);
  }
  return chunk.values;
}
