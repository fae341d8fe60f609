import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  assignFolds,
  classWeightsOf,
  foldTrainRows,
  foldWarnings,
  partByFold,
  specOfPart,
  summarise,
} from '../../../services/training/folds.js';
import type { Happening } from '../../../services/training/job.js';
import type { JobExamples, TensorSource } from '../../../services/training/job-examples.js';
import type { Publication } from '../../../services/training/registry-client.js';
import type { Split } from '../../../services/training/training-spec.js';
import { kinds, RunnerFixture, twoClasses, weightsOf } from './runner-fixture.js';
import { fittedPipeline, newJob } from './spec-draft.js';

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
        const foldOf = assignFolds(classes.length, { folds, seed, stratified: true }, classes);
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
    const of = (seed: number) => assignFolds(100, { folds: 5, seed, stratified: false }, null);
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    // Rows that stand beside each other are not dealt out in turn.
    expect([...of(1).subarray(0, 10)]).not.toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
  });
});

describe('partByFold', () => {
  it('copies whole rows, each to its side, and weighs classes by the rows that are trained on', () => {
    const block = { type: 'uint8' as const, columns: 2, data: Uint8Array.from([0, 1, 10, 11, 20, 21, 30, 31]) };
    const examples: JobExamples = { rows: 4, features: [block], targets: Int32Array.of(0, 1, 1, 0) };
    const { spec } = newJob();
    const weights = classWeightsOf({ ...spec, classWeights: 'balanced' }, fittedPipeline({ classes: ['a', 'b'] }));
    const { train, held } = partByFold(examples, Uint8Array.of(1, 2, 1, 1), 2, weights);
    expect(held).toEqual({ rows: 1, features: [{ ...block, data: Uint8Array.of(10, 11) }], targets: Int32Array.of(1) });
    expect(train).toMatchObject({
      ...{ rows: 3, features: [{ data: Uint8Array.of(0, 1, 20, 21, 30, 31) }], targets: Int32Array.of(0, 1, 0) },
      weights: Float32Array.of(3 / 4, 3 / 2, 3 / 4),
    });
    const several = { ...examples, targets: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
    // Weights of rows are scaled anew to a mean of 1 in each part.
    const sampleWeights = Float32Array.of(1, 4, 3, 2);
    const byRow = partByFold({ ...examples, sampleWeights }, Uint8Array.of(1, 2, 1, 1), 2, () => null);
    expect([byRow.train.weights, byRow.held.weights]).toEqual([Float32Array.of(0.5, 1.5, 1), Float32Array.of(1)]);
    const none = { ...examples, sampleWeights: Float32Array.of(0, 4, 0, 0) };
    expect(() => partByFold(none, Uint8Array.of(1, 2, 1, 1), 2, () => null)).toThrow(/weight of 0/);
    expect(partByFold(several, Uint8Array.of(1, 2, 1, 1), 2, () => null).held.targets).toEqual(Float32Array.of(3, 4));
  });
});

it('tells means and deviations as numpy does, of what every fold has', () => {
  const score = (fold: number, metrics: Record<string, number>) => ({ fold, rowCount: 1, metrics });
  const { mean, deviation } = summarise([
    score(1, { loss: 1, roc_auc: 1 }),
    score(2, { loss: 2 }),
    score(3, { loss: 6 }),
  ]);
  expect(mean).toEqual({ loss: 3 });
  expect(deviation.loss).toBeCloseTo(Math.sqrt(14 / 3), 12);
  expect(summarise([])).toEqual({ mean: {}, deviation: {} });
});

it('warns of labels that were learned, and of classes that some folds lack', () => {
  const definition = JSON.stringify({ columns: [{ column: 'x', steps: [{ kind: 'target' }] }] });
  const pipeline = fittedPipeline({ definition, classes: ['a', 'b'] });
  const rule = { folds: 3, seed: 1, stratified: true };
  expect(foldWarnings(pipeline, rule, [0, 0, 0, 1, 1])).toEqual([
    expect.stringContaining('`target`'),
    'There are fewer rows than folds of b: some folds have none.',
  ]);
  expect(foldWarnings(fittedPipeline(), rule, null)).toEqual([]);
});

describe('a job with cross-validation', () => {
  let fixture: RunnerFixture;
  beforeEach(async () => {
    fixture = await RunnerFixture.open();
    return () => fixture.close();
  });

  const rows = { train: 65, validation: 16, test: 16 };
  const spec = {
    ...{ epochs: 4, batchSize: 8, averaging: { decay: 0.5 }, classWeights: { 1: 2 } },
    ...{
      earlyStopping: { metric: 'validationLoss', patience: 1 },
      optimizer: { type: 'sgd' as const, learningRate: 0.5 },
    },
  };
  const crossValidation = { folds: 3, seed: 5 };
  const scoresOf = (happenings: Happening[]) => happenings.filter((happening) => happening.kind === 'fold');
  const reportOf = ({ artifacts }: Publication) => JSON.parse(Buffer.from(artifacts['report.json']!).toString());

  it('publishes the same weights as one without, with the scores of its folds', async () => {
    await fixture.create(spec, rows);
    await fixture.run();
    await fixture.create({ ...spec, crossValidation }, rows, 'b');
    const happenings = await fixture.run();
    const [alone, validated] = fixture.published as [Publication, Publication];
    expect(weightsOf(validated)).toEqual(weightsOf(alone));
    expect(reportOf(validated).evaluation).toEqual(reportOf(alone).evaluation);
    expect(reportOf(alone)).not.toHaveProperty('crossValidation');
    const scores = scoresOf(happenings);
    expect(scores.map(({ fold, folds, rowCount }) => [fold, folds, rowCount])).toEqual([
      [1, 3, 22],
      [2, 3, 22],
      [3, 3, 21],
    ]);
    const summary = happenings.find((happening) => happening.kind === 'crossValidation')!;
    const losses = scores.map(({ metrics }) => metrics.loss!);
    expect(summary.mean.loss).toBeCloseTo((losses[0]! + losses[1]! + losses[2]!) / 3, 12);
    expect(reportOf(validated).crossValidation).toMatchObject({ mean: summary.mean, deviation: summary.deviation });
    expect(validated.metrics.cross_validation_accuracy).toBe(summary.mean.accuracy);
    expect(validated.metrics).toMatchObject(alone.metrics);
    // Epochs of folds are told, and are not the job's.
    const epochs = happenings.flatMap((happening) => (happening.kind === 'epoch' ? (happening.fold ?? 0) : []));
    expect([...new Set(epochs)]).toEqual([1, 2, 3, 0]);
    expect(await fixture.store.get('b')).toMatchObject({ epochsDone: epochs.filter((fold) => fold === 0).length });
  });

  it('scores each fold as the test rows of a job that never saw them', async () => {
    await fixture.create({ ...spec, crossValidation }, rows);
    const [, second] = scoresOf(await fixture.run());
    const foldOf = await foldsOf(rows.train);
    fixture.preprocessing = {
      tensors: async (pipeline, kind, split, signal) => {
        const whole = async (name: Split) => twoClasses.tensors({ ...pipeline, rowCounts: rows }, kind, name, signal);
        const { rows: count, features, targets } = await whole(split === 'test' ? 'train' : split);
        if (split === 'validation') {
          return { rows: count, features, targets };
        }
        const block = { type: 'float32' as const, columns: 2, data: features as Float32Array };
        const { train, held } = partByFold({ rows: count, features: [block], targets }, foldOf, 2, () => null);
        const part = split === 'train' ? train : held;
        return { rows: part.rows, features: part.features[0].data, targets: part.targets };
      },
    };
    await fixture.create(spec, { train: 43, validation: 16, test: 22 }, 'b');
    await fixture.run();
    const { metrics } = fixture.published[1]!;
    for (const [name, value] of Object.entries(second!.metrics)) {
      expect([name, metrics[`test_${name}`]]).toEqual([name, value]);
    }
    expect(Object.keys(second!.metrics).length).toBeGreaterThan(10);
  });

  async function foldsOf(count: number): Promise<Uint8Array> {
    const { targets } = await twoClasses.tensors(
      fittedPipeline({ rowCounts: rows }),
      'classes',
      'train',
      new AbortController().signal,
    );
    return assignFolds(count, { ...crossValidation, stratified: true }, targets);
  }

  it('goes on within any fold, to the same report after each of many interruptions', async () => {
    const asked = { ...spec, crossValidation, checkpoints: { everySteps: 5 }, onDivergence: {} };
    await fixture.create(asked, rows);
    await fixture.run();
    await fixture.create(asked, rows, 'b');
    let happenings: Happening[] = [];
    for (let stop = 1; kinds(happenings).at(-1) !== 'succeeded'; stop++) {
      let seen = 0;
      fixture.stopAfter(({ kind }) => {
        seen += kind === 'checkpoint' || kind === 'epoch' || kind === 'fold' ? 1 : 0;
        return seen >= stop;
      });
      happenings = await fixture.run();
    }
    const [undisturbed, interrupted] = fixture.published as [Publication, Publication];
    expect(happenings.filter(({ kind }) => kind === 'resumed').length).toBeGreaterThan(2);
    expect(weightsOf(interrupted)).toEqual(weightsOf(undisturbed));
    expect(reportOf(interrupted).crossValidation).toEqual(reportOf(undisturbed).crossValidation);
    expect(interrupted.metrics).toEqual(undisturbed.metrics);
  });

  it('shortens a schedule with the epochs of its folds', () => {
    const job = fixture.spec(
      { epochs: 10, batchSize: 10, crossValidation: { folds: 2 }, schedule: { type: 'cosine', warmupEpochs: 1 } },
      { ...rows, train: 100 },
    );
    expect(specOfPart(job, 0).schedule).toMatchObject({ warmupSteps: 10, steps: 90 });
    expect(specOfPart(job, 1).schedule).toMatchObject({ warmupSteps: 5, steps: 45 });
    const bySteps = { ...job, spec: { ...job.spec, steps: 100 } };
    expect(specOfPart(bySteps, 1)).toBe(bySteps.spec);
  });

  it('trains on numbers too, whose folds are drawn from all rows alike', async () => {
    const byNumber: TensorSource = {
      tensors: async (...asked) => {
        const { rows: count, features } = await twoClasses.tensors(...asked);
        return { rows: count, features, targets: Float32Array.from({ length: count }, (_, i) => features[2 * i]!) };
      },
    };
    fixture.preprocessing = byNumber;
    await fixture.create({
      ...{ pipeline: { labelKind: 'number', message: {} }, loss: 'meanSquaredError', crossValidation: {}, epochs: 2 },
      layers: [{ type: 'dense', units: 1, activation: 'linear' }],
    });
    const happenings = await fixture.run();
    expect(kinds(happenings).at(-1)).toBe('succeeded');
    expect(scoresOf(happenings)).toHaveLength(5);
    expect(Object.keys(scoresOf(happenings)[0]!.metrics)).toEqual([
      'loss',
      'rmse',
      'mae',
      'median_absolute_error',
      'r2',
    ]);
  });
});
