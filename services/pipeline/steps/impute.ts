import { z } from 'zod';
import { medianOf } from '../statistics.js';
import { defineStep, type SettingReport, type TrainingColumn } from '../step.js';
import { parseTime } from '../time.js';
import { ascending, type ColumnValues, type ValueType } from '../values.js';

const strategies = ['mean', 'median', 'mostFrequent', 'constant'] as const;

export interface ImputeSpec {
  kind: 'impute';
  strategy: (typeof strategies)[number] | null;
  number: number | null;
  text: string | null;
  missingFlag: boolean;
}

const form = z.strictObject({
  kind: z.literal('impute'),
  value: z.union([z.number(), z.string()]),
  /** Whether one more feature, the column's last, is 1 where the value was missing and else 0. */
  missingFlag: z.boolean().optional(),
});

export const impute = defineStep<ImputeSpec, z.infer<typeof form>>({
  kind: 'impute',
  summary: 'fills missing values with mean, median, most frequent value or a constant; on request a flag says which',
  takes: ['number', 'list', 'time', 'text'],
  form,
  gives: () => 'same',
  check(spec, input, report) {
    checkStrategy(spec, input, report);
    checkFilling(spec, input, report);
  },
  async fit(spec, column) {
    const filling = await fillingOf(spec, column);
    // Times are whole milliseconds; a mean is none.
    const value = column.input.kind === 'time' && typeof filling === 'number' ? Math.round(filling) : filling;
    return spec.missingFlag ? { kind: 'impute', value, missingFlag: true } : { kind: 'impute', value };
  },
  prepare({ value, missingFlag = false }, input) {
    if ((typeof value === 'string') !== (input.kind === 'text')) {
      throw new Error('an impute step needs a value of the type that it fills');
    }
    return {
      output: input,
      flagsMissing: missingFlag,
      ...(typeof value === 'number' && !missingFlag ? { inEngine: { filling: value } } : {}),
      apply(column) {
        fill(column, value);
        return column;
      },
    };
  },
});

function checkStrategy({ strategy }: ImputeSpec, input: ValueType | null, report: SettingReport): void {
  if (strategy === null) {
    const message = `Expected \`${report.field}.strategy\` to be MEAN, MEDIAN, MOST_FREQUENT or CONSTANT but it is not set.`;
    report.add('strategy', message);
  }
  if ((strategy === 'mean' || strategy === 'median') && input?.kind === 'text') {
    const column = JSON.stringify(report.column);
    report.add('', `Expected \`${report.field}\` to follow numbers but column ${column} holds text.`);
  }
}

function checkFilling(
  { strategy, number, text }: ImputeSpec,
  input: ValueType | null,
  { field, column, check, add }: SettingReport,
): void {
  const isText = input?.kind === 'text' || input?.kind === 'time';
  const wanted = strategy !== 'constant' || !input ? null : isText ? 'text' : 'number';
  if (number !== null) {
    check(Number.isFinite(number), 'number', 'finite', number);
  }
  const name = JSON.stringify(column);
  if (wanted === 'number' && (number === null || text !== null)) {
    add('number', `Expected \`${field}\` to have a number and no text, since column ${name} holds numbers.`);
  }
  if (wanted === 'text' && (text === null || number !== null)) {
    const holds = input?.kind === 'time' ? 'times' : 'text';
    add('text', `Expected \`${field}\` to have a text and no number, since column ${name} holds ${holds}.`);
  } else if (wanted === 'text' && input?.kind === 'time') {
    check(parseTime(text!) !== null, 'text', 'a time like 2024-01-31 or 2024-01-31T12:00:00Z', text);
  }
  if (strategy !== null && strategy !== 'constant' && (number !== null || text !== null)) {
    add(
      number === null ? 'text' : 'number',
      `Expected \`${field}\` to have a number or text with STRATEGY_CONSTANT only.`,
    );
  }
}

async function fillingOf({ strategy, number, text }: ImputeSpec, column: TrainingColumn): Promise<number | string> {
  switch (strategy) {
    case 'constant':
      return column.input.kind === 'time' ? parseTime(text!)! : (number ?? text)!;
    case 'mean': {
      const { count, mean } = await column.moments();
      return column.usable(count === 0 ? null : mean);
    }
    case 'median':
      return column.usable(await medianOf(() => column.numbers()));
    default: {
      const counts = await column.counts(Number.POSITIVE_INFINITY);
      const [most] = [...counts].sort(([a, countA], [b, countB]) => countB - countA || ascending(a, b));
      return column.usable(most?.[0] ?? null);
    }
  }
}

function fill(column: ColumnValues, filling: number | string): void {
  if (column.kind === 'texts') {
    for (let i = 0; i < column.values.length; i++) {
      column.values[i] ??= filling as string;
    }
    return;
  }
  const { values, width, missing } = column;
  if (missing) {
    for (let row = 0; row < missing.length; row++) {
      if (missing[row]) {
        values.fill(filling as number, row * width, (row + 1) * width);
      }
    }
    column.missing = null;
  }
}
