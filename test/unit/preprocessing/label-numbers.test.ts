import { describe, expect, it } from 'vitest';
import { parseFittedPipeline, preparePipeline, serialisePipeline } from '../../../services/pipeline/index.js';
import type { LabelSpec, StepSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { tensorColumns } from '../../../services/preprocessing/tensors.js';
import { fitLabel } from './label-fixture.js';
import type { TableContent } from './table.js';

const content: TableContent = {
  x: ['int64', [0, 1, 2, 3, 4]],
  color: ['text', ['r', 'n', 'r', 'n', 'b']],
  height: ['float64', [1, 2, 3, 4, 100]],
  count: ['int64', [10, 10, 30, 30, 40]],
  part: ['text', ['train', 'train', 'train', 'train', 'test']],
};
const both: LabelSpec = { column: '', kind: 'numbers', columns: ['height', 'count'] };

const fit = (label: LabelSpec, changes: TableContent = {}, steps: StepSpec[] = [], column = 'x') =>
  fitLabel({ ...content, ...changes }, 2, label, steps, column);

describe('a label of several numbers refuses', () => {
  it.each<[string, Partial<LabelSpec>, string]>([
    ['no columns', { columns: [] }, '2 to 1000 columns (a single one is a label of KIND_NUMBER) but received 0'],
    ['a single column', { columns: ['height'] }, 'a label of KIND_NUMBER) but received 1'],
    ['text', { columns: ['height', 'color'] }, '`spec.label.columns[1]` to be a column of numbers but "color" is Utf8'],
    ['a column named twice', { columns: ['height', 'height'] }, 'named once but "height" is named twice'],
    ['a column that there is not', { columns: ['height', 'cuont'] }, 'did you mean "count"?'],
    ['a feature', { columns: ['height', 'x'] }, 'no feature column but "x" is one'],
    ['a column beside the columns', { column: 'height' }, 'unset beside `spec.label.columns`'],
    ['a separator', { separator: ';' }, 'only a label of KIND_LABELS has a separator'],
  ])('%s', async (_, change, message) => {
    await expect(fit({ ...both, ...change })).rejects.toThrow(message);
  });

  it('everything that is wrong, at once', async () => {
    const wrong = { ...both, column: 'y', columns: ['color', 'heigt'], separator: ';' };
    const refused = await fit(wrong).catch(({ fieldViolations }) => fieldViolations);
    expect(refused.map(({ field }: { field: string }) => field).sort()).toEqual(
      ['column', 'columns[0]', 'columns[1]', 'separator'].map((field) => `spec.label.${field}`),
    );
  });

  it.each<[string, TableContent, string]>([
    ['a missing number', { count: ['int64', [1, 2, null, 4, 5]] }, 'column "count" in row 3 has none'],
    ['one beyond float32', { height: ['float64', [1, 2, 3, 1e300, 5]] }, 'column "height" in row 4 holds 1e+300'],
  ])('%s', async (_, changes, message) => {
    await expect(fit(both, changes)).rejects.toThrow(message);
  });
});

describe('a label of several numbers', () => {
  it('gives the numbers of each row, in the order of the columns', async () => {
    const { definition, targets } = await fit(both);
    expect(definition.label).toEqual({ kind: 'numbers', columns: ['height', 'count'] });
    expect(targets).toEqual([1, 10, 2, 10, 3, 30, 4, 30, 100, 40]);
    expect(tensorColumns(preparePipeline(definition))[1]!.type).toEqual({ kind: 'list', type: 'float32', width: 2 });
  });

  it('standardises each by itself, on the training split', async () => {
    const { definition, targets } = await fit({ ...both, standardise: true });
    const units = [
      { subtract: 2.5, divide: Math.sqrt(1.25) },
      { subtract: 20, divide: 10 },
    ];
    expect(definition.label).toEqual({ kind: 'numbers', columns: ['height', 'count'], standardise: units });
    const rows = [1, 10, 2, 10, 3, 30, 4, 30, 100, 40];
    const expected = rows.map((value, i) => Math.fround((value - units[i % 2]!.subtract) / units[i % 2]!.divide));
    expect(targets).toEqual(expected);
    expect(parseFittedPipeline(serialisePipeline(definition)).definition).toEqual(definition);
  });

  it('is refused in a pipeline that standardises another number of columns', async () => {
    const { definition } = await fit({ ...both, standardise: true });
    const label = { ...definition.label, standardise: [{ subtract: 0, divide: 1 }] };
    const bytes = Buffer.from(JSON.stringify({ ...definition, label }));
    expect(() => parseFittedPipeline(bytes)).toThrow('must have an entry for each column');
  });

  it('has a target step encode the mean of each', async () => {
    const target: StepSpec = { kind: 'target', categoriesMax: null, smooth: 0, folds: null };
    const { definition } = await fit(both, {}, [target], 'color');
    expect(definition.columns[0]!.steps[0]).toMatchObject({
      categories: ['n', 'r'],
      classes: ['height', 'count'],
      encoding: {
        values: [
          [3, 2],
          [20, 20],
        ],
        unseen: [2.5, 20],
      },
    });
    expect(preparePipeline(definition).featureNames).toEqual(['color.height', 'color.count']);
  });
});
