import { everyRow, gatherTexts } from '../../pipeline/index.js';
import { quote } from '../../platform/errors.js';
import { type Column, isText } from '../column.js';
import type { StoredTable } from '../stored-table.js';
import type { ColumnStatistics } from './column-statistics.js';
import { counted, type Finding, firstRowsMax, percent } from './finding.js';
import { isNumberText } from './number-text.js';

/** What a column's statistics alone tell of it. */
export function constantColumns(statistics: readonly ColumnStatistics[], rowCount: number): Finding[] {
  return statistics.flatMap((column) => {
    const { name, nullCount, distinct, count, topValues } = column;
    if (count > 0 && (distinct !== 1 || nullCount > 0)) {
      return [];
    }
    const value = count === 0 ? 'no value in any row' : `${quote(topValues[0]?.value ?? 'one value')} in every row`;
    return [
      {
        kind: 'constantColumn',
        severity: 'warning',
        columns: [name],
        rowCount,
        firstRows: [],
        measure: null,
        message: `Column ${quote(name)} has ${value}.`,
        advice: 'Leave it out of the pipeline: a column that never changes tells a model nothing.',
      },
    ];
  });
}

/** Columns with the same type and values as an earlier one. Constant ones are told of as such. */
export function duplicatedColumns(statistics: readonly ColumnStatistics[], rowCount: number): Finding[] {
  const firstWith = new Map<string, string>();
  const findings: Finding[] = [];
  for (const { name, digest, distinct, count } of statistics) {
    const first = firstWith.get(digest);
    if (count === 0 || distinct === 1) {
      continue;
    }
    if (first === undefined) {
      firstWith.set(digest, name);
      continue;
    }
    findings.push({
      kind: 'duplicatedColumn',
      severity: 'warning',
      columns: [name, first],
      rowCount,
      firstRows: [],
      measure: null,
      message: `Column ${quote(name)} holds in every row what column ${quote(first)} holds.`,
      advice: 'Keep one of the two: the other adds weights and no knowledge.',
    });
  }
  return findings;
}

/** Texts of which so many are numbers were meant to be numbers. */
const numberShareMin = 0.9;

/** Columns of text that would be numbers, were it not for a few values. */
export async function unparsableValues(table: StoredTable, signal: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [index, column] of table.columns.entries()) {
    if (isText(column)) {
      const finding = await unparsableIn(table, index, column, signal);
      findings.push(...(finding ? [finding] : []));
    }
  }
  return findings;
}

async function unparsableIn(
  table: StoredTable,
  index: number,
  { name }: Column,
  signal: AbortSignal,
): Promise<Finding | null> {
  const firstRows: number[] = [];
  const firstTexts: string[] = [];
  let [numbers, others] = [0, 0];
  for (const batch of table.batches) {
    signal.throwIfAborted();
    const chunk = await table.readColumn(batch, index);
    if (chunk.kind !== 'text' && chunk.kind !== 'dictionary') {
      return null;
    }
    for (const [i, text] of gatherTexts(chunk, everyRow(chunk.length)).entries()) {
      if (text === null) {
        continue;
      }
      if (isNumberText(text)) {
        numbers++;
      } else if (others++ < firstRowsMax) {
        firstRows.push(batch.firstRow + i + 1);
        firstTexts.push(text);
      }
    }
    // Once there are many, and more of them than numbers, the column is one of words.
    if (others > 100_000 && numbers < others) {
      return null;
    }
  }
  const present = numbers + others;
  if (others === 0 || numbers < numberShareMin * present) {
    return null;
  }
  const examples = [...new Set(firstTexts)].slice(0, 3).map(quote).join(', ');
  return {
    kind: 'unparsableValues',
    severity: 'warning',
    columns: [name],
    rowCount: others,
    firstRows,
    measure: others / present,
    message: `Column ${quote(name)} is text because of ${counted(others, 'value')} (${percent(others, present)}) that ${others === 1 ? 'is no number' : 'are no numbers'}, for example ${examples}.`,
    advice:
      'Mend these values in the source, or leave them empty there, and import again: the column then becomes numbers.',
  };
}
