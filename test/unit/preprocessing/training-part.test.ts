import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFittedPipeline, serialisePipeline } from '../../../services/pipeline/index.js';
import { fitPipeline } from '../../../services/preprocessing/fit.js';
import type { LabelSpec } from '../../../services/preprocessing/pipeline-spec.js';
import { wholeSplit } from '../../../services/preprocessing/split.js';
import { assignFolds, type TrainingPart, takeShare } from '../../../services/preprocessing/training-part.js';
import { foldTrainRows } from '../../../services/training/folds.js';
import { openTable, type TableContent } from './table.js';

/** How many rows each fold has of each class, [folds][classes]. */
function countsOf(foldOf: Uint8Array, folds: number, strata: number[]): number[][] {
  const counts = Array.from({ length: folds }, () => new Array<number>(Math.max(0, ...strata) + 1).fill(0));
  for (const [row, fold] of foldOf.entries()) {
    counts[fold - 1]![strata[row]!]!++;
  }
  return counts;
}

const spread = (values: number[]) => Math.max(...values) - Math.min(...values);

describe('assignFolds', () => {
  it('gives every fold its share of the rows and of each class, to within one row, whatever the classes are', () => {
    const strata = fc.array(fc.nat({ max: 6 }), { minLength: 2, maxLength: 300 });
    fc.assert(
      fc.property(strata, fc.integer({ min: 2, max: 12 }), fc.maxSafeNat(), (classes, folds, seed) => {
        const foldOf = assignFolds(classes.length, { folds, seed }, classes);
        const counts = countsOf(foldOf, folds, classes);
        const sizes = counts.map((ofClasses) => ofClasses.reduce((sum, count) => sum + count, 0));
        expect(spread(sizes)).toBeLessThanOrEqual(1);
        for (const k of counts[0]!.keys()) {
          expect(spread(counts.map((ofClasses) => ofClasses[k]!))).toBeLessThanOrEqual(1);
        }
        for (const [i, size] of sizes.entries()) {
          expect(foldTrainRows(classes.length, folds, i + 1)).toBe(classes.length - size);
        }
        expect(foldTrainRows(classes.length, folds)).toBe(classes.length - Math.max(...sizes));
      }),
    );
  });

  it('is another one for another seed, and the same for the same', () => {
    const of = (seed: number) => assignFolds(100, { folds: 5, seed }, null);
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    // Rows that stand beside each other are not dealt out in turn.
    expect([...of(1).subarray(0, 10)]).not.toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
  });
});

describe('takeShare', () => {
  it('takes as many rows as it should without the fold, each class evenly, and more of them for a larger share', () => {
    const classes = fc.array(fc.nat({ max: 3 }), { minLength: 4, maxLength: 120 });
    const share = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(classes, fc.maxSafeNat(), share, share, (strata, seed, one, other) => {
        const rule = { folds: 3, seed, stratified: true };
        const foldOf = assignFolds(strata.length, rule, strata);
        const rows = [...strata.keys()];
        const left = rows.filter((row) => foldOf[row] !== 2);
        const taken = (trainSize: number) => rows.filter(takeShare(foldOf, { ...rule, fold: 2, trainSize }, strata));
        const [small, large] = [taken(Math.min(one, other)), taken(Math.max(one, other))];
        expect(taken(0)).toEqual(left);
        expect(taken(1)).toEqual(left);
        expect(small).toHaveLength(Math.max(1, Math.round(left.length * Math.min(one, other))));
        expect(large).toEqual(expect.arrayContaining(small));
        for (const k of [0, 1, 2, 3]) {
          const ofClass = (some: number[]) => some.filter((row) => strata[row] === k).length;
          const fair = (ofClass(left) * small.length) / left.length;
          expect(Math.abs(ofClass(small) - fair)).toBeLessThan(2.5);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('fitPipeline on a part', () => {
  // Of twelve rows for training, two a class, each number and each word is there once.
  const train = Array.from({ length: 12 }, (_, i) => i);
  const part = { folds: 3, fold: 2, stratified: true, seed: 7, trainSize: 0 };
  const content: TableContent = {
    x: ['float64', [...train.map((i) => 2 ** i), 5_000, 6_000]],
    word: ['text', [...train.map((i) => `w${i}`), 'w0', 'w1']],
    y: ['text', [...train.map((i) => 'abcdef'[i % 6]!), 'a', 'b']],
    n: ['float64', [...train.map((i) => i * i), 1, 2]],
    part: ['text', [...train.map(() => 'train'), 'validation', 'test']],
  };
  const split = { ...wholeSplit, column: 'part' };

  async function fit(asked: TrainingPart | null, label: LabelSpec = { column: 'y', kind: 'classes' }) {
    const table = await openTable(content, 5);
    const spec = {
      columns: [
        { column: 'x', steps: [{ kind: 'standardise' as const }] },
        { column: 'word', steps: [{ kind: 'oneHot' as const, categoriesMax: null, unseenPlace: false }] },
      ],
      label,
    };
    try {
      return await fitPipeline(spec, split, table, new AbortController().signal, { part: asked });
    } finally {
      await table.close();
    }
  }

  it('knows nothing of the rows of its fold, which are in the place of the test', async () => {
    const { definition, assignment, rowCounts } = await fit(part);
    expect(rowCounts).toEqual({ train: 8, validation: 1, test: 4 });
    const own = train.filter((row) => assignment[row] === 0);
    expect([...assignment.subarray(12)]).toEqual([1, 3]);
    const [x, word] = definition.columns;
    const mean = own.reduce((sum, row) => sum + 2 ** row, 0) / 8;
    expect(x!.steps[0]).toMatchObject({ subtract: expect.closeTo(mean, 9) });
    expect(word!.steps[0]).toMatchObject({ categories: own.map((row) => `w${row}`).sort() });
    expect(definition.features.count).toBe(9);
    // Classes of which the fold has the only rows that are left would change what the network answers.
    expect(definition.label).toMatchObject({ classes: ['a', 'b', 'c', 'd', 'e', 'f'] });
    const shared = await fit({ ...part, trainSize: 0.5 });
    expect(shared.rowCounts).toEqual({ train: 4, validation: 1, test: 4 });
    expect(train.filter((row) => shared.assignment[row] === 0).every((row) => own.includes(row))).toBe(true);
    expect(serialisePipeline((await fit(part)).definition)).toEqual(serialisePipeline(definition));
    expect(parseFittedPipeline(serialisePipeline(definition)).featureCount).toBe(9);
  });

  it('standardises numbers by its own rows', async () => {
    const label = { column: 'n', kind: 'number' as const, standardise: true };
    const { definition, assignment } = await fit({ ...part, stratified: false }, label);
    const own = train.filter((row) => assignment[row] === 0);
    const mean = own.reduce((sum, row) => sum + row * row, 0) / own.length;
    expect(definition.label).toMatchObject({ standardise: { subtract: expect.closeTo(mean, 9) } });
  });

  it('refuses a part that there is not, and classes of numbers', async () => {
    const wrong = fit({ folds: 1, fold: 2, stratified: true, seed: -1, trainSize: 2 }, { column: 'n', kind: 'number' });
    await expect(wrong).rejects.toMatchObject({
      fieldViolations: ['folds', 'fold', 'seed', 'train_size', 'stratified'].map((name) => ({ field: `part.${name}` })),
    });
  });
});
