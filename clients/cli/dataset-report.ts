import type { ColumnDescription__Output as ColumnDescription } from '../../proto/gen/millrace/v1/ColumnDescription.js';
import type { Finding__Output as Finding } from '../../proto/gen/millrace/v1/Finding.js';
import type { NumberStatistics__Output as NumberStatistics } from '../../proto/gen/millrace/v1/NumberStatistics.js';
import { table } from './output.js';

const widthMax = 40;
const bars = ' ▁▂▃▄▅▆▇█';

/** A line a column: what it is, what is missing, how its values are spread. */
export function columnLines(columns: readonly ColumnDescription[]): string[] {
  const rows = columns.map((column) => {
    const { name, type, nullCount, distinctCount, distinctExact, numbers } = column;
    const distinct = `${distinctExact ? '' : '~'}${distinctCount.toLocaleString('en-US')}`;
    return [cut(name), type, nullCount.toLocaleString('en-US'), distinct, ...figures(numbers), cut(valuesOf(column))];
  });
  return table([
    ['COLUMN', 'TYPE', 'MISSING', 'DISTINCT', 'MIN', 'MEDIAN', 'MAX', 'MEAN', 'DEVIATION', 'VALUES'],
    ...rows,
  ]);
}

function figures(numbers: NumberStatistics | null): string[] {
  if (!numbers) {
    return ['', '', '', '', ''];
  }
  const { minimum, maximum, mean, standardDeviation, quantiles } = numbers;
  const median = quantiles.find(({ fraction }) => fraction === 0.5)!.value;
  return [minimum, median, maximum, mean, standardDeviation].map((value) => String(Number(value.toPrecision(5))));
}

/** Numbers of many values as a picture of their histogram, others as the most frequent values. */
function valuesOf({ numbers, topValues, distinctCount }: ColumnDescription): string {
  if (numbers?.histogram && distinctCount > 10) {
    const most = Math.max(...numbers.histogram.counts);
    return numbers.histogram.counts.map((count) => bars[Math.ceil((count / most) * (bars.length - 1))]).join('');
  }
  return topValues.map(({ value, count }) => `${value} (${count})`).join(', ');
}

function cut(text: string): string {
  const characters = [...text.replace(/\s+/g, ' ')];
  return characters.length > widthMax ? `${characters.slice(0, widthMax - 1).join('')}…` : characters.join('');
}

const marks: Record<string, string> = { SEVERITY_ERROR: 'ERROR  ', SEVERITY_WARNING: 'WARNING' };

/** What was found, and under it what to do. */
export function findingLines(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ severity, message, advice, firstRows }) => {
    const rows = firstRows.length > 0 ? ` First rows: ${firstRows.join(', ')}.` : '';
    return [`${marks[severity] ?? severity}  ${message}${rows}`, `         ${advice}`];
  });
}
