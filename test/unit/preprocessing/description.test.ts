import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomKey } from '../../../services/pipeline/random-key.js';
import { DatasetStore } from '../../../services/preprocessing/dataset-store.js';
import { Descriptions, type ReportSpec } from '../../../services/preprocessing/description/description.js';
import { type SplitSpec, wholeSplit } from '../../../services/preprocessing/split.js';
import { tempFolder } from '../../support/temp-folder.js';
import { storeTable, type TableContent } from './table.js';

const never = new AbortController().signal;
const noReport: ReportSpec = { labelColumns: [], labelSeparator: '', split: null };
const rows = (count: number) => Array.from({ length: count }, (_, i) => i);
/** As good as random, from 0 to 1. */
const noise = (i: number) => randomKey(1, i) / 2 ** 53;

async function describeTable(content: TableContent, spec: Partial<ReportSpec> = {}, folder = tempFolder()) {
  const store = await DatasetStore.open(folder);
  await storeTable(store, 'table', content, 300);
  return new Descriptions(store).describe('datasets/table', { ...noReport, ...spec }, never);
}

const findingsOf = async (content: TableContent, spec: Partial<ReportSpec> = {}) =>
  (await describeTable(content, spec)).findings;

describe('the quality report', () => {
  it('finds nothing in a sound table', async () => {
    const content: TableContent = {
      x: ['float64', rows(1_000).map(noise)],
      colour: ['text', rows(1_000).map((i) => 'rgb'[Math.floor(noise(i + 7) * 3)]!)],
      y: ['text', rows(1_000).map((i) => (noise(i) + noise(i + 3_000) > 1 ? 'yes' : 'no'))],
    };
    const split: SplitSpec = { ...wholeSplit, testFraction: 0.2 };
    expect(await findingsOf(content, { labelColumns: ['y'], split })).toEqual([]);
  });

  it('finds columns that never change, and none that is half missing', async () => {
    const found = await findingsOf({
      x: ['float64', [1, 2, 3]],
      same: ['text', ['a', 'a', 'a']],
      empty: ['int64', [null, null, null]],
      half: ['text', ['a', null, 'a']],
    });
    expect(found).toMatchObject([
      { kind: 'constantColumn', severity: 'warning', columns: ['same'], rowCount: 3 },
      { kind: 'constantColumn', columns: ['empty'], message: 'Column "empty" has no value in any row.' },
    ]);
  });

  it('finds columns that are there twice, of one type and with the same missing values', async () => {
    const found = await findingsOf({
      a: ['float64', [1, 2, null]],
      b: ['float64', [1, 2, null]],
      c: ['float64', [1, 2, 0]],
      d: ['int64', [1, 2, null]],
    });
    expect(found).toMatchObject([{ kind: 'duplicatedColumn', columns: ['b', 'a'] }]);
  });

  it('finds a column of text that would be numbers, with the first rows that are none', async () => {
    const values = rows(700).map((i) => (i % 100 === 42 ? 'n/a' : `${i / 4}`));
    const found = await findingsOf({ x: ['text', values], word: ['text', rows(700).map((i) => `w${i}`)] });
    expect(found).toMatchObject([
      {
        kind: 'unparsableValues',
        columns: ['x'],
        rowCount: 7,
        firstRows: [43, 143, 243, 343, 443, 543, 643],
        measure: 0.01,
        message: 'Column "x" is text because of 7 values (1 %) that are no numbers, for example "n/a".',
      },
    ]);
  });

  it('finds rows that are there again, in whatever batch', async () => {
    const values = rows(1_000).map((i) => (i >= 990 ? i - 990 : i));
    const found = await findingsOf({ x: ['int64', values], y: ['text', values.map((i) => `w${i}`)] });
    expect(found).toMatchObject([
      { kind: 'duplicatedRows', rowCount: 10, firstRows: rows(10).map((i) => 991 + i), measure: 0.01 },
    ]);
  });

  // Every row stands twice.
  const pairs: TableContent = {
    x: ['int64', rows(800).map((i) => i >> 1)],
    part: ['text', rows(800).map((i) => (i % 2 ? 'test' : 'train'))],
  };

  it('finds rows on both sides of a random split, and none where groups keep them together', async () => {
    const split = { ...wholeSplit, testFraction: 0.5 };
    const [across, ...others] = await findingsOf({ x: pairs.x! }, { split });
    expect(across).toMatchObject({ kind: 'rowsInSeveralSplits', severity: 'error' });
    // Half of the test's 400 rows, within five standard deviations.
    expect(Math.abs(across!.rowCount - 200)).toBeLessThan(50);
    expect(across!.firstRows).toHaveLength(10);
    expect(others).toMatchObject([{ kind: 'duplicatedRows', rowCount: 400 }]);
    const grouped = { ...split, groupColumn: 'x' };
    expect(await findingsOf({ x: pairs.x! }, { split: grouped })).toEqual(others);
  });

  it('finds rows on both sides of a split column, which itself differs', async () => {
    const split = { ...wholeSplit, column: 'part', validationFraction: 0.25 };
    expect(await findingsOf(pairs, { split })).toMatchObject([
      {
        kind: 'rowsInSeveralSplits',
        rowCount: 300,
        message: expect.stringContaining('300 rows of the test split (75 %)'),
      },
    ]);
  });

  const y = rows(2_000).map((i) => 'abc'[Math.floor(noise(i) * 3)]!);
  const number = rows(2_000).map((i) => noise(i) * 100);

  it.each<[string, TableContent[string], string, string]>([
    ['another name for each class', ['text', y.map((label) => `class ${label}`)], 'class', 'error'],
    ['many names for each class', ['text', y.map((label, i) => `${label}${i % 40}`)], 'class', 'error'],
    [
      'a number that thresholds tell',
      ['float64', y.map((label, i) => label.charCodeAt(0) + noise(i + 1) / 2)],
      'class',
      'warning',
    ],
    ['what is missing with a class', ['float64', y.map((label, i) => (label === 'a' ? null : i % 7))], 'isA', 'error'],
    ['a straight line', ['float64', number.map((value) => 3 - 2 * value)], 'number', 'error'],
    ['a bent line', ['float64', number.map((value) => Math.exp(value / 10))], 'number', 'error'],
    ['a line with some noise', ['float64', number.map((value, i) => value + 15 * noise(i + 9))], 'number', 'warning'],
  ])('finds that a label is told by %s', async (_, column, label, severity) => {
    const content: TableContent = {
      clue: column,
      random: ['float64', rows(2_000).map((i) => noise(i + 5_000))],
      id: ['text', rows(2_000).map((i) => `row ${i}`)],
      word: ['text', rows(2_000).map((i) => `w${Math.floor(noise(i + 9_000) * 500)}`)],
      class: ['text', y],
      isA: ['boolean', y.map((one) => one === 'a')],
      number: ['float64', number],
    };
    const others = ['class', 'isA', 'number'].filter((name) => name !== label);
    const kept = Object.fromEntries(Object.entries(content).filter(([name]) => !others.includes(name)));
    const found = await findingsOf(kept, { labelColumns: [label] });
    expect(found).toMatchObject([{ kind: 'leaksLabel', severity, columns: ['clue', label] }]);
  });

  it('finds rare classes', async () => {
    const content: TableContent = {
      x: ['float64', rows(1_000).map(noise)],
      y: ['text', rows(1_000).map((i) => (i < 9 ? 'rare' : i % 2 ? 'one' : 'other'))],
    };
    expect(await findingsOf(content, { labelColumns: ['y'] })).toMatchObject([
      { kind: 'imbalancedClasses', columns: ['y'], rowCount: 9, measure: 0.009 },
    ]);
  });

  it.each([
    ['lists of text', ''],
    ['texts that a separator parts', ';'],
  ])('finds rare classes, and columns that tell one, where a row may be of several: %s', async (_, labelSeparator) => {
    const sets = rows(1_000).map((i) => [
      ...(i % 2 ? ['odd'] : []),
      ...(i % 5 ? ['most'] : []),
      ...(i < 9 ? ['rare'] : []),
    ]);
    const content: TableContent = {
      parity: ['int64', rows(1_000).map((i) => i % 2)],
      x: ['float64', rows(1_000).map(noise)],
      tags: labelSeparator ? ['text', sets.map((set) => set.join(labelSeparator))] : ['texts', sets],
    };
    expect(await findingsOf(content, { labelColumns: ['tags'], labelSeparator })).toMatchObject([
      {
        kind: 'leaksLabel',
        columns: ['parity', 'tags'],
        measure: 1,
        message: expect.stringContaining('tells class "odd" of label "tags"'),
      },
      {
        kind: 'imbalancedClasses',
        columns: ['tags'],
        rowCount: 9,
        message: expect.stringContaining('"most", 80 % of all'),
      },
    ]);
  });

  it('reports on each of several labels, and takes none for a clue to another', async () => {
    const size = rows(1_000).map((i) => noise(i));
    const content: TableContent = {
      x: ['float64', rows(1_000).map((i) => noise(i + 5_000))],
      doubled: ['float64', size.map((value) => value * 2)],
      width: ['float64', size],
      height: ['float64', size.map((value) => value + 1)],
    };
    expect(await findingsOf(content, { labelColumns: ['width', 'height'] })).toMatchObject([
      { kind: 'leaksLabel', columns: ['doubled', 'width'] },
      { kind: 'leaksLabel', columns: ['doubled', 'height'] },
    ]);
  });

  it('refuses a label that is not there, or can be none', async () => {
    const content: TableContent = { x: ['int64', [1, 2, 3]], same: ['text', ['a', 'a', 'a']] };
    await expect(findingsOf(content, { labelColumns: ['sane'] })).rejects.toThrow('did you mean "same"?');
    await expect(findingsOf(content, { labelColumns: ['same'] })).rejects.toThrow(
      '2 to 10,000 classes but "same" has 1',
    );
    const split = { ...wholeSplit, groupColumn: 'y', testFraction: 2 };
    await expect(findingsOf(content, { split })).rejects.toMatchObject({
      fieldViolations: [{ field: 'split.test_fraction' }, { field: 'split.group_column' }],
    });
  });
});

describe('Descriptions', () => {
  const content: TableContent = { x: ['int64', rows(500)], y: ['text', rows(500).map((i) => 'ab'[i % 2]!)] };

  it('keeps what was found with the version, and leaves nothing else behind', async () => {
    const folder = tempFolder();
    const found = await describeTable(content, { labelColumns: ['y'] }, folder);
    const version = path.join(folder, 'datasets/table/1');
    expect(readdirSync(version).sort()).toEqual([
      'data.arrows',
      expect.stringMatching(/^report-\w{32}\.json$/),
      'statistics.json',
      'version.json',
    ]);
    expect(readdirSync(path.join(folder, 'drafts'))).toEqual([]);
    // Without its rows, a version can only be answered from what is kept.
    writeFileSync(path.join(version, 'data.arrows'), '');
    const again = new Descriptions(await DatasetStore.open(folder));
    expect(await again.describe('datasets/table', { ...noReport, labelColumns: ['y'] }, never)).toEqual(found);
  });

  it.each(['{"format":', '{"format":"millrace.description/0","content":1}'])(
    'works out anew what is kept as %s',
    async (text) => {
      const folder = tempFolder();
      const found = await describeTable(content, {}, folder);
      const file = path.join(folder, 'datasets/table/1/statistics.json');
      const kept = readFileSync(file, 'utf8');
      writeFileSync(file, text);
      const again = new Descriptions(await DatasetStore.open(folder));
      expect(await again.describe('datasets/table', noReport, never)).toEqual(found);
      expect(readFileSync(file, 'utf8')).toBe(kept);
    },
  );

  it('keeps but the last reports', async () => {
    const folder = tempFolder();
    const store = await DatasetStore.open(folder);
    await storeTable(store, 'table', { x: ['int64', [1, 2, 3, 4]] });
    const descriptions = new Descriptions(store);
    for (const seed of rows(40)) {
      const split = { ...wholeSplit, testFraction: 0.5, seed };
      await descriptions.describe('datasets/table', { ...noReport, split }, never);
    }
    expect(
      readdirSync(path.join(folder, 'datasets/table/1')).filter((name) => name.startsWith('report-')),
    ).toHaveLength(32);
  });

  it('reads the rows once for callers who ask at the same time, until the last has gone', async () => {
    const store = await DatasetStore.open(tempFolder());
    await storeTable(store, 'table', content, 10);
    const descriptions = new Descriptions(store);
    const [first, second] = [new AbortController(), new AbortController()];
    const ask = ({ signal }: AbortController) => descriptions.describe('datasets/table', noReport, signal);
    const answers = [ask(first), ask(second)];
    first.abort(new Error('gone'));
    await expect(answers[0]).rejects.toThrow('gone');
    expect((await answers[1]!).columns).toHaveLength(2);
  });

  it('says NOT_FOUND for a dataset that is deleted meanwhile', async () => {
    const store = await DatasetStore.open(tempFolder());
    await storeTable(store, 'table', content, 1);
    const answer = new Descriptions(store).describe('datasets/table', noReport, never);
    const refusal = expect(answer).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await store.deleteDataset('table');
    await refusal;
  });
});
