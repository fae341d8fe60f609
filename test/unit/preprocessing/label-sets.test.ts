import { describe, expect, it } from 'vitest';
import { parseFittedPipeline, preparePipeline, serialisePipeline } from '../../../services/pipeline/index.js';
import type { LabelSpec, StepSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { tensorColumns } from '../../../services/preprocessing/tensors.js';
import { fitLabel } from './label-fixture.js';
import type { TableContent } from './table.js';

const texts = ['red, large', null, 'blue', ' large ,red', 'red,,', 'blue,large'];
const lists = [['red', 'large'], [], ['blue'], ['large', 'red'], ['red', 'red'], ['blue', 'large']];
const content: TableContent = {
  x: ['int64', [0, 1, 2, 3, 4, 5]],
  color: ['text', ['r', 'n', 'b', 'r', 'r', 'b']],
  text: ['text', texts],
  list: ['texts', lists],
  isRed: ['boolean', [true, false, false, true, true, false]],
  isBlue: ['int64', [0, 0, 1, 0, 0, 1]],
  part: ['text', ['train', 'train', 'train', 'train', 'train', 'test']],
};
const byList: LabelSpec = { column: 'list', kind: 'labels' };
const byText: LabelSpec = { column: 'text', kind: 'labels', separator: ',' };
const byFlags: LabelSpec = { column: '', kind: 'labels', columns: ['isRed', 'isBlue'] };

const fit = (label: LabelSpec, changes: TableContent = {}, steps: StepSpec[] = [], column = 'x') =>
  fitLabel({ ...content, ...changes }, 4, label, steps, column);

describe('a label of several classes refuses', () => {
  it.each<[string, LabelSpec, string]>([
    ['text without a separator', { column: 'text', kind: 'labels' }, 'what parts the classes in a column of text'],
    ['a separator beside lists', { ...byList, separator: ';' }, 'unset for a column of lists'],
    ['numbers', { column: 'isBlue', kind: 'labels' }, 'a column of lists of text, or of text'],
    [
      'a column of text as a truth value',
      { ...byFlags, columns: ['isRed', 'color'] },
      '`spec.label.columns[1]` to be a',
    ],
    ['a column named twice', { ...byFlags, columns: ['isRed', 'isRed'] }, 'named once but "isRed" is named twice'],
    ['a column that there is not', { ...byFlags, columns: ['isRad'] }, 'did you mean "isRed"?'],
    ['a feature', { ...byFlags, columns: ['x'] }, 'no feature column but "x" is one'],
    ['both column and columns', { ...byFlags, column: 'list' }, 'unset beside `spec.label.columns`'],
    ['to be standardised', { ...byList, standardise: true }, 'only a label of KIND_NUMBER or KIND_NUMBERS'],
    [
      'columns of another kind',
      { column: 'color', kind: 'classes', columns: ['isRed'] },
      'only a label of KIND_LABELS or KIND_NUMBERS has several columns',
    ],
    [
      'a separator of another kind',
      { column: 'color', kind: 'classes', separator: ';' },
      'only a label of KIND_LABELS',
    ],
    ['a list as one class', { column: 'list', kind: 'classes' }, 'single values but "list" is List<Utf8>'],
  ])('%s', async (_, label, message) => {
    await expect(fit(label)).rejects.toThrow(message);
  });

  it.each<[string, LabelSpec, TableContent, string]>([
    ['a missing list', byList, { list: ['texts', lists.with(3, null as never)] }, 'column "list" in row 4 has none'],
    [
      'a class without a name',
      byList,
      { list: ['texts', (lists as (string | null)[][]).with(2, [null])] },
      'row 3 lists none',
    ],
    [
      'a class that no training row has',
      byList,
      { list: ['texts', lists.with(5, ['blue', 'new'])] },
      '"list" in row 6 holds "new"',
    ],
    [
      'no class at all',
      byText,
      { text: ['text', texts.map(() => ' , ')] },
      '1 to 10000 classes in the training split but it has none',
    ],
    [
      'a missing truth value',
      byFlags,
      { isRed: ['boolean', [true, null, true, true, true, true]] },
      '"isRed" in row 2 has none',
    ],
    ['another number than 0 and 1', byFlags, { isBlue: ['int64', [0, 1, 0, 0, 2, 0]] }, '"isBlue" in row 5 holds 2'],
    [
      'an integer beyond 2^53',
      byFlags,
      { isBlue: ['int64', [0, 1, 0, 2n ** 60n, 0, 0]] },
      '"isBlue" in row 4 holds 1152921504606846976',
    ],
  ])('%s', async (_, label, changes, message) => {
    await expect(fit(label, changes)).rejects.toThrow(message);
  });
});

describe('a label of several classes', () => {
  const expected = [0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0];

  it('gives each class of a list a target', async () => {
    const { definition, targets } = await fit(byList);
    expect(definition.label).toEqual({ kind: 'labels', columns: ['list'], classes: ['blue', 'large', 'red'] });
    expect(targets).toEqual(expected);
    expect(tensorColumns(preparePipeline(definition))[1]!.type).toEqual({ kind: 'list', type: 'float32', width: 3 });
  });

  it('reads text that is parted as it does lists', async () => {
    const { definition, targets } = await fit(byText);
    const { classes } = (await fit(byList)).definition.label as { classes: string[] };
    expect(definition.label).toEqual({ kind: 'labels', columns: ['text'], separator: ',', classes });
    expect(targets).toEqual(expected);
  });

  it('takes a column for each class, in the order given', async () => {
    const { definition, targets } = await fit(byFlags);
    expect(definition.label).toEqual({ kind: 'labels', columns: ['isRed', 'isBlue'], classes: ['isRed', 'isBlue'] });
    expect(targets).toEqual([1, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1]);
  });

  it('is plain JSON that reads back', async () => {
    const { definition } = await fit(byText);
    expect(parseFittedPipeline(serialisePipeline(definition)).definition).toEqual(definition);
  });

  it('has a target step encode the share of each class', async () => {
    const target: StepSpec = { kind: 'target', categoriesMax: null, smooth: 0, folds: null };
    const { definition } = await fit(byFlags, {}, [target], 'color');
    const [step] = definition.columns[0]!.steps;
    // Of the training rows three are r, all red; one is b, blue; one is n, neither.
    expect(step).toMatchObject({
      categories: ['b', 'n', 'r'],
      classes: ['isRed', 'isBlue'],
      encoding: {
        values: [
          [0, 0, 1],
          [1, 0, 0],
        ],
        unseen: [3 / 5, 1 / 5],
      },
    });
    expect(preparePipeline(definition).featureNames).toEqual(['color.isRed', 'color.isBlue']);
  });
});
