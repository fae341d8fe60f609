/** Rows of one stratum in each split: train, validation, test. */
export type Shares = [train: number, validation: number, test: number];

/**
 * Shares out strata so that each split gets exactly its total, and each stratum's part of a split is its fair part rounded up
 * or down (a controlled rounding, which always exists: Bacharach 1966). Deterministic; larger fractions are rounded up first.
 *
 * @param sizes rows of each stratum
 * @param totals rows of each split; their sum is that of `sizes`
 */
export function shareOut(sizes: readonly number[], totals: Shares): Shares[] {
  const all = totals.reduce((sum, total) => sum + total, 0);
  const rows = sizes.map((size) => new RoundedRow(size, totals, all));
  const open = [0, 1, 2].map((split) => totals[split]! - rows.reduce((sum, { floors }) => sum + floors[split]!, 0));
  for (const row of rows) {
    for (const split of row.roundedUp()) {
      open[split]!--;
    }
  }
  balance(rows, open);
  return rows.map(({ floors, ups }) => floors.map((floor, split) => floor + (ups[split] ? 1 : 0)) as Shares);
}

/** Fair parts of a stratum, in whole rows and what is left of each. */
class RoundedRow {
  readonly floors: number[];
  /** In units of 1 / rows of the table. */
  readonly fractions: number[];
  readonly ups: boolean[] = [false, false, false];

  constructor(size: number, totals: Shares, all: number) {
    // Size times total may exceed 2^53.
    const fair = totals.map((total) => BigInt(size) * BigInt(total));
    this.floors = fair.map((part) => Number(part / BigInt(all)));
    this.fractions = fair.map((part) => Number(part % BigInt(all)));
    const ups = size - this.floors.reduce((sum, floor) => sum + floor, 0);
    const byFraction = [0, 1, 2].sort((a, b) => this.fractions[b]! - this.fractions[a]! || b - a);
    for (const split of byFraction.slice(0, ups)) {
      this.ups[split] = true;
    }
  }

  roundedUp(): number[] {
    return [0, 1, 2].filter((split) => this.ups[split]);
  }

  /** Whether rounding up may move from one split to the other. */
  canMove(from: number, to: number): boolean {
    return this.ups[from]! && !this.ups[to] && this.fractions[to]! > 0;
  }

  move(from: number, to: number): void {
    this.ups[from] = false;
    this.ups[to] = true;
  }
}

/** Moves roundings from splits with too many (`open` below 0) to splits with too few, if need be by way of the third. */
function balance(rows: RoundedRow[], open: number[]): void {
  for (;;) {
    const from = open.findIndex((count) => count < 0);
    if (from < 0) {
      return;
    }
    const to = open.findIndex((count) => count > 0);
    const by = 3 - from - to;
    const direct = best(rows, from, to);
    if (direct) {
      direct.move(from, to);
    } else {
      best(rows, from, by)!.move(from, by);
      best(rows, by, to)!.move(by, to);
    }
    open[from]!++;
    open[to]!--;
  }
}

/** The stratum that loses least by the move. */
function best(rows: RoundedRow[], from: number, to: number): RoundedRow | null {
  let found: RoundedRow | null = null;
  const gain = ({ fractions }: RoundedRow) => fractions[to]! - fractions[from]!;
  for (const row of rows) {
    if (row.canMove(from, to) && (!found || gain(row) > gain(found))) {
      found = row;
    }
  }
  return found;
}
