import { isValid } from '../../pipeline/index.js';
import { invalidField, quote, type ServiceError } from '../../platform/errors.js';
import { isText, typeName } from '../column.js';
import { HashIndex } from '../hash-index.js';
import { readLabelSets } from '../label-sets.js';
import { hashColumn } from '../row-hash.js';
import type { StoredTable } from '../stored-table.js';
import type { ColumnStatistics } from './column-statistics.js';

/** Values of a label up to which they are classes, if they are whole numbers; texts and truth values always are. */
const numberClassesMax = 100;
const classesMax = 10_000;

export interface LabelColumn {
  index: number;
  statistics: ColumnStatistics;
  /** `sets`: a row may be of several classes, or of none. */
  kind: 'classes' | 'number' | 'sets';
  /** Of `sets` in a column of text: what parts the classes. */
  separator?: string;
}

/** @param separator of a column of text whose rows may be of several classes; empty: they are of one. @throws ServiceError for a column that cannot be a label */
export function labelColumn(
  table: StoredTable,
  statistics: readonly ColumnStatistics[],
  name: string,
  separator: string,
): LabelColumn {
  const index = table.columns.findIndex((column) => column.name === name);
  const column = table.columns[index]!;
  const { type } = column;
  const found = statistics[index]!;
  if (type.kind === 'nested' && type.item.kind === 'text') {
    return { index, statistics: found, kind: 'sets' };
  }
  if (separator !== '' && isText(column)) {
    return { index, statistics: found, kind: 'sets', separator };
  }
  const { distinct, distinctIsExact } = found;
  const isWhole = type.kind === 'number' && !type.type.startsWith('float');
  const isFew = isWhole && distinctIsExact && distinct <= numberClassesMax;
  const kind = type.kind === 'number' && !isFew ? 'number' : 'classes';
  if (!['number', 'text', 'dictionary', 'boolean'].includes(type.kind)) {
    throw invalidLabel(`numbers, texts, truth values or lists of text but ${quote(name)} is ${typeName(type)}`);
  }
  if (distinct < 2 || (kind === 'classes' && distinct > classesMax)) {
    const most = kind === 'classes' ? `2 to ${classesMax.toLocaleString('en-US')} classes` : '2 values or more';
    throw invalidLabel(`${most} but ${quote(name)} has ${distinct.toLocaleString('en-US')}`);
  }
  return { index, statistics: found, kind };
}

function invalidLabel(expected: string): ServiceError {
  return invalidField('label_columns', `Expected each of \`label_columns\` to be a column of ${expected}.`);
}

/** Of a label that is one class a row: the class of each row, by number from 0; -1: it has none. */
export class RowClasses {
  readonly #index = new HashIndex();

  constructor(
    private readonly label: LabelColumn,
    private readonly table: StoredTable,
  ) {}

  async *batches(signal: AbortSignal) {
    for (const batch of this.table.batches) {
      signal.throwIfAborted();
      const chunk = await this.table.readColumn(batch, this.label.index);
      const { low, high } = hashColumn(chunk);
      const classOf = new Int32Array(chunk.length);
      for (let row = 0; row < chunk.length; row++) {
        classOf[row] = isValid(chunk.validity, row) ? this.#index.add(low[row]!, high[row]!) : -1;
      }
      yield { batch, classOf };
    }
  }
}

/** Of a label of sets: the classes of each row of a batch; null: it is missing. */
export async function* rowSets(label: LabelColumn, table: StoredTable, signal: AbortSignal) {
  const column = label.statistics.name;
  for (const batch of table.batches) {
    signal.throwIfAborted();
    const chunk = await table.readColumn(batch, label.index);
    const present = Int32Array.from(Array(chunk.length).keys()).filter((row) => isValid(chunk.validity, row));
    const sets = new Array<ReadonlySet<string> | null>(chunk.length).fill(null);
    for (const [i, names] of readLabelSets(chunk, label.separator, present, {
      column,
      firstRow: batch.firstRow,
    }).entries()) {
      sets[present[i]!] = new Set(names);
    }
    yield { batch, sets };
  }
}

/** Rows of each class of a label of classes or sets, the commonest first. Of one class a row the commonest alone has its name. */
export interface ClassCounts {
  rows: readonly number[];
  /** The commonest first, as far as they are known. */
  names: readonly string[];
}

export async function countClasses(table: StoredTable, label: LabelColumn, signal: AbortSignal): Promise<ClassCounts> {
  if (label.kind === 'sets') {
    const counts = new Map<string, number>();
    for await (const { sets } of rowSets(label, table, signal)) {
      for (const names of sets) {
        for (const name of names ?? []) {
          counts.set(name, (counts.get(name) ?? 0) + 1);
        }
      }
    }
    const sorted = [...counts].sort(([a, of], [b, than]) => than - of || (a < b ? -1 : 1));
    return { rows: sorted.map(([, rows]) => rows), names: sorted.map(([name]) => name) };
  }
  const { distinct, topValues } = label.statistics;
  const rows = new Array<number>(distinct).fill(0);
  for await (const { classOf } of new RowClasses(label, table).batches(signal)) {
    for (const one of classOf) {
      if (one >= 0) {
        rows[one]!++;
      }
    }
  }
  return { rows: rows.sort((a, b) => b - a), names: [topValues[0]!.value] };
}
