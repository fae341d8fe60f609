import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  assignFolds,
  classWeightsOf,
  foldTrainRows,
  foldWarnings,
  partByFold,
  partsOf,
  specOfPart,
  summarise,
  takeShare,
} from '../../../services/training/folds.js';
import type { Happening } from '../../../services/training/job.js';
import type { JobExamples, TensorSource } from '../../../services/training/job-examples.js';
import type { Publication } from '../../../services/training/registry-client.js';
import { learningCurveOf } from '../../../services/training/report/learning-curve.js';
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
        const taken = (trainSize: number | null) =>
          rows.filter(takeShare(foldOf, { rule, fold: 2, trainSize }, strata));
        const [small, large] = [taken(Math.min(one, other)), taken(Math.max(one, other))];
        expect(taken(null)).toEqual(left);
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

describe('learningCurveOf', () => {
  const sizes = [0.5, 1];
  /** Two folds at each size: what they reach on their own rows, and on the others. */
  const curve = (figures: [seen: number, held: number][], name = 'accuracy') =>
    learningCurveOf([
      { fold: 1, rowCount: 9, metrics: { [name]: 0 } },
      ...figures.flatMap(([seen, held], i) =>
        [-0.001, 0.001].map((off, k) => ({
          ...{ fold: k + 1, rowCount: 9, trainSize: sizes[i]!, trainRowCount: 100 * (i + 1) },
          ...{ metrics: { [name]: held + off }, trainMetrics: { [name]: seen } },
        })),
      ),
    ]);

  it('tells nothing of a cross-validation', () => {
    expect(learningCurveOf([{ fold: 1, rowCount: 9, metrics: {} }])).toBeNull();
  });

  it('sums up the folds at each size', () => {
    const { points } = curve([
      [1, 0.7],
      [1, 0.8],
    ])!;
    expect(points.map(({ trainSize, trainRowCount }) => [trainSize, trainRowCount])).toEqual([
      [0.5, 100],
      [1, 200],
    ]);
    expect(points[1]!.held).toMatchObject({ folds: 2, mean: { accuracy: 0.8 }, deviation: {} });
    expect(points[1]!.held.deviation.accuracy).toBeCloseTo(0.001, 12);
    expect(points[1]!.train.mean).toEqual({ accuracy: 1 });
  });

  it.each<[string, [number, number][], string, RegExp]>([
    [
      'still rises',
      [
        [1, 0.7],
        [1, 0.8],
      ],
      'accuracy',
      /^More rows would help: from 100 to 200 .* from 0.7 to 0.8 /,
    ],
    [
      'is flat, far below its own rows',
      [
        [1, 0.7],
        [1, 0.701],
      ],
      'accuracy',
      /would help little: .* the network overfits/,
    ],
    [
      'is flat, near its own rows',
      [
        [0.72, 0.7],
        [0.71, 0.7],
      ],
      'accuracy',
      /^More rows would not help: /,
    ],
    [
      'rises by less than chance',
      [
        [0.81, 0.7],
        [0.71, 0.7005],
      ],
      'accuracy',
      /^More rows would not help: /,
    ],
    [
      'of errors still falls',
      [
        [1, 4],
        [1, 3],
      ],
      'rmse',
      /^More rows would help: .* from 4 to 3 /,
    ],
    [
      'of errors has got worse',
      [
        [3, 3],
        [3, 4],
      ],
      'loss',
      /^More rows of this kind would help little: .* no better\. But/,
    ],
  ])('says what it means that a curve %s', (_, figures, name, text) => {
    const { text: said, advice } = curve(figures, name)!;
    expect(said).toMatch(text);
    expect(advice.length).toBeGreaterThan(0);
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

  const learningCurve = { trainSizes: [0.3, 1], folds: 3, seed: 5 };
  const curvesOf = (happenings: Happening[]) => happenings.filter((happening) => happening.kind === 'learningCurve');

  it('scores fewer rows too for a learning curve, and all of them as cross-validation does', async () => {
    await fixture.create(spec, rows);
    await fixture.run();
    await fixture.create({ ...spec, batchSize: 15, crossValidation, learningCurve }, rows, 'b');
    const happenings = await fixture.run();
    const scores = scoresOf(happenings);
    expect(scores.map(({ fold, trainSize, trainRowCount }) => [fold, trainSize, trainRowCount])).toEqual([
      ...[1, 2, 3].map((fold) => [fold, undefined, undefined]),
      ...[1, 2, 3].map((fold) => [fold, 0.3, 13]),
      ...[1, 2, 3].map((fold) => [fold, 1, fold === 3 ? 44 : 43]),
    ]);
    const metricsOf = (some: typeof scores) => some.map(({ metrics }) => metrics);
    expect(metricsOf(scores.slice(6))).toEqual(metricsOf(scores.slice(0, 3)));
    expect(metricsOf(scores.slice(3, 6))).not.toEqual(metricsOf(scores.slice(0, 3)));
    const [curve] = curvesOf(happenings);
    expect(curve!.points.map(({ trainRowCount }) => trainRowCount)).toEqual([13, 43]);
    const crossValidated = happenings.find((happening) => happening.kind === 'crossValidation')!;
    expect(curve!.points[1]!.held.mean).toEqual(crossValidated.mean);
    expect(Object.keys(curve!.points[0]!.train.mean)).toContain('accuracy');
    const { kind: _, ...told } = curve!;
    const published = fixture.published[1]!;
    expect(reportOf(published)).toMatchObject({ learningCurve: told, crossValidation: { mean: crossValidated.mean } });
    expect(reportOf(published).crossValidation.folds).toHaveLength(3);
    const { trainSize } = happenings.find(
      (happening) => happening.kind === 'epoch' && happening.trainSize,
    ) as Happening & { kind: 'epoch' };
    expect(trainSize).toBe(0.3);
  });

  it('publishes the weights of a job without a learning curve, also after interruptions within it', async () => {
    await fixture.create(spec, rows);
    await fixture.run();
    const asked = { ...spec, learningCurve: { ...learningCurve, folds: 2 } };
    await fixture.create(asked, rows, 'b');
    await fixture.run();
    await fixture.create(asked, rows, 'c');
    let happenings: Happening[] = [];
    for (let stop = 1; kinds(happenings).at(-1) !== 'succeeded'; stop++) {
      let seen = 0;
      fixture.stopAfter(({ kind }) => {
        seen += kind === 'epoch' || kind === 'fold' ? 1 : 0;
        return seen >= 2 * stop;
      });
      happenings = await fixture.run();
    }
    expect(happenings.filter(({ kind }) => kind === 'resumed').length).toBeGreaterThan(1);
    const [alone, whole, interrupted] = fixture.published as [Publication, Publication, Publication];
    expect(weightsOf(whole)).toEqual(weightsOf(alone));
    expect(whole.metrics).toEqual(alone.metrics);
    expect(weightsOf(interrupted)).toEqual(weightsOf(alone));
    expect(reportOf(interrupted).learningCurve).toEqual(reportOf(whole).learningCurve);
  });

  it('shortens a schedule with the epochs of its folds', () => {
    const job = fixture.spec(
      { epochs: 10, batchSize: 10, crossValidation: { folds: 2 }, schedule: { type: 'cosine', warmupEpochs: 1 } },
      { ...rows, train: 100 },
    );
    const [first] = partsOf(job.spec);
    expect(specOfPart(job, undefined).schedule).toMatchObject({ warmupSteps: 10, steps: 90 });
    expect(specOfPart(job, first).schedule).toMatchObject({ warmupSteps: 5, steps: 45 });
    const bySteps = { ...job, spec: { ...job.spec, steps: 100 } };
    expect(specOfPart(bySteps, first)).toEqual(bySteps.spec);
    // Five rows of a tenth of 50 are fewer than a batch: a step an epoch.
    const tenth = specOfPart(job, { rule: job.spec.crossValidation!, fold: 1, trainSize: 0.1 });
    expect(tenth).toMatchObject({ batchSize: 5, schedule: { warmupSteps: 1, steps: 9 } });
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
