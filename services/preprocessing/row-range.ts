/** Consecutive rows of a table. */
export interface RowRange {
  /** Rows before them. */
  offset: number;
  /** Null: all that follow. */
  limit: number | null;
}

export const wholeTable: RowRange = { offset: 0, limit: null };

/** How many of a table's rows are in a range. */
export function rowsWithin(rowCount: number, { offset, limit }: RowRange): number {
  return Math.max(0, Math.min(limit ?? rowCount, rowCount - offset));
}

/** The part of a batch, from its row `from` to before `to`, that is in a range; null: none. */
export function overlap(
  range: RowRange,
  batch: { firstRow: number; length: number },
): { from: number; to: number } | null {
  const from = Math.max(0, range.offset - batch.firstRow);
  const end = range.limit === null ? Number.POSITIVE_INFINITY : range.offset + range.limit;
  const to = Math.min(batch.length, end - batch.firstRow);
  return from < to ? { from, to } : null;
}
