import { type SplitAssignment, type SplitName, splitNames, train } from '../split.js';
import type { StoredTable } from '../stored-table.js';
import { counted, type Finding, firstRowsMax, percent } from './finding.js';
import { groupEqualRows } from './row-groups.js';

/** Rows that hold what an earlier row holds. */
export async function duplicatedRows(table: StoredTable, scratch: string, signal: AbortSignal): Promise<Finding[]> {
  const first = new FirstRows();
  for await (const { rows, contentOf, contents } of groupEqualRows(table, [...table.columns.keys()], scratch, signal)) {
    const isKnown = new Uint8Array(contents);
    for (const [i, content] of contentOf.entries()) {
      if (isKnown[content]) {
        first.add(rows[i]!);
      }
      isKnown[content] = 1;
    }
  }
  if (first.count === 0) {
    return [];
  }
  return [
    {
      kind: 'duplicatedRows',
      severity: 'warning',
      columns: [],
      rowCount: first.count,
      firstRows: first.rows(),
      measure: first.count / table.rowCount,
      message: `${counted(first.count, 'row')} of ${table.rowCount.toLocaleString('en-US')} (${percent(first.count, table.rowCount)}) hold${first.count === 1 ? 's' : ''} in every column what an earlier row holds.`,
      advice:
        'If each stands for something that happened, keep them; else remove the repetitions before the import. Where rows are split at random, equal ones may land on both sides.',
    },
  ];
}

/**
 * Rows of validation or test that hold what a training row holds: what is measured there is, for them, memory and not skill.
 * @param splitColumn does not count, as it differs by its nature; empty: there is none
 */
export async function rowsInSeveralSplits(
  table: StoredTable,
  assignment: SplitAssignment,
  splitColumn: string,
  scratch: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const columns = [...table.columns.keys()].filter((index) => table.columns[index]!.name !== splitColumn);
  const found = splitNames.map(() => new FirstRows());
  for await (const { rows, contentOf, contents } of groupEqualRows(table, columns, scratch, signal)) {
    const isTrained = new Uint8Array(contents);
    for (const [i, content] of contentOf.entries()) {
      isTrained[content]! |= assignment[rows[i]!] === train ? 1 : 0;
    }
    for (const [i, content] of contentOf.entries()) {
      const split = assignment[rows[i]!]!;
      if (split !== train && isTrained[content]) {
        found[split]!.add(rows[i]!);
      }
    }
  }
  return splitNames.flatMap((name, split) => {
    const first = found[split]!;
    return first.count === 0 ? [] : [severalSplits(name, first, assignment.filter((one) => one === split).length)];
  });
}

function severalSplits(name: SplitName, first: FirstRows, splitRows: number): Finding {
  const rows = `${counted(first.count, 'row')} of the ${name} split (${percent(first.count, splitRows)})`;
  return {
    kind: 'rowsInSeveralSplits',
    severity: name === 'test' ? 'error' : 'warning',
    columns: [],
    rowCount: first.count,
    firstRows: first.rows(),
    measure: first.count / splitRows,
    message: `${rows} also stand${first.count === 1 ? 's' : ''} in the training split.`,
    advice:
      'Remove the repetitions before the import, or split by a column that keeps equal rows together (`group_column`): else the model is asked what it was told.',
  };
}

/** Counts rows and keeps the first few; they come in any order. */
class FirstRows {
  #rows: number[] = [];
  count = 0;

  add(row: number): void {
    this.count++;
    if (this.#rows.length < firstRowsMax || row + 1 < this.#rows.at(-1)!) {
      this.#rows.push(row + 1);
      this.#rows.sort((a, b) => a - b);
      this.#rows.splice(firstRowsMax);
    }
  }

  /** From 1. */
  rows(): number[] {
    return this.#rows;
  }
}
