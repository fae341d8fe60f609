import { type FittedLabel, randomKey } from '../pipeline/index.js';
import type { Violations } from '../platform/errors.js';
import type { LabelSpec } from './pipeline-spec.js';
import { rowsInSplit, type SplitAssignment, test, train, unused, validation } from './split.js';
import type { StoredTable } from './stored-table.js';
import { TargetReader } from './target-reader.js';

/** Which rows of the training split a pipeline is fitted on: those without a fold, or a share of them. */
export interface TrainingPart {
  folds: number;
  /** The one that is left out, from 1. */
  fold: number;
  /** Whether classes are shared out evenly. */
  stratified: boolean;
  seed: number;
  /** Share of the rows without the fold; 0: all of them. */
  trainSize: number;
}

const foldsMax = 100;

export function checkTrainingPart(part: TrainingPart | null, label: LabelSpec | null, violations: Violations): void {
  if (!part) {
    return;
  }
  const { folds, fold, stratified, seed, trainSize } = part;
  violations.check(folds >= 2 && folds <= foldsMax, 'part.folds', `from 2 to ${foldsMax}`, folds);
  violations.check(fold >= 1 && fold <= folds, 'part.fold', 'from 1 to `part.folds`', fold);
  violations.check(Number.isSafeInteger(seed) && seed >= 0, 'part.seed', 'from 0 to 2^53 - 1', seed);
  violations.check(trainSize >= 0 && trainSize <= 1, 'part.train_size', 'from 0 to 1', trainSize);
  const hasClass = label?.kind === 'classes' || label?.kind === 'binary';
  violations.check(hasClass || !stratified, 'part.stratified', 'false with a label of another kind than classes', true);
}

/**
 * Which rows are for what when a part is fitted: its own are for training, those of its fold in the place of the test, and what is left
 * of the training split and the test split are for nothing.
 * @param whole without parts; it is not changed
 * @param label fitted on the whole training split
 */
export async function assignPart(
  part: TrainingPart,
  whole: SplitAssignment,
  label: FittedLabel,
  table: StoredTable,
): Promise<SplitAssignment> {
  const rows: number[] = [];
  const strata: number[] = [];
  const targets = new TargetReader(label, table);
  for (const batch of table.batches) {
    const own = rowsInSplit(whole, 'train', batch);
    for (const row of own) {
      rows.push(batch.firstRow + row);
    }
    if (part.stratified && own.length > 0) {
      const targetsOf = await targets.read(batch);
      for (const target of targetsOf(own)) {
        strata.push(target);
      }
    }
  }
  const classes = part.stratified ? strata : null;
  const foldOf = assignFolds(rows.length, part, classes);
  const isTaken = takeShare(foldOf, part, classes);
  const assignment = whole.map((split) => (split === validation ? validation : unused));
  for (const [i, row] of rows.entries()) {
    assignment[row] = foldOf[i] === part.fold ? test : isTaken(i) ? train : unused;
  }
  return assignment;
}

/**
 * The fold of each row, from 1. Rows are shuffled, class by class if `strata` tells classes, and dealt out one by one: folds differ by at
 * most a row in size, and at most a row in each class.
 * @param strata the class of each row; null: rows are all alike
 */
export function assignFolds(
  rows: number,
  { folds, seed }: Pick<TrainingPart, 'folds' | 'seed'>,
  strata: ArrayLike<number> | null,
): Uint8Array {
  const keys = Float64Array.from({ length: rows }, (_, row) => randomKey(seed, row));
  const order = Uint32Array.from(keys.keys()).sort(
    (a, b) => (strata === null ? 0 : strata[a]! - strata[b]!) || keys[a]! - keys[b]! || a - b,
  );
  const foldOf = new Uint8Array(rows);
  for (const [place, row] of order.entries()) {
    foldOf[row] = 1 + (place % folds);
  }
  return foldOf;
}

/**
 * The rows without a fold, of which the first `share` is taken: in the order of their keys, each class as evenly as it can be, so that a
 * smaller share is a part of a larger one.
 * @param strata the class of each row; null: rows are all alike
 */
export function takeShare(
  foldOf: Uint8Array,
  { seed, fold, trainSize }: TrainingPart,
  strata: ArrayLike<number> | null,
): (row: number) => boolean {
  if (trainSize === 0) {
    return (row) => foldOf[row] !== fold;
  }
  const rows = Uint32Array.from(foldOf.keys()).filter((row) => foldOf[row] !== fold);
  const keys = Float64Array.from(foldOf, (_, row) => randomKey(seed, row));
  const byClass = new Map<number, number[]>();
  for (const row of rows.sort((a, b) => keys[a]! - keys[b]! || a - b)) {
    const stratum = strata?.[row] ?? 0;
    byClass.set(stratum, [...(byClass.get(stratum) ?? []), row]);
  }
  const placed = [...byClass.values()].flatMap((own) => own.map((row, i) => ({ row, place: (i + 0.5) / own.length })));
  placed.sort((a, b) => a.place - b.place || keys[a.row]! - keys[b.row]! || a.row - b.row);
  const taken = new Set(placed.slice(0, Math.max(Math.round(rows.length * trainSize), 1)).map(({ row }) => row));
  return (row) => taken.has(row);
}
