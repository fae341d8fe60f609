/** Something about a dataset that is likely to spoil a model. */
export interface Finding {
  kind: FindingKind;
  /** `error`: a figure measured on this data means nothing. `warning`: worth a look. */
  severity: 'warning' | 'error';
  /** The column that it is about first; none: whole rows. */
  columns: string[];
  /** Rows that it is about. */
  rowCount: number;
  /** The first of them, from 1. */
  firstRows: number[];
  /** From 0 to 1 where it is a matter of degree, as a share or an association. */
  measure: number | null;
  /** What is the matter, in words. */
  message: string;
  /** What to do. */
  advice: string;
}

export type FindingKind =
  | 'constantColumn'
  | 'duplicatedColumn'
  | 'leaksLabel'
  | 'unparsableValues'
  | 'imbalancedClasses'
  | 'duplicatedRows'
  | 'rowsInSeveralSplits';

export const firstRowsMax = 10;

/** `1 row`, `1,200 rows`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

/** A share in percent, never rounded up to all or down to none. */
export function percent(part: number, whole: number): string {
  const share = (100 * part) / whole;
  if (part === 0 || part === whole) {
    return `${share} %`;
  }
  return share < 0.01 ? 'less than 0.01 %' : share > 99.99 ? 'more than 99.99 %' : `${Number(share.toPrecision(3))} %`;
}
