import { type ColumnChunk, isValid } from '../../pipeline/index.js';
import { quote } from '../../platform/errors.js';
import type { StoredTable } from '../stored-table.js';
import { ClassAssociation, NumberAssociation } from './association.js';
import { type Parts, partsOf } from './column-parts.js';
import type { ColumnStatistics } from './column-statistics.js';
import { counted, type Finding, percent } from './finding.js';
import { countClasses, type LabelColumn, RowClasses, rowSets } from './label-column.js';
import { presentNumbers, toFloat64 } from './value-reader.js';

/** With fewer rows, chance alone often makes a column tell the label. */
const rowsMin = 30;
const [warningMin, errorMin] = [0.95, 0.99];
/** The smallest class against an even share of the rows. */
const evenShareMin = 0.1;
/** Of sets, so many of the commonest classes are looked for in the columns. */
const setClassesMax = 20;

/** A class that has far fewer rows than an even share. */
export async function imbalancedClasses(
  table: StoredTable,
  label: LabelColumn,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (label.kind === 'number') {
    return [];
  }
  const { rows, names } = await countClasses(table, label, signal);
  const evenShare = rows.reduce((sum, one) => sum + one, 0) / rows.length;
  const few = rows.filter((one) => one < evenShareMin * evenShare);
  if (few.length === 0) {
    return [];
  }
  const { name, count } = label.statistics;
  const [largest, smallest] = [rows[0]!, rows.at(-1)!];
  const alone = few.length === 1 ? '1 class has' : `${few.length} of ${rows.length} classes have`;
  return [
    {
      kind: 'imbalancedClasses',
      severity: 'warning',
      columns: [name],
      rowCount: few.reduce((sum, one) => sum + one, 0),
      firstRows: [],
      measure: smallest / count,
      message: `Of label ${quote(name)}, ${alone} less than a tenth of an even share of the rows: the smallest ${counted(smallest, 'row')}, the largest, ${quote(names[0]!)}, ${percent(largest, count)} of all.`,
      advice:
        label.kind === 'sets'
          ? 'Judge by each class of the report rather than by accuracy: never answering the rare ones looks good already.'
          : 'Stratify the split, give the classes weights, and judge by more than accuracy: always answering the largest class looks good already.',
    },
  ];
}

/** How much of a label a column tells, 0 to 1, and of which class if the label is of sets. */
interface Clue {
  strength: number;
  ofClass?: string;
}

/** Columns that tell the label, or nearly. @param others columns that are no features: other labels, and the column of the split */
export async function leakingColumns(
  table: StoredTable,
  statistics: readonly ColumnStatistics[],
  label: LabelColumn,
  others: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [index, column] of table.rowCount < rowsMin ? [] : statistics.entries()) {
    const parts = index === label.index || others.has(column.name) ? null : partsOf(table, column, index);
    const clue = parts ? await clueOf(table, label, index, column, parts, signal) : null;
    if (clue && clue.strength >= warningMin) {
      findings.push(leak(column, label, clue));
    }
  }
  return findings.sort((a, b) => b.measure! - a.measure!);
}

function leak(column: ColumnStatistics, label: LabelColumn, { strength, ofClass }: Clue): Finding {
  const [name, target] = [quote(column.name), quote(label.statistics.name)];
  const how = strength >= errorMin ? 'tells' : 'nearly tells';
  const which = ofClass === undefined ? '' : `class ${quote(ofClass)} of `;
  const what = label.kind === 'number' ? 'of its variance' : 'of what there is to know of it';
  return {
    kind: 'leaksLabel',
    severity: strength >= errorMin ? 'error' : 'warning',
    columns: [column.name, label.statistics.name],
    rowCount: column.count,
    firstRows: [],
    measure: strength,
    message: `Column ${name} ${how} ${which}label ${target}: ${percent(strength, 1)} ${what}.`,
    advice: `Leave it out of the pipeline, unless it is known before the label is: a column that is made from the label, or together with it, is not there when an answer is wanted.`,
  };
}

async function clueOf(
  table: StoredTable,
  label: LabelColumn,
  index: number,
  column: ColumnStatistics,
  parts: Parts,
  signal: AbortSignal,
): Promise<Clue> {
  switch (label.kind) {
    case 'classes':
      return classClue(table, label, index, parts, signal);
    case 'sets':
      return setClue(table, label, index, parts, signal);
    case 'number':
      return numberClue(table, label, index, column, parts, signal);
  }
}

async function classClue(table: StoredTable, label: LabelColumn, index: number, parts: Parts, signal: AbortSignal) {
  const association = new ClassAssociation(label.statistics.distinct);
  for await (const { batch, classOf } of new RowClasses(label, table).batches(signal)) {
    const partOfRow = parts(await table.readColumn(batch, index));
    for (const [row, one] of classOf.entries()) {
      if (one >= 0) {
        association.add(partOfRow[row]!, one);
      }
    }
  }
  return { strength: association.strength };
}

/** Each class is a question by itself: is a row of it or not. The best told one counts. */
async function setClue(table: StoredTable, label: LabelColumn, index: number, parts: Parts, signal: AbortSignal) {
  const { names } = await countClasses(table, label, signal);
  const asked = names.slice(0, setClassesMax).map((name) => ({ name, association: new ClassAssociation(2) }));
  for await (const { batch, sets } of rowSets(label, table, signal)) {
    const partOfRow = parts(await table.readColumn(batch, index));
    for (const [row, set] of sets.entries()) {
      for (const { name, association } of set ? asked : []) {
        association.add(partOfRow[row]!, set!.has(name) ? 1 : 0);
      }
    }
  }
  let best: Clue = { strength: 0 };
  for (const { name, association } of asked) {
    const { strength } = association;
    best = strength > best.strength ? { strength, ofClass: name } : best;
  }
  return best;
}

async function numberClue(
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
  return { strength: association.strength };
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
