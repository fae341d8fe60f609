import { describe, expect, it } from 'vitest';
import { serialisePipeline } from '../../../services/pipeline/index.js';
import { fitPipeline } from '../../../services/preprocessing/fit.js';
import type { LabelSpec, PipelineSpec, StepSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { assignSplits } from '../../../services/preprocessing/split-assignment.js';
import { openTable, type TableContent, type Values } from './table.js';

const label: TableContent = { y: ['text', ['no', 'yes', 'no', 'yes', 'no', 'yes']] };
const classes: LabelSpec = { column: 'y', kind: 'classes' };
const split = { ...wholeSplit, seed: 1 };
const byPart = { ...split, column: 'part' };

const impute = (strategy: 'mean' | 'median' | 'mostFrequent' | 'constant', more = {}): StepSpec => ({
  kind: 'impute',
  strategy,
  number: null,
  text: null,
  missingFlag: false,
  ...more,
});
const scale = (minimum: number | null = null, maximum: number | null = null): StepSpec => ({
  kind: 'scale',
  minimum,
  maximum,
});
const standardise: StepSpec = { kind: 'standardise' };
const oneHot = (categoriesMax: number | null = null): StepSpec => ({
  kind: 'oneHot',
  categoriesMax,
  unseenPlace: false,
});

const specOf = (columns: Record<string, StepSpec[]>, target: LabelSpec | null = classes): PipelineSpec => ({
  columns: Object.entries(columns).map(([column, steps]) => ({ column, steps })),
  label: target,
});

async function fit(
  content: TableContent,
  spec: PipelineSpec,
  splitSpec = split,
  batchRows = 2,
  signal = new AbortController().signal,
) {
  const table = await openTable({ ...label, ...content }, batchRows);
  try {
    return await fitPipeline(spec, splitSpec, table, signal);
  } finally {
    await table.close();
  }
}

const stepsOf = async (content: TableContent, steps: StepSpec[], splitSpec = split) =>
  (await fit(content, specOf({ x: steps }), splitSpec)).definition.columns[0]!.steps;

describe('fitPipeline refuses', () => {
  it('everything that is wrong with a spec at once, each by its field', async () => {
    const spec: PipelineSpec = {
      columns: [
        { column: 'x', steps: [scale(1, 1), { kind: null }] },
        { column: 'z', steps: [standardise] },
        { column: 'xs', steps: [oneHot(0), standardise] },
        { column: 'z', steps: [standardise] },
      ],
      label: { column: 'x', kind: null },
    };
    const content: TableContent = { x: ['float64', [1, 2, 3, 4, 5, 6]], z: ['text', ['a', 'b', 'a', 'b', 'a', 'b']] };
    const error = await fit(content, spec, { ...split, validationFraction: 2 }).catch((reason: unknown) => reason);
    const { fieldViolations } = error as { fieldViolations: { field: string; description: string }[] };
    expect(fieldViolations.map(({ field }) => field)).toEqual([
      'spec.columns[0].steps[0].scale.maximum',
      'spec.columns[0].steps[1]',
      'spec.columns[1].steps[0].standardise',
      'spec.columns[1].steps',
      'spec.columns[2].column',
      'spec.columns[2].steps[0].one_hot.categories_max',
      'spec.columns[2].steps[0].one_hot',
      'spec.columns[3].column',
      'spec.columns[3].steps[0].standardise',
      'spec.columns[3].steps',
      'spec.label.kind',
      'spec.label.column',
      'split.validation_fraction',
    ]);
    expect(fieldViolations[4]!.description).toContain('did you mean "x"?');
  });

  it.each<[string, StepSpec, string]>([
    ['no strategy', { ...impute('mean'), strategy: null } as StepSpec, 'impute.strategy` to be MEAN'],
    ['a constant without its number', impute('constant'), 'to have a number and no text'],
    ['a text for numbers', impute('constant', { text: 'a' }), 'to have a number and no text'],
    ['a number that is not finite', impute('constant', { number: Number.NaN }), 'finite but received NaN'],
    ['a number without constant', impute('mean', { number: 1 }), 'with STRATEGY_CONSTANT only'],
  ])('impute with %s', async (_, step, message) => {
    await expect(stepsOf({ x: ['float64', [1, 2, 3, 4, 5, 6]] }, [step])).rejects.toThrow(message);
  });

  it('a spec without columns or label', async () => {
    await expect(fit({}, { columns: [], label: null })).rejects.toThrow(/at least one column.*`spec.label` to be set/);
  });

  it.each<[string, string, TableContent[string], RegExp]>([
    ['that is not there', 'weigth', ['float64', [1, 1, 1, 1, 1, 1]], /`sample_weight`.*did you mean "weight"\?/],
    ['of text', 'weight', ['text', ['1', '1', '1', '1', '1', '1']], /a column of numbers but "weight" is Utf8/],
    ['with a missing one', 'weight', ['float64', [1, 1, 1, 1, null, 1]], /column "weight" in row 5 has none/],
    ['with a negative one', 'weight', ['int64', [1, 1, -2, 1, 1, 1]], /numbers from 0.*in row 3 holds -2/],
    ['beyond float32', 'weight', ['float64', [1, 1e39, 1, 1, 1, 1]], /in row 2 holds 1e\+39/],
    ['of zeros in a split', 'weight', ['float64', [1, 1, 1, 1, 0, 0]], /test split .* all 2 have 0 in column "weight"/],
  ])('weights %s', async (_, name, weight, message) => {
    const part: TableContent[string] = ['text', ['train', 'train', 'train', 'train', 'test', 'test']];
    const x: TableContent[string] = ['float64', [1, 2, 3, 4, 5, 6]];
    const table = await openTable({ ...label, x, part, weight }, 2);
    const { signal } = new AbortController();
    await expect(fitPipeline(specOf({ x: [] }), byPart, table, signal, { sampleWeight: name })).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(message),
        fieldViolations: [expect.objectContaining({ field: 'sample_weight' })],
      }),
    );
    await table.close();
  });

  it('weights that are feature or label', async () => {
    const table = await openTable({ ...label, x: ['float64', [1, 2, 3, 4, 5, 6]] }, 2);
    const { signal } = new AbortController();
    const refused = (name: string) => fitPipeline(specOf({ x: [] }), split, table, signal, { sampleWeight: name });
    await expect(refused('x')).rejects.toThrow('neither feature nor label but "x" is a feature column');
    await expect(refused('y')).rejects.toThrow('"y" is the label');
    await table.close();
  });

  it('a missing value without impute, with row and column, in whatever split', async () => {
    const content: TableContent = {
      x: ['float64', [1, 2, 3, 4, null, 6]],
      part: ['text', ['train', 'train', 'train', 'train', 'test', 'test']],
    };
    await expect(stepsOf(content, [], byPart)).rejects.toThrow('column "x" in row 5 has none. Add an impute step');
  });

  it('a statistic of missing values only', async () => {
    const content: TableContent = { x: ['float64', [null, null, null, null, null, null]] };
    await expect(stepsOf(content, [impute('median')])).rejects.toThrow('all are missing');
  });

  it('an integer beyond 2^53, with its row', async () => {
    const content: TableContent = { x: ['int64', [1, 2, 3, 2n ** 60n, 5, 6]] };
    await expect(stepsOf(content, [standardise])).rejects.toThrow('column "x" in row 4 holds 1152921504606846976');
  });

  it('an integer beyond 2^53 that no step looks at, naming its column and not one with a gap in that row', async () => {
    const content: TableContent = {
      gap: ['float64', [1, 2, 3, null, 5, 6]],
      x: ['int64', [1, 2, 3, 2n ** 60n, 5, 6]],
      part: ['text', ['train', 'train', 'train', 'test', 'train', 'train']],
    };
    const spec = specOf({ gap: [impute('mean')], x: [] });
    await expect(fit(content, spec, byPart)).rejects.toThrow('column "x" in row 4 is 1152921504606846976, beyond 2^53');
  });

  it('a value that is beyond float32, in whatever split', async () => {
    const content: TableContent = {
      x: ['float64', [1, 2, 3, 4, 5, 1e39]],
      part: ['text', ['train', 'train', 'train', 'train', 'test', 'test']],
    };
    await expect(stepsOf(content, [standardise], byPart)).rejects.toThrow(
      'column "x" in row 6 is too large for float32',
    );
  });

  it.each<[string, StepSpec[]]>([
    ['a statistic to take', [standardise]],
    ['nothing to learn', []],
  ])('to go on when its caller has gone, with %s', async (_, steps) => {
    const signal = AbortSignal.abort(new Error('gone'));
    const fitting = fit({ x: ['float64', [1, 2, 3, 4, 5, 6]] }, specOf({ x: steps }), split, 2, signal);
    await expect(fitting).rejects.toThrow('gone');
  });

  it('a value without a logarithm, whether a step learns from it or not', async () => {
    const content: TableContent = { x: ['float64', [1, 2, 3, -1, 5, 6]] };
    const log: StepSpec = { kind: 'log', offset: null };
    await expect(stepsOf(content, [log, standardise])).rejects.toThrow(
      'Expected column "x" in row 4 to be greater than -1',
    );
    await expect(stepsOf(content, [log])).rejects.toThrow('column "x" in row 4 is not greater than -1');
  });

  it('more categories than allowed', async () => {
    const content: TableContent = { x: ['int64', [1, 2, 3, 1, 2, 3]] };
    await expect(stepsOf(content, [oneHot(2)])).rejects.toThrow('at most 2 categories');
    expect(await stepsOf(content, [oneHot(3)])).toEqual([{ kind: 'oneHot', categories: [1, 2, 3] }]);
  });

  it.each<[string, TableContent, LabelSpec, string]>([
    ['a missing label', { y: ['text', ['a', 'b', 'a', null, 'a', 'b']] }, classes, 'column "y" in row 4 has none'],
    [
      'one class',
      { y: ['int64', [1, 1, 1, 1, 1, 1]] },
      classes,
      '2 to 10000 classes in the training split but it has 1',
    ],
    ['three classes for binary', { y: ['int64', [1, 2, 3, 1, 2, 3]] }, { column: 'y', kind: 'binary' }, 'two classes'],
    ['text as a number', {}, { column: 'y', kind: 'number' }, 'a column of numbers but "y" is Utf8'],
    ['a class beyond 2^53', { y: ['int64', [1, 2, 1, 2n ** 60n, 1, 2]] }, classes, 'column "y" in row 4 holds 1152921'],
    [
      'a number beyond float32',
      { y: ['float64', [1, 1e39, 1, 1, 1, 1]] },
      { column: 'y', kind: 'number' },
      'row 2 holds 1e+39',
    ],
  ])('%s', async (_, content, target, message) => {
    const table: TableContent = { x: ['float64', [1, 2, 3, 4, 5, 6]], ...content };
    await expect(fit(table, specOf({ x: [] }, target))).rejects.toThrow(message);
  });

  it('a label outside the classes of the training split', async () => {
    const content: TableContent = {
      x: ['float64', [1, 2, 3, 4, 5, 6]],
      y: ['int64', [1, 2, 1, 2, 3, 1]],
      part: ['text', ['train', 'train', 'train', 'train', 'test', 'test']],
    };
    await expect(fit(content, specOf({ x: [] }), byPart)).rejects.toThrow('(1, 2) but column "y" in row 5 holds "3"');
  });
});

describe('fitPipeline', () => {
  const withGaps: TableContent = {
    x: ['float64', [4, null, 1, 1, 10, 1000]],
    part: ['text', ['train', 'train', 'train', 'train', 'train', 'test']],
  };

  it.each<[string, StepSpec, number]>([
    ['mean', impute('mean'), 4],
    ['median, of an even count the middle of two', impute('median'), 2.5],
    ['most frequent value', impute('mostFrequent'), 1],
    ['constant', impute('constant', { number: -7 }), -7],
  ])('imputes the %s of the training split', async (_, step, value) => {
    expect(await stepsOf(withGaps, [step], byPart)).toEqual([{ kind: 'impute', value }]);
  });

  it('takes the smallest of equally frequent values', async () => {
    const content: TableContent = { x: ['text', ['b', 'a', null, 'b', 'a', 'c']] };
    const fitted = await stepsOf(content, [impute('mostFrequent'), oneHot()]);
    expect(fitted).toEqual([
      { kind: 'impute', value: 'a' },
      { kind: 'oneHot', categories: ['a', 'b', 'c'] },
    ]);
  });

  it('scales by the training split, and by what is given', async () => {
    const content: TableContent = { ...withGaps, x: ['float64', [2, 4, 6, 8, 10, 1000]] };
    expect(await stepsOf(content, [scale()], byPart)).toEqual([{ kind: 'scale', subtract: 2, divide: 8 }]);
    expect(await stepsOf(content, [scale(0)], byPart)).toEqual([{ kind: 'scale', subtract: 0, divide: 10 }]);
    expect(await stepsOf(content, [scale(-5, 5)], byPart)).toEqual([{ kind: 'scale', subtract: -5, divide: 10 }]);
    await expect(stepsOf(content, [scale(50)], byPart)).rejects.toThrow('a minimum below the maximum');
  });

  it('standardises by the population formula', async () => {
    const content: TableContent = { x: ['int64', [2, 4, 4, 4, 5, 5]], part: ['text', new Array(6).fill('train')] };
    // Mean 4, squares 4 + 0 + 0 + 0 + 1 + 1 = 6, of 6 values.
    expect(await stepsOf(content, [standardise], byPart)).toEqual([{ kind: 'standardise', subtract: 4, divide: 1 }]);
  });

  it('keeps a small spread around a large mean', async () => {
    const content: TableContent = { x: ['float64', [1e9 + 1, 1e9 - 1, 1e9 + 1, 1e9 - 1, 1e9 + 1, 1e9 - 1]] };
    expect(await stepsOf(content, [standardise])).toEqual([{ kind: 'standardise', subtract: 1e9, divide: 1 }]);
  });

  it.each([scale(), standardise])('makes a constant column 0: $kind', async (step) => {
    expect(await stepsOf({ x: ['float64', [3, 3, 3, 3, 3, 3]] }, [step])).toEqual([
      { kind: step.kind, subtract: 3, divide: 1 },
    ]);
  });

  it('fits each step on what those before it give', async () => {
    const content: TableContent = { x: ['float64', [0, 10, 0, 10, null, null]] };
    expect(await stepsOf(content, [scale(), impute('mean'), standardise])).toEqual([
      { kind: 'scale', subtract: 0, divide: 10 },
      { kind: 'impute', value: 0.5 },
      { kind: 'standardise', subtract: 0.5, divide: Math.sqrt(1 / 6) },
    ]);
  });

  it.each<[string, TableContent, string[]]>([
    ['numbers by size', { y: ['int64', [10, 9, 10, 9, 100, 10]] }, ['9', '10', '100']],
    ['booleans', { y: ['boolean', [true, false, true, true, false, true]] }, ['false', 'true']],
    ['texts', {}, ['no', 'yes']],
  ])('sorts classes that are %s', async (_, content, expected) => {
    const { definition } = await fit({ x: ['float64', [1, 2, 3, 4, 5, 6]], ...content }, specOf({ x: [] }));
    expect(definition.label).toEqual({ column: 'y', kind: 'classes', classes: expected });
  });

  it('learns mean and deviation of a label that is standardised, from the training split', async () => {
    const content: TableContent = {
      ...withGaps,
      x: ['float64', [1, 2, 3, 4, 5, 6]],
      y: ['int64', [2, 4, 4, 4, 6, 99]],
    };
    const { definition } = await fit(
      content,
      specOf({ x: [] }, { column: 'y', kind: 'number', standardise: true }),
      byPart,
    );
    expect(definition.label).toEqual({
      column: 'y',
      kind: 'number',
      standardise: { subtract: 4, divide: Math.sqrt(8 / 5) },
    });
  });

  it('refuses to standardise classes', async () => {
    const target: LabelSpec = { ...classes, standardise: true };
    const content: TableContent = { x: ['float64', [1, 2, 3, 4, 5, 6]] };
    await expect(fit(content, specOf({ x: [] }, target))).rejects.toThrow('`spec.label.standardise` to be false');
  });

  it('gives the same bytes however the rows are cut into batches', async () => {
    const content: TableContent = { x: ['float64', [0.1, 0.2, null, 0.7, 1e-9, 3]] };
    const spec = specOf({ x: [impute('mean'), standardise] });
    const [first, second] = [await fit(content, spec, split, 1), await fit(content, spec, split, 6)];
    expect(serialisePipeline(first!.definition)).toEqual(serialisePipeline(second!.definition));
    expect(first!.rowCounts).toEqual({ train: 6, validation: 0, test: 0 });
  });
});

describe('the test split', () => {
  const rows = Array.from({ length: 60 }, (_, i) => i);
  const content: TableContent = {
    x: ['float64', rows.map((i) => (i % 7 === 0 ? null : (i * 31) % 53))],
    word: ['text', rows.map((i) => 'abc'[i % 3]!)],
    y: ['text', rows.map((i) => (i % 2 ? 'yes' : 'no'))],
    part: ['text', rows.map((i) => (i % 4 === 3 ? 'test' : 'train'))],
    class: ['text', rows.map((i) => 'rst'[(i * i) % 3]!)],
    user: ['int64', rows.map((i) => i % 13)],
    day: ['int64', rows.map((i) => (i * 17) % 60)],
  };
  const steps = specOf({ x: [impute('median'), standardise], word: [oneHot()] });

  it.each<[string, Partial<typeof split>]>([
    ['drawn at random', { testFraction: 0.25 }],
    ['that a column names', { column: 'part', validationFraction: 0.1 }],
    ['that is stratified', { stratifyColumn: 'class', testFraction: 0.25 }],
    ['of groups', { groupColumn: 'user', testFraction: 0.25 }],
    ['of the latest rows', { timeColumn: 'day', testFraction: 0.25 }],
  ])('%s is not fitted on, whatever it holds', async (_, changes) => {
    const spec = { ...split, ...changes };
    const table = await openTable(content);
    const assignment = await assignSplits(spec, table);
    await table.close();
    const poison = (values: Values, value: string | number): Values =>
      values.map((old, row) => (assignment[row] === 2 ? value : old));
    const poisoned: TableContent = {
      ...content,
      x: ['float64', poison(content.x![1], -1e6)],
      word: ['text', poison(content.word![1], 'poison')],
      y: ['text', poison(content.y![1], 'yes')],
    };
    const fitted = await fit(content, steps, spec, 25);
    expect(fitted.rowCounts.test).toBeGreaterThan(5);
    expect(await fit(poisoned, steps, spec, 25)).toEqual(fitted);
  });
});
