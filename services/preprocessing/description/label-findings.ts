import { type ColumnChunk, isValid } from '../../pipeline/index.js';
import { invalidField, quote, type ServiceError } from '../../platform/errors.js';
import { typeName } from '../column.js';
import { HashIndex } from '../hash-index.js';
import { hashColumn } from '../row-hash.js';
import type { StoredTable } from '../stored-table.js';
import { ClassAssociation, NumberAssociation } from './association.js';
import type { ColumnStatistics } from './column-statistics.js';
import { counted, type Finding, percent } from './finding.js';
import { presentNumbers, toFloat64 } from './value-reader.js';

/** Values of a label up to which they are classes, if they are whole numbers; texts and truth values always are. */
const numberClassesMax = 100;
const classesMax = 10_000;
/** Values up to which each is a part of its own; numbers with more are cut into parts of equal size. */
const valuesMax = 1_000;
/** With fewer rows, chance alone often makes a column tell the label. */
const rowsMin = 30;
const [warningMin, errorMin] = [0.95, 0.99];
/** The smallest class against an even share of the rows. */
const evenShareMin = 0.1;

export interface LabelColumn {
  index: number;
  statistics: ColumnStatistics;
  kind: 'classes' | 'number';
}

/** @throws ServiceError for a column that cannot be a label */
export function labelColumn(table: StoredTable, statistics: readonly ColumnStatistics[], name: string): LabelColumn {
  const index = table.columns.findIndex((column) => column.name === name);
  const { type } = table.columns[index]!;
  const found = statistics[index]!;
  const { distinct, distinctIsExact } = found;
  const isWhole = type.kind === 'number' && !type.type.startsWith('float');
  const isFew = isWhole && distinctIsExact && distinct <= numberClassesMax;
  const kind = type.kind === 'number' && !isFew ? 'number' : 'classes';
  if (!['number', 'text', 'dictionary', 'boolean'].includes(type.kind)) {
    throw invalidLabel(`a column of numbers, texts or truth values but ${quote(name)} is ${typeName(type)}`);
  }
  if (distinct < 2 || (kind === 'classes' && distinct > classesMax)) {
    const most = kind === 'classes' ? `2 to ${classesMax.toLocaleString('en-US')} classes` : '2 values or more';
    throw invalidLabel(`a column with ${most} but ${quote(name)} has ${distinct.toLocaleString('en-US')}`);
  }
  return { index, statistics: found, kind };
}

function invalidLabel(expected: string): ServiceError {
  return invalidField('label_column', `Expected \`label_column\` to be ${expected}.`);
}

/** A class that has far fewer rows than an even share. */
export async function imbalancedClasses(
  table: StoredTable,
  label: LabelColumn,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (label.kind === 'number') {
    return [];
  }
  const { name, count, topValues, distinct } = label.statistics;
  const classes = new RowClasses(label, table);
  const rows = new Array<number>(distinct).fill(0);
  for await (const { classOf } of classes.batches(signal)) {
    for (const one of classOf) {
      if (one >= 0) {
        rows[one]!++;
      }
    }
  }
  const smallest = Math.min(...rows);
  const few = rows.filter((one) => one < (evenShareMin * count) / distinct);
  if (few.length === 0) {
    return [];
  }
  const largest = topValues[0]!;
  const alone = few.length === 1 ? '1 class has' : `${few.length} of ${distinct} classes have`;
  return [
    {
      kind: 'imbalancedClasses',
      severity: 'warning',
      columns: [name],
      rowCount: few.reduce((sum, one) => sum + one, 0),
      firstRows: [],
      measure: smallest / count,
      message: `Of label ${quote(name)}, ${alone} less than a tenth of an even share of the rows: the smallest ${counted(smallest, 'row')}, the largest, ${quote(largest.value)}, ${percent(largest.count, count)} of all.`,
      advice:
        'Stratify the split, give the classes weights, and judge by more than accuracy: always answering the largest class looks good already.',
    },
  ];
}

/** Columns that tell the label, or nearly. */
export async function leakingColumns(
  table: StoredTable,
  statistics: readonly ColumnStatistics[],
  label: LabelColumn,
  splitColumn: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [index, column] of table.rowCount < rowsMin ? [] : statistics.entries()) {
    const parts = index === label.index || column.name === splitColumn ? null : partsOf(table, column, index);
    const strength = parts ? await strengthOf(table, label, index, column, parts, signal) : 0;
    if (strength >= warningMin) {
      findings.push(leak(column, label, strength));
    }
  }
  return findings.sort((a, b) => b.measure! - a.measure!);
}

function leak(column: ColumnStatistics, label: LabelColumn, strength: number): Finding {
  const [name, target] = [quote(column.name), quote(label.statistics.name)];
  const how = strength >= errorMin ? 'tells' : 'nearly tells';
  const what = label.kind === 'classes' ? 'of what there is to know of it' : 'of its variance';
  return {
    kind: 'leaksLabel',
    severity: strength >= errorMin ? 'error' : 'warning',
    columns: [column.name, label.statistics.name],
    rowCount: column.count,
    firstRows: [],
    measure: strength,
    message: `Column ${name} ${how} label ${target}: ${percent(strength, 1)} ${what}.`,
    advice: `Leave it out of the pipeline, unless it is known before the label is: a column that is made from the label, or together with it, is not there when an answer is wanted.`,
  };
}

/** Gives each row the number of the part that it is in; null: the column cannot be cut into parts that mean something. */
type Parts = (chunk: ColumnChunk) => Int32Array;

function partsOf(table: StoredTable, column: ColumnStatistics, index: number): Parts | null {
  const { distinct, distinctIsExact, numbers, partLimits } = column;
  const { kind } = table.columns[index]!.type;
  if (kind === 'list' || kind === 'nested' || kind === 'struct' || kind === 'null' || distinct < 1) {
    return null;
  }
  if (distinctIsExact && distinct <= valuesMax && distinct * 2 <= table.rowCount) {
    const values = new HashIndex();
    return (chunk) => {
      const { low, high } = hashColumn(chunk);
      return Int32Array.from(low, (half, row) => values.add(half, high[row]!));
    };
  }
  return numbers && partLimits.length > 0 ? (chunk) => numberParts(chunk, partLimits) : null;
}

/** Missing values are a part of their own. */
function numberParts(chunk: ColumnChunk, limits: readonly number[]): Int32Array {
  const numbers = toFloat64(presentNumbers(chunk)!);
  const parts = new Int32Array(chunk.length).fill(limits.length + 1);
  for (let row = 0, i = 0; row < chunk.length; row++) {
    if (isValid(chunk.validity, row)) {
      parts[row] = partOf(numbers[i++]!, limits);
    }
  }
  return parts;
}

function partOf(value: number, limits: readonly number[]): number {
  let [from, to] = [0, limits.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (limits[middle]! <= value) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

async function strengthOf(
  table: StoredTable,
  label: LabelColumn,
  index: number,
  column: ColumnStatistics,
  parts: Parts,
  signal: AbortSignal,
): Promise<number> {
  return label.kind === 'classes'
    ? classStrength(table, label, index, parts, signal)
    : numberStrength(table, label, index, column, parts, signal);
}

async function classStrength(table: StoredTable, label: LabelColumn, index: number, parts: Parts, signal: AbortSignal) {
  const association = new ClassAssociation(label.statistics.distinct);
  for await (const { batch, classOf } of new RowClasses(label, table).batches(signal)) {
    const partOfRow = parts(await table.readColumn(batch, index));
    for (const [row, one] of classOf.entries()) {
      if (one >= 0) {
        association.add(partOfRow[row]!, one);
      }
    }
  }
  return association.strength;
}

async function numberStrength(
  table: StoredTable,
  label: LabelColumn,
  index: number,
  column: ColumnStatistics,
  parts: Parts,
  signal: AbortSignal,
) {
  const association = new NumberAssociation();
  const target = label.statistics.numbers!;
  for (const batch of table.batches) {
    signal.throwIfAborted();
    const targets = standardised(await table.readColumn(batch, label.index), target);
    const chunk = await table.readColumn(batch, index);
    const partOfRow = parts(chunk);
    const numbers = column.numbers && standardised(chunk, column.numbers);
    for (const [row, y] of targets.entries()) {
      if (!Number.isNaN(y)) {
        const x = numbers ? numbers[row]! : Number.NaN;
        association.add(partOfRow[row]!, Number.isNaN(x) ? null : x, y);
      }
    }
  }
  return association.strength;
}

/** NaN: missing. */
function standardised(chunk: ColumnChunk, { mean, deviation }: { mean: number; deviation: number }): Float64Array {
  const present = toFloat64(presentNumbers(chunk)!);
  const values = new Float64Array(chunk.length).fill(Number.NaN);
  for (let row = 0, i = 0; row < chunk.length; row++) {
    if (isValid(chunk.validity, row)) {
      values[row] = (present[i++]! - mean) / (deviation || 1);
    }
  }
  return values;
}

/** The class of each row, by number from 0; -1: it has none. */
class RowClasses {
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
