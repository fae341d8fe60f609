import { describe, expect, it } from 'vitest';
import type { StepSpec } from '../../../services/pipeline/index.js';
import { Violations } from '../../../services/platform/errors.js';
import type { Column, ColumnType } from '../../../services/preprocessing/column.js';
import { checkPipelineSpec, type LabelSpec } from '../../../services/preprocessing/pipeline-spec.js';

const column = (name: string, type: ColumnType): Column => ({ name, type, shape: [] });
const columns = [
  column('x', { kind: 'number', type: 'float64' }),
  column('list', { kind: 'list', type: 'float32', width: 3 }),
  column('word', { kind: 'text', large: false }),
  column('when', { kind: 'timestamp', unit: 'second', timezone: '' }),
  column('y', { kind: 'text', large: false }),
];

function refusals(name: string, steps: StepSpec[], label: LabelSpec['kind'] = 'classes'): string {
  const violations = new Violations();
  checkPipelineSpec({ columns: [{ column: name, steps }], label: { column: 'y', kind: label } }, columns, violations);
  try {
    violations.throwIfAny();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

const bucket = { kind: 'bucket' as const, strategy: 'uniform' as const, buckets: null, edges: [], output: null };
const clip = { kind: 'clip' as const, minimum: null, maximum: null, lowerQuantile: null, upperQuantile: null };
const target: StepSpec = { kind: 'target', categoriesMax: null, smooth: null, folds: null };
const tfIdf = { kind: 'tfIdf' as const, ngrams: null, featuresMax: null, documentsMin: null, sublinear: false };
const calendar = { kind: 'calendar' as const, parts: ['day' as const], timeZone: '' };
const cyclic = { kind: 'cyclic' as const, cycles: [], period: null, timeZone: '' };
const standardise: StepSpec = { kind: 'standardise' };
const ordinal: StepSpec = { kind: 'ordinal', categoriesMax: null };

describe('a step is refused for', () => {
  it.each<[string, string, StepSpec[], string]>([
    [
      'quantiles in disorder',
      'x',
      [{ kind: 'robust', lowerQuantile: 0.8, upperQuantile: null }],
      'robust.upper_quantile` to be greater than',
    ],
    [
      'a quantile beyond 1',
      'x',
      [{ kind: 'robust', lowerQuantile: null, upperQuantile: 75 }],
      'upper_quantile` to be from 0 to 1 but received 75',
    ],
    ['an offset that is no number', 'x', [{ kind: 'log', offset: Number.NaN }], 'log.offset` to be finite'],
    [
      'a power that is no number',
      'x',
      [{ kind: 'power', lambda: Number.POSITIVE_INFINITY }],
      'power.lambda` to be finite',
    ],
    [
      'one quantile',
      'x',
      [{ kind: 'quantile', output: null, quantilesMax: 1 }],
      'quantiles_max` to be from 2 to 10000',
    ],
    ['no bound at all', 'x', [clip], 'clip` to have a bound'],
    [
      'two bounds on one side',
      'x',
      [{ ...clip, minimum: 1, lowerQuantile: 0.1 }],
      'clip.minimum` to be unset beside `lower_quantile`',
    ],
    ['bounds in disorder', 'x', [{ ...clip, minimum: 2, maximum: 1 }], 'clip.maximum` to be at least `minimum`, 2,'],
    ['no strategy', 'x', [{ ...bucket, strategy: null }], 'bucket.strategy` to be UNIFORM, QUANTILE or EDGES'],
    [
      'edges in disorder',
      'x',
      [{ ...bucket, strategy: 'edges', edges: [1, 1] }],
      'bucket.edges` to be numbers that ascend',
    ],
    ['edges beside a strategy that finds them', 'x', [{ ...bucket, edges: [1] }], 'bucket.edges` to be empty'],
    ['one bucket', 'x', [{ ...bucket, buckets: 1 }], 'bucket.buckets` to be from 2'],
    [
      'lists where single values are needed',
      'list',
      [bucket],
      'to follow single values but column "list" is FixedSizeList[3]<Float32>',
    ],
    [
      'too many outputs',
      'word',
      [{ kind: 'hash', outputs: 70_000, alternateSign: false }],
      'hash.outputs` to be from 1 to 65536',
    ],
    ['a negative smoothing', 'word', [{ ...target, smooth: -1 }], 'target.smooth` to be at least 0'],
    ['one fold', 'word', [{ ...target, folds: 1 }], 'target.folds` to be from 2 to 20'],
    ['a step after one that gives a feature a class', 'word', [target, standardise], 'target` to be the last step'],
    [
      'n-grams in disorder',
      'word',
      [{ ...tfIdf, ngrams: { unit: null, min: 3, max: 2 } }],
      'tf_idf.ngrams.max` to be at least `ngrams.min`, 3,',
    ],
    [
      'n-grams of nothing',
      'word',
      [{ ...tfIdf, ngrams: { unit: null, min: 0, max: null } }],
      'tf_idf.ngrams.min` to be from 1 to 10',
    ],
    ['no text', 'x', [tfIdf], 'tf_idf` to follow text but column "x" is Float64'],
    [
      'text that became numbers',
      'word',
      [ordinal, tfIdf],
      'tf_idf` to follow text but column "word" is turned into numbers',
    ],
    [
      'text where numbers are needed',
      'word',
      [standardise],
      'standardise` to follow numbers but column "word" is Utf8',
    ],
    ['no part', 'when', [{ ...calendar, parts: [] }], 'calendar.parts` to be some of year, quarter'],
    ['a part twice', 'when', [{ ...calendar, parts: ['day', 'day'] }], 'each once but received'],
    [
      'a period for times',
      'when',
      [{ ...cyclic, cycles: ['day'], period: 7 }],
      'cyclic.period` to be unset on a column of times',
    ],
    ['a misspelled zone', 'when', [{ ...calendar, timeZone: 'Europe/Berln' }], 'Did you mean "Europe/Berlin"?'],
    [
      'an offset for a zone',
      'when',
      [{ ...calendar, timeZone: '+02:00' }],
      'calendar.time_zone` to be a name of the IANA',
    ],
    ['no zone at all', 'when', [{ ...cyclic, cycles: ['day'], timeZone: 'CEST DST' }], 'but received "CEST DST".'],
    [
      'a zone for numbers',
      'x',
      [{ ...cyclic, period: 7, timeZone: 'Europe/Berlin' }],
      'cyclic.time_zone` to be unset on a column of numbers',
    ],
    ['no period for numbers', 'x', [cyclic], 'cyclic.period` to be set on a column of numbers'],
    [
      'a reference that is no time',
      'when',
      [{ kind: 'age', since: 'yesterday', unit: null }],
      'age.since` to be a time like 2024-01-31',
    ],
    [
      'a filling that is no time',
      'when',
      [{ kind: 'impute', strategy: 'constant', number: null, text: 'now', missingFlag: false }],
      'impute.text` to be a time like 2024-01-31',
    ],
  ])('%s', (_, name, steps, message) => {
    expect(refusals(name, steps)).toContain(message);
  });
});

describe('a chain of steps is taken', () => {
  it('after a target that is one number, and after the index of a bucket', () => {
    expect(refusals('word', [target, standardise], 'binary')).toBe('');
    expect(refusals('x', [{ ...bucket, output: 'index' }, standardise])).toBe('');
  });
});
