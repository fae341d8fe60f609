import { describe, expect, it } from 'vitest';
import { type ServiceError, Violations } from '../../../services/platform/errors.js';
import { parsePromoteIf, promotionText } from '../../../services/training/promotion-condition.js';
import { checkAgainstPipeline, checkSpec } from '../../../services/training/spec-check.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { toSpecMessage } from '../../../services/training/spec-rpc.js';
import { trainerOptions } from '../../../services/training/trainer-options.js';
import { completeSpec, type FittedPipeline, type SpecDraft } from '../../../services/training/training-spec.js';
import { fittedPipeline, validDraft } from './spec-draft.js';

/** Fields refused, with their descriptions. */
function refusals(check: (violations: Violations) => void): Record<string, string> {
  const violations = new Violations();
  check(violations);
  try {
    violations.throwIfAny();
    return {};
  } catch (error) {
    const found = (error as ServiceError).fieldViolations;
    return Object.fromEntries(found.map(({ field, description }) => [field, description]));
  }
}

const refused = (changes: Partial<SpecDraft>) => refusals((violations) => checkSpec(validDraft(changes), violations));

describe('checkSpec', () => {
  const nan = Number.NaN;
  const layer = (units: number, activation: 'relu' | 'softmax' | null) => ({
    type: 'dense' as const,
    units,
    activation,
    kernelInitializer: null,
  });

  it.each<[string, Partial<SpecDraft>, string]>([
    ['a dataset without a name', { dataset: '' }, 'spec.dataset'],
    ['a dataset version 0', { dataset: 'datasets/mnist/versions/0' }, 'spec.dataset'],
    ['a missing pipeline', { pipeline: null }, 'spec.pipeline'],
    ['no layers', { layers: [] }, 'spec.network.layers'],
    [
      '1,001 layers',
      { layers: [...new Array(1_000).fill(layer(1, 'relu')), layer(10, 'softmax')] },
      'spec.network.layers',
    ],
    ['a layer of 0 units', { layers: [layer(0, 'relu'), layer(10, 'softmax')] }, 'spec.network.layers[0].units'],
    ['a layer of -3 units', { layers: [layer(8, 'relu'), layer(-3, 'softmax')] }, 'spec.network.layers[1].units'],
    [
      'a layer of 1,000,001 units',
      { layers: [layer(1_000_001, 'relu'), layer(10, 'softmax')] },
      'spec.network.layers[0].units',
    ],
    [
      'a layer without activation',
      { layers: [layer(8, null), layer(10, 'softmax')] },
      'spec.network.layers[0].activation',
    ],
    [
      'softmax before the end',
      { layers: [layer(8, 'softmax'), layer(10, 'softmax')] },
      'spec.network.layers[0].activation',
    ],
    ['a missing loss', { loss: null }, 'spec.loss'],
    ['binary cross-entropy with classes', { loss: 'binaryCrossEntropy' }, 'spec.loss'],
    ['mean squared error with classes', { loss: 'meanSquaredError' }, 'spec.loss'],
    [
      'categorical cross-entropy with a number',
      { pipeline: { labelKind: 'number', message: {} }, layers: [{ ...layer(1, null), activation: 'linear' }] },
      'spec.loss',
    ],
    ['a last layer that does not fit the label', { layers: [layer(10, 'relu')] }, 'spec.network.layers[0].activation'],
    ['a missing optimizer', { optimizer: null }, 'spec.optimizer'],
    ['a learning rate of 0', { optimizer: { type: 'adam', learningRate: 0 } }, 'spec.optimizer.adam.learning_rate'],
    ['a negative learning rate', { optimizer: { type: 'sgd', learningRate: -1 } }, 'spec.optimizer.sgd.learning_rate'],
    [
      'a learning rate that is not a number',
      { optimizer: { type: 'gradientDescent', learningRate: nan } },
      'spec.optimizer.gradient_descent.learning_rate',
    ],
    [
      'a learning rate that is 0 in float32',
      { optimizer: { type: 'adam', learningRate: 1e-60 } },
      'spec.optimizer.adam.learning_rate',
    ],
    ['a momentum of 1', { optimizer: { type: 'sgd', momentum: 1 } }, 'spec.optimizer.sgd.momentum'],
    ['a beta1 of 1', { optimizer: { type: 'adam', beta1: 1 } }, 'spec.optimizer.adam.beta1'],
    ['a beta2 below 0', { optimizer: { type: 'adam', beta2: -0.1 } }, 'spec.optimizer.adam.beta2'],
    ['an epsilon of 0', { optimizer: { type: 'adam', epsilon: 0 } }, 'spec.optimizer.adam.epsilon'],
    ['a negative batch size', { batchSize: -3 }, 'spec.batch_size'],
    [
      'a batch size with gradient descent',
      { optimizer: { type: 'gradientDescent' }, batchSize: 32 },
      'spec.batch_size',
    ],
    ['0 epochs', { epochs: 0 }, 'spec.epochs'],
    ['1,000,001 epochs', { epochs: 1_000_001 }, 'spec.epochs'],
    ['a negative seed', { seed: -1 }, 'spec.seed'],
    ['a seed of 2^53', { seed: 2 ** 53 }, 'spec.seed'],
    ['nowhere to publish', { publish: null }, 'spec.publish.model'],
    ['a model name in capitals', { publish: { model: 'models/MNIST', aliases: [] } }, 'spec.publish.model'],
    ['an empty alias', { publish: { model: 'models/mnist', aliases: [''] } }, 'spec.publish.aliases[0]'],
    ['an alias named twice', { publish: { model: 'models/mnist', aliases: ['a', 'a'] } }, 'spec.publish.aliases[1]'],
  ])('refuses %s', (_, changes, field) => {
    expect(Object.keys(refused(changes))).toEqual([field]);
  });

  const publish = (promoteIf: string, aliases = ['champion']) => ({ model: 'models/mnist', aliases, promoteIf });

  it.each([
    ...['accuracy', 'accuracy >=', '>= 0.9', 'accuracy == 0.9', 'accuracy >= 0.9 + champion', 'accuracy >= 0.9 + 0.1'],
    ...[
      'accuracy >= champion+0.1',
      'accuracy >= champion + -0.1',
      'accuracy >= champion + 0.1 + 0.1',
      'train_loss < 1',
    ],
    ...[
      'accuracy >= Champion',
      'accuracy >= champion * 2',
      'accuracy >= .5',
      'accuracy >= 1e999',
      'loss < 1, loss > 0',
    ],
    ...['accuracy >= +0.9', 'accuracy > = 0.9', ' '],
  ])('refuses to promote if %j', (text) => {
    expect(Object.keys(refused({ publish: publish(text) }))).toEqual(['spec.publish.promote_if']);
  });

  it('says what a promotion may depend on, and which measure was likely meant', () => {
    const { 'spec.publish.promote_if': text } = refused({ publish: publish('acuracy >= champion') });
    expect(text).toMatch(
      /like `accuracy >= champion \+ 0.001`.* one of loss, accuracy, .*test_loss, test_accuracy, .*;/,
    );
    expect(text).toMatch(/received "acuracy >= champion"\. Did you mean `accuracy`\?$/);
  });

  it('refuses a promotion of no alias, and one by accuracy where the label is a number', () => {
    expect(Object.keys(refused({ publish: publish('loss < 1', []) }))).toEqual(['spec.publish.aliases']);
    const pipeline = { labelKind: 'number' as const, message: {} };
    const number = { pipeline, layers: [layer(1, 'relu')], loss: 'huber' as const };
    expect(Object.keys(refused({ ...number, publish: publish('accuracy > 0.5') }))).toEqual([
      'spec.publish.promote_if',
    ]);
    expect(refused({ ...number, publish: publish('loss < 1') })).toEqual({});
  });

  it.each([
    ['accuracy >= champion + 0.001', 'test_accuracy', '>=', 'champion', 0.001],
    ['test_loss<=the-best-2 - 1e-3', 'test_loss', '<=', 'the-best-2', -0.001],
    ['loss < 0.25', 'test_loss', '<', '', 0.25],
    ['test_accuracy > champion', 'test_accuracy', '>', 'champion', 0],
    ['  loss > -2  ', 'test_loss', '>', '', -2],
  ])('takes the condition %j', (text, metric, comparison, alias, value) => {
    expect(parsePromoteIf(text)).toEqual({ metric, comparison, alias, value });
    expect(refused({ publish: publish(text) })).toEqual({});
  });

  it('says why aliases moved or not', () => {
    const text = (
      isPromoted: boolean,
      comparedVersion: number | null,
      bound: number | null,
      condition = 'loss < best',
    ) => promotionText(publish(condition), { test_loss: 0.1 + 0.2 }, { isPromoted, comparedVersion, bound });
    expect(text(true, null, null)).toBe(
      '`loss < best` holds: test_loss is 0.3, and there is no best yet. These aliases moved: champion.',
    );
    expect(text(false, 3, null)).toBe(
      '`loss < best` does not hold: test_loss is 0.3, and version 3, best, has none. These aliases stay where they were: champion.',
    );
    expect(text(false, 3, 0.25)).toContain('test_loss is 0.3, compared with 0.25 (version 3 is best).');
    expect(text(true, null, 0.5, 'loss < 0.5')).toContain('`loss < 0.5` holds: test_loss is 0.3, compared with 0.5.');
  });

  it('refuses folds that make no sense for the split or the label', () => {
    const split = { message: { groupColumn: 'patient', timeColumn: 'day' } };
    const number = { labelKind: 'number' as const, message: {} };
    const found = refused({
      ...{ pipeline: number, layers: [layer(1, 'relu')], loss: 'huber' },
      ...{ crossValidation: { folds: 1, stratified: true, seed: -1 }, split },
    });
    expect(Object.keys(found)).toEqual([
      ...['spec.cross_validation.folds', 'spec.cross_validation.seed', 'spec.cross_validation.stratified'],
      'spec.cross_validation',
    ]);
    expect(found['spec.cross_validation']).toContain('to be unset with `spec.split.time_column`');
    expect(refused({ crossValidation: {} })).toEqual({});
  });

  it('refuses to go back without end, or to learning rates that are no lower', () => {
    expect(Object.keys(refused({ onDivergence: { retries: 0, learningRateFactor: 1 } }))).toEqual([
      ...['spec.on_divergence.retries', 'spec.on_divergence.learning_rate_factor'],
    ]);
    expect(refused({ onDivergence: {} })).toEqual({});
  });

  it('refuses metrics that there are not, by their place', () => {
    const metrics = ['validationRmse', 'validationMacroF1', 'METRIC_UNSPECIFIED', 'validationMacroF1'];
    const found = refused({ metrics, earlyStopping: { metric: 'validationR2' } });
    expect(Object.keys(found)).toEqual([
      ...['spec.metrics[0]', 'spec.metrics[2]', 'spec.metrics[3]', 'spec.early_stopping.metric'],
    ]);
    expect(found['spec.metrics[0]']).toMatch(
      /METRIC_VALIDATION_MACRO_F1, .*, which there are for a label of KIND_CLASSES, but received "METRIC_VALIDATION_RMSE"\.$/,
    );
    const number = { labelKind: 'number' as const, message: {} };
    const layers = [layer(1, 'relu')];
    const accuracy = refused({
      ...{ pipeline: number, layers, loss: 'huber' as const, earlyStopping: { metric: 'trainAccuracy' } },
    });
    expect(Object.keys(accuracy)).toEqual(['spec.early_stopping.metric']);
    expect(refused({ pipeline: number, layers, loss: 'huber', metrics: ['validationRmse', 'validationLoss'] })).toEqual(
      {},
    );
  });

  it('refuses checkpoints by two measures, or by none that there is', () => {
    expect(refused({ checkpoints: { everyEpochs: 2, everySteps: 100, keepLast: 101 } })).toEqual({
      'spec.checkpoints':
        'Expected only one of `spec.checkpoints.every_epochs`, `spec.checkpoints.every_steps` to be set.',
      'spec.checkpoints.keep_last': 'Expected `spec.checkpoints.keep_last` to be from 1 to 100 but received 101.',
    });
    for (const [name, field] of [
      ['everyEpochs', 'every_epochs'],
      ['everySteps', 'every_steps'],
      ['everySeconds', 'every_seconds'],
    ] as const) {
      expect(Object.keys(refused({ checkpoints: { [name]: 0.5 } }))).toEqual([`spec.checkpoints.${field}`]);
      expect(refused({ checkpoints: { [name]: 3 } })).toEqual({});
    }
  });

  it('names all violations at once', () => {
    const fields = Object.keys(
      refused({ epochs: 0, seed: -1, batchSize: -1, loss: null, optimizer: null, layers: [] }),
    );
    expect(fields.sort()).toEqual([
      'spec.batch_size',
      'spec.epochs',
      'spec.loss',
      'spec.network.layers',
      'spec.optimizer',
      'spec.seed',
    ]);
  });

  it('says what was received and what is allowed', () => {
    expect(refused({ batchSize: -3 })['spec.batch_size']).toBe(
      'Expected `spec.batch_size` to be a positive integer but received -3.',
    );
  });

  it('accepts every fitting pair of label and loss', () => {
    expect(refused({})).toEqual({});
    expect(refused({ dataset: 'datasets/mnist/versions/2' })).toEqual({});
    const one = (activation: 'linear' | 'sigmoid') => [
      { type: 'dense' as const, units: 1, activation, kernelInitializer: null },
    ];
    const binary = { labelKind: 'binary' as const, message: {} };
    expect(refused({ pipeline: binary, loss: 'binaryCrossEntropy', layers: one('sigmoid') })).toEqual({});
    expect(refused({ pipeline: binary, loss: 'meanSquaredError', layers: one('sigmoid') })).toEqual({});
    const number = { labelKind: 'number' as const, message: {} };
    expect(refused({ pipeline: number, loss: 'meanSquaredError', layers: one('linear') })).toEqual({});
    const several = { labelKind: 'labels' as const, message: {} };
    expect(
      refused({
        pipeline: several,
        loss: 'binaryCrossEntropy',
        layers: [{ ...layer(3, null), activation: 'sigmoid' }],
      }),
    ).toEqual({});
    const softmax = refused({ pipeline: several, layers: [layer(3, 'softmax')] });
    expect(Object.keys(softmax).sort()).toEqual(['spec.loss', 'spec.network.layers[0].activation']);
  });
});

describe('checkAgainstPipeline', () => {
  const memoryBytes = 2 ** 30;
  const against = (draft: SpecDraft, pipeline: Partial<FittedPipeline>, memory = memoryBytes) =>
    refusals((violations) => checkAgainstPipeline(draft, fittedPipeline(pipeline), memory, violations));

  it('refuses metrics that the rows or the classes leave undefined', () => {
    const publish = { model: 'models/a', aliases: ['b'], promoteIf: 'top_5_accuracy > 0.9' };
    const draft = validDraft({
      ...{ publish, metrics: ['validationMacroF1', 'validationTop5Accuracy', 'trainLoss'] },
      layers: [{ type: 'dense', units: 5, activation: 'softmax' }],
      earlyStopping: { metric: 'validationTop5Accuracy' },
    });
    const classes = ['a', 'b', 'c', 'd', 'e'];
    expect(Object.keys(against(draft, { classes }))).toEqual([
      ...['spec.metrics[1]', 'spec.early_stopping.metric', 'spec.publish.promote_if'],
    ]);
    const rowCounts = { train: 54_000, validation: 0, test: 10 };
    expect(Object.keys(against({ ...draft, publish: validDraft().publish }, { classes, rowCounts }))).toEqual([
      ...['spec.metrics[0]', 'spec.metrics[1]', 'spec.early_stopping.metric'],
    ]);
    expect(against(validDraft({ publish, metrics: ['validationTop5Accuracy'] }), {})).toEqual({});
  });

  it('refuses more folds than rows, and batches larger than what a fold leaves', () => {
    const rowCounts = { train: 10, validation: 1, test: 1 };
    const folds = (count: number, batchSize: number) =>
      against(validDraft({ crossValidation: { folds: count }, batchSize }), { rowCounts });
    expect(Object.keys(folds(11, 1))).toEqual(['spec.cross_validation.folds']);
    expect(folds(3, 7)['spec.batch_size']).toContain('at most 6, the rows that a fold leaves');
    expect(folds(3, 6)).toEqual({});
    const draft = validDraft({ crossValidation: { folds: 3 } });
    expect(resolveSpec(draft, fittedPipeline({ rowCounts })).batchSize).toBe(6);
  });

  it('refuses a promotion by the test split where that has no rows', () => {
    const rowCounts = { train: 10, validation: 0, test: 0 };
    const draft = validDraft({ batchSize: 1, publish: { model: 'models/a', aliases: ['b'], promoteIf: 'loss < 1' } });
    expect(Object.keys(against(draft, { rowCounts }))).toEqual(['spec.publish.promote_if']);
    expect(against(draft, {})).toEqual({});
  });

  it('refuses a last layer with other units than classes', () => {
    const found = against(validDraft(), { classes: ['cat', 'dog'] });
    expect(found['spec.network.layers[1].units']).toContain(
      'to be 2, one for each class of the label, but received 10.',
    );
  });

  it('asks for a unit for each of several classes, be it one', () => {
    const draft = validDraft({ pipeline: { labelKind: 'labels', message: {} } });
    const found = against(draft, { classes: ['round'] });
    expect(found['spec.network.layers[1].units']).toContain(
      'to be 1, one for each class of the label, but received 10.',
    );
  });

  it('refuses more than one unit for a number', () => {
    const draft = validDraft({ pipeline: { labelKind: 'number', message: {} } });
    expect(Object.keys(against(draft, { classes: [] }))).toEqual(['spec.network.layers[1].units']);
  });

  it('asks for a unit for each of several numbers, by their names', () => {
    const draft = validDraft({ pipeline: { labelKind: 'numbers', message: {} } });
    const found = against(draft, { classes: [], numbers: ['height', 'depth'] });
    expect(found).toEqual({
      'spec.network.layers[1].units': expect.stringContaining(
        '2, one for each number of the label (height, depth), but',
      ),
    });
  });

  it('refuses a split without training rows', () => {
    const found = against(validDraft(), { rowCounts: { train: 0, validation: 0, test: 3 } });
    expect(Object.keys(found)).toEqual(['spec.split']);
  });

  it('refuses a network beyond the memory', () => {
    expect(against(validDraft(), {}, 1_000)['spec.network.layers']).toContain('memory');
  });

  it('accepts a network that fits', () => {
    expect(against(validDraft(), {})).toEqual({});
  });
});

describe('an augmentation', () => {
  const columns = [
    { column: 'age', shape: [], steps: [{ kind: 'standardise' }] },
    { column: 'photo', shape: [], steps: [{ kind: 'decodeImage', height: 2, width: 1, channels: 3 }] },
    { column: 'pair', shape: [], steps: [] },
    { column: 'scan', shape: [1, 2], steps: [] },
  ];
  const names = (column: string, count: number) => Array.from({ length: count }, (_, i) => `${column}[${i}]`);
  const featureNames = ['age', ...names('photo', 6), ...names('pair', 2), ...names('scan', 2)];
  const pipeline = fittedPipeline({ definition: JSON.stringify({ columns }), featureNames });
  const augmentation = { shift: 2, noise: 0.1 };

  it.each<[string, object, string]>([
    ['a probability above 1', { flipVertically: 1.1 }, 'spec.augmentation.flip_vertically'],
    ['part of a pixel', { shift: 1.5 }, 'spec.augmentation.shift'],
    ['a negative angle', { rotationDegrees: -1 }, 'spec.augmentation.rotation_degrees'],
  ])('is refused for %s', (_, settings, field) => {
    expect(Object.keys(refused({ augmentation: { ...settings } }))).toEqual([field]);
  });

  it('is refused where the features hold no image', () => {
    const draft = validDraft({ augmentation });
    const found = (given: FittedPipeline) => refusals((all) => checkAgainstPipeline(draft, given, 2 ** 30, all));
    const none = fittedPipeline({
      definition: JSON.stringify({ columns: columns.slice(0, 1) }),
      featureNames: ['age'],
    });
    expect(found(none)['spec.augmentation']).toContain('received "0 images"');
    expect(found(pipeline)['spec.augmentation']).toBeUndefined();
  });

  it('is told the engine for every image, and by the contract without them', () => {
    const spec = resolveSpec(validDraft({ augmentation }), pipeline);
    const changes = { flipHorizontally: 0, flipVertically: 0, rotationDegrees: 0, shift: 2, cutOut: 0, noise: 0.1 };
    expect(trainerOptions(spec, 1).augmentations).toEqual([
      { firstColumn: 1, height: 2, width: 1, channels: 3, ...changes },
      { firstColumn: 9, height: 1, width: 2, channels: 1, ...changes },
    ]);
    expect(toSpecMessage(spec).augmentation).toEqual(changes);
  });
});

describe('resolveSpec', () => {
  it('fills in every default', () => {
    expect(resolveSpec(validDraft(), fittedPipeline())).toMatchObject({
      batchSize: 32,
      optimizer: { type: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
      layers: [{ kernelInitializer: 'glorotUniform' }, { kernelInitializer: 'glorotUniform' }],
    });
  });

  it('keeps what was given', () => {
    const optimizer = { type: 'sgd', learningRate: 0.5, momentum: 0.9, nesterov: true } as const;
    expect(resolveSpec(validDraft({ optimizer, batchSize: 7 }), fittedPipeline())).toMatchObject({
      optimizer,
      batchSize: 7,
    });
  });

  it('takes all rows at once with gradient descent', () => {
    expect(resolveSpec(validDraft({ optimizer: { type: 'gradientDescent' } }), fittedPipeline()).batchSize).toBe(
      'full',
    );
  });

  it('refuses a draft that was not checked', () => {
    expect(() => resolveSpec(validDraft({ loss: null }), fittedPipeline())).toThrow('not checked');
  });

  it('reads the spec of a job that an earlier release has made', () => {
    const now = resolveSpec(validDraft(), fittedPipeline());
    const { optimizer, dataset, pipeline, split, loss, batchSize, epochs, seed, publish } = now;
    const { weightDecay: _, ...earlier } = optimizer;
    const layers = now.layers.map(({ type: _type, ...layer }) => layer);
    const stored = { dataset, pipeline, split, layers, loss, optimizer: earlier, batchSize, epochs, seed, publish };
    expect(completeSpec(JSON.parse(JSON.stringify(stored)))).toEqual(now);
  });
});
