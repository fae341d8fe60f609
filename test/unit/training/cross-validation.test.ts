import { beforeEach, describe, expect, it } from 'vitest';
import { RpcError } from '../../../proto/index.js';
import { foldWarning, specOfPart, summarise } from '../../../services/training/folds.js';
import type { Happening } from '../../../services/training/job.js';
import type { TensorSource } from '../../../services/training/job-examples.js';
import type { Publication } from '../../../services/training/registry-client.js';
import { learningCurveOf } from '../../../services/training/report/learning-curve.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { kinds, RunnerFixture, twoClasses, weightsOf } from './runner-fixture.js';
import { fittedPipeline, validDraft } from './spec-draft.js';

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

it('warns of classes that some folds lack', () => {
  const pipeline = fittedPipeline({ classes: ['a', 'b'] });
  const rule = { folds: 3, seed: 1, stratified: true };
  expect(foldWarning(pipeline, rule, [0, 0, 0, 1, 1])).toBe(
    'There are fewer rows than folds of b: some folds have none.',
  );
  expect(foldWarning(pipeline, rule, [0, 0, 0, 1, 1, 1])).toBeNull();
  expect(foldWarning(pipeline, { ...rule, stratified: false }, [0])).toBeNull();
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
    const part = { folds: 3, fold: 2, stratified: true, seed: 5, trainSize: 0 };
    expect(fixture.fits[1]).toMatchObject({ part, sampleWeight: '' });
    const own = await fixture.partOf(part);
    const whole = fixture.preprocessing;
    fixture.preprocessing = {
      tensors: async (pipeline, kind, split, signal) => {
        if (split === 'validation') {
          return whole.tensors(pipeline, kind, split, signal);
        }
        const all = { ...pipeline, rowCounts: rows };
        const { features, targets } = await whole.tensors(all, kind, 'train', signal);
        const taken = split === 'train' ? own.train : own.held;
        return {
          rows: taken.length,
          features: Float32Array.from(taken.flatMap((row) => [...features.subarray(2 * row, 2 * row + 2)])),
          targets: Int32Array.from(taken, (row) => targets[row]!),
        };
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

  it('fails with the fold that the pipeline cannot be fitted without', async () => {
    await fixture.create({ ...spec, crossValidation }, rows);
    const refusal = new RpcError('INVALID_ARGUMENT', 'All are missing.', { reason: 'CANNOT_FIT', fieldViolations: [] });
    fixture.refuseFit = (request) => (request.part?.fold === 2 ? refusal : null);
    const happenings = await fixture.run();
    expect(scoresOf(happenings)).toHaveLength(1);
    expect(happenings.at(-1)).toMatchObject({
      state: 'failed',
      error: { message: 'The pipeline cannot be fitted without fold 2 of 3: All are missing.' },
    });
  });

  it('has features where the pipeline of the part has them', () => {
    const ordinal = (categories: string[]) =>
      JSON.stringify({ columns: [{ column: 'city', steps: [{ kind: 'ordinal', categories }] }] });
    const whole = fittedPipeline({ definition: ordinal(['a', 'b']), featureNames: ['x', 'city'] });
    const embedding = { type: 'embedding' as const, tables: [{ column: 'city', units: 3 }] };
    const layers = [embedding, { type: 'dense' as const, units: 10, activation: 'softmax' as const }];
    const job = { spec: resolveSpec(validDraft({ layers }), whole), pipeline: whole };
    const own = fittedPipeline({ definition: ordinal(['a']), featureNames: ['city', 'x'], rowCounts: rows });
    expect(job.spec.layers[0]).toMatchObject({ tables: [{ column: 'city', categories: 3, feature: 1 }] });
    expect(specOfPart(job, own).layers[0]).toMatchObject({ tables: [{ column: 'city', categories: 2, feature: 0 }] });
  });

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
    const own = (train: number) => ({ ...job.pipeline, rowCounts: { ...rows, train } });
    expect(specOfPart(job, job.pipeline).schedule).toMatchObject({ warmupSteps: 10, steps: 90 });
    expect(specOfPart(job, own(50)).schedule).toMatchObject({ warmupSteps: 5, steps: 45 });
    const bySteps = { ...job, spec: { ...job.spec, steps: 100 } };
    expect(specOfPart(bySteps, own(50))).toEqual(bySteps.spec);
    // Five rows of a tenth of 50 are fewer than a batch: a step an epoch.
    const tenth = specOfPart(job, own(5));
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
