import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readTrainingSpec, specSchema, writeTrainingSpec } from '../../../clients/sdk/index.js';
import { Network, Trainer } from '../../../native/index.js';
import { contracts } from '../../../proto/index.js';
import { parseNetworkFile, parseSignature } from '../../../services/inference/model-files.js';
import { type ServiceError, Violations } from '../../../services/platform/errors.js';
import { createArtifacts } from '../../../services/training/artifacts.js';
import { layerShapes, parameterCount, toNetworkSpec } from '../../../services/training/network-shape.js';
import { checkAgainstPipeline, checkSpec } from '../../../services/training/spec-check.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { toDraft, toPlanMessage, toSpecMessage } from '../../../services/training/spec-rpc.js';
import { trainerOptions } from '../../../services/training/trainer-options.js';
import { planTraining } from '../../../services/training/training-plan.js';
import type { FittedPipeline, TrainingSpec } from '../../../services/training/training-spec.js';
import { fittedPipeline } from './spec-draft.js';

const { requestSerialize, requestDeserialize } = contracts.training.definition.CreateTrainingJob!;

const steps = [{ kind: 'ordinal', categories: ['a', 'b', 'c'] }];
const definition = JSON.stringify({
  columns: [
    { column: 'age', steps: [] },
    { column: 'city', steps },
  ],
});
const numbers: Partial<FittedPipeline> = {
  ...{ definition, featureCount: 2, featureNames: ['age', 'city'], featureType: 'float32', featureScale: 1 },
  ...{ classes: ['no', 'yes'], rowCounts: { train: 100, validation: 10, test: 10 } },
};

/** What a file with these lines is resolved to, over the wire. */
function resolve(
  yaml: string,
  {
    label = 'classes',
    pipeline = numbers,
    epochs = 'epochs: 4',
  }: { label?: string; pipeline?: object; epochs?: string } = {},
) {
  const lines = `
dataset: datasets/people
pipeline: { columns: [{ column: age }], label: { column: x, kind: ${label} } }
publish: { model: models/people }
${epochs}
split: { seed: 1 }
${yaml.includes('optimizer:') ? '' : 'optimizer: { adam: }'}
${yaml.includes('network:') ? '' : 'network: { layers: [{ units: 2, activation: softmax }] }'}
${yaml.includes('loss:') ? '' : 'loss: categorical_cross_entropy'}
${yaml}`;
  return resolveMessage(readTrainingSpec(lines), fittedPipeline(pipeline));
}

/** Fields that are refused without epochs. */
function resolveFields(yaml: string): string[] {
  try {
    resolve(yaml, { epochs: '' });
    return [];
  } catch (error) {
    return (error as ServiceError).fieldViolations.map(({ field }) => field);
  }
}

function resolveMessage(message: object, pipeline: FittedPipeline): TrainingSpec {
  const { spec } = requestDeserialize(requestSerialize({ spec: message, requestId: '' }));
  const draft = toDraft(spec);
  const violations = new Violations();
  checkSpec(draft, violations);
  checkAgainstPipeline(draft, pipeline, 2 ** 30, violations);
  violations.throwIfAny();
  return resolveSpec(draft, pipeline);
}

const one = 'network: { layers: [{ units: 1, activation: ';
const specs: [string, string, string?][] = [
  ['nothing but what is required', ''],
  ['gradient descent', 'optimizer: { gradient_descent: { learning_rate: 0.5, weight_decay: 0.1 } }'],
  ['sgd', 'optimizer: { sgd: { momentum: 0.9, nesterov: true } }'],
  ['adam', 'optimizer: { adam: { beta1: 0.8, beta2: 0.9, epsilon: 1e-5, amsgrad: true } }'],
  ['adamw', 'optimizer: { adamw: }'],
  ['rmsprop', 'optimizer: { rmsprop: { rho: 0.8, momentum: 0.1, centered: true } }'],
  ['adagrad', 'optimizer: { adagrad: { initial_accumulator: 0 } }'],
  ['adadelta', 'optimizer: { adadelta: { learning_rate: 1 } }'],
  ['lion', 'optimizer: { lion: }'],
  ['a warm-up', 'schedule: { warmup_epochs: 0.5 }'],
  ['a step schedule', 'schedule: { step: { epochs: 1, factor: 0.5 } }'],
  ['an exponential schedule', 'schedule: { exponential: { steps: 7, factor: 0.5, staircase: true } }'],
  ['a polynomial schedule', 'schedule: { polynomial: { end_rate: 0, power: 2, cycle: true } }'],
  ['a cosine schedule', 'schedule: { cosine: { alpha: 0.1, restarts: { length_factor: 1 } }, warmup_steps: 3 }'],
  ['one cycle', 'schedule: { one_cycle: { annealing: linear, three_phases: true } }'],
  ['a plateau', 'schedule: { plateau: { patience: 2, minimum_rate: 1e-5 } }'],
  ['regularisation', 'regularization: { l1: 0.01 }\nclipping: { global_norm: 1 }\naveraging: { decay: 0.9 }'],
  ['clipping by value', 'clipping: { value: 0.5 }'],
  ['class weights', 'class_weights: { no: 2 }\nlabel_smoothing: 0.1\nsampling: stratified'],
  ['sample weights', 'sample_weight: trust\nclass_weights: balanced'],
  ['balanced classes', 'class_weights: balanced\nbatch_size: full\nsampling: sequential'],
  [
    'early stopping',
    'early_stopping: { metric: validation_accuracy, patience: 3, restore_best: false }\nvalidation: { every_epochs: 2 }',
  ],
  ['steps and time', 'steps: 7\nseconds: 60'],
  [
    'metrics',
    'metrics: [validation_macro_f1, validation_roc_auc]\nearly_stopping: { metric: validation_balanced_accuracy }',
  ],
  ['divergence', 'on_divergence: { retries: 5 }'],
  ['cross-validation', 'cross_validation: { folds: 4, stratified: false }'],
  ['a learning curve', 'learning_curve: { train_sizes: [0.25, 1], folds: 2 }'],
  ['a learning curve by default', 'learning_curve:'],
  ['cross-validation by default', 'cross_validation:'],
  ['checkpoints by steps', 'checkpoints: { every_steps: 100, keep_last: 3 }'],
  ['checkpoints by time', 'checkpoints: { every_seconds: 60 }'],
  ['binary', `loss: binary_cross_entropy\n${one}sigmoid }] }`, 'binary'],
  ['huber', `loss: huber\nhuber_delta: 2\n${one}softsign }] }`, 'number'],
  ['poisson', `loss: poisson\n${one}softplus, use_bias: false }] }`, 'number'],
  [
    'log cosh',
    `loss: log_cosh\n${one}gelu_tanh, kernel_initializer: orthogonal, bias_initializer: ones }] }`,
    'number',
  ],
  [
    'every kind of layer',
    `network: { layers: [
      { embedding: { tables: [{ column: city, units: 3 }] } },
      { units: 4, activation: selu, kernel_initializer: lecun_normal },
      { batch_normalization: }, { layer_normalization: { epsilon: 1e-5 } },
      { activation_layer: { activation: leaky_relu, negative_slope: 0.1 } }, { prelu: }, { dropout: { rate: 0.5 } },
      { residual: { layers: [{ units: 4, activation: elu }, { residual: { layers: [{ dropout: { rate: 0.1 } }] } }] } },
      { units: 2, activation: softmax }] }`,
  ],
];

const share = fc.double({ min: 0, max: 0.99, noNaN: true });
const above = fc.double({ min: 1e-6, max: 100, noNaN: true });
const count = fc.integer({ min: 2, max: 1_000 });
/** Some of the settings, at least those whose names end in `!`. */
function some(settings: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  const named = Object.entries(settings).map(([name, value]) => [name.replace('!', ''), value]);
  const requiredKeys = Object.keys(settings).flatMap((name) => (name.endsWith('!') ? [name.slice(0, -1)] : []));
  return fc.record(Object.fromEntries(named), { requiredKeys });
}
/** One kind with its settings. */
const kinds = (all: Record<string, Record<string, fc.Arbitrary<unknown>>>) =>
  fc.oneof(...Object.entries(all).map(([kind, settings]) => some(settings).map((given) => ({ [kind]: given }))));

const rate = { learning_rate: above, weight_decay: share };
const moments = { ...rate, beta1: share, beta2: share };
const activation = fc.constantFrom('relu', 'tanh', 'gelu', 'linear', 'softsign');
const layers: fc.Arbitrary<object>[] = [
  some({
    'units!': count,
    'activation!': activation,
    use_bias: fc.boolean(),
    kernel_initializer: fc.constant('zeros'),
  }),
  kinds({
    dropout: { 'rate!': share },
    batch_normalization: { momentum: share, epsilon: above },
    layer_normalization: { epsilon: above },
    activation_layer: { 'activation!': activation },
    prelu: { alpha_initializer: fc.constantFrom('zeros', 'ones') },
    residual: {
      'layers!': fc.array(kinds({ dropout: { 'rate!': share }, prelu: {} }), { minLength: 1, maxLength: 2 }),
    },
  }),
];
/** Specs of a class that are right in every field, as a file has them. */
const files = some({
  'loss!': fc.constant('categorical_cross_entropy'),
  'epochs!': count,
  'seed!': fc.nat(),
  'optimizer!': kinds({
    gradient_descent: rate,
    sgd: { ...rate, momentum: share, nesterov: fc.boolean() },
    adam: { ...moments, amsgrad: fc.boolean() },
    adamw: moments,
    rmsprop: { ...rate, rho: share, centered: fc.boolean() },
    adagrad: { ...rate, initial_accumulator: share },
    adadelta: { ...rate, rho: share },
    lion: moments,
  }),
  schedule: fc.oneof(
    some({ warmup_epochs: above }),
    kinds({
      step: { 'epochs!': above, factor: above },
      exponential: { 'steps!': count, 'factor!': above, staircase: fc.boolean() },
      polynomial: { epochs: above, end_rate: share, power: above, cycle: fc.boolean() },
      cosine: { alpha: share, restarts: some({ length_factor: fc.constant(1.5), rate_factor: above }) },
      one_cycle: { annealing: fc.constantFrom('cosine', 'linear'), rising_share: share, three_phases: fc.boolean() },
      plateau: { patience: fc.nat(), cooldown: fc.nat(), minimum_rate: share },
    }),
  ),
  'network!': fc
    .array(fc.oneof(...layers), { maxLength: 4 })
    .map((before) => ({ layers: [...before, { units: 2, activation: 'softmax' }] })),
  regularization: some({ l1: share, l2: share }),
  clipping: kinds({ value: {}, norm: {}, global_norm: {} }).chain((kind) =>
    above.map((limit) => ({ [Object.keys(kind)[0]!]: limit })),
  ),
  averaging: some({ decay: share }),
  label_smoothing: share,
  class_weights: fc.oneof(fc.constant('balanced'), some({ no: share, yes: above })),
  sample_weight: fc.constant('trust'),
  sampling: fc.constantFrom('shuffle', 'sequential', 'stratified'),
  seconds: above,
  early_stopping: some({ patience: count, minimum_delta: share, restore_best: fc.boolean() }),
  validation: some({ every_epochs: count }),
  checkpoints: fc.oneof(some({ every_steps: count }), some({ every_epochs: count, keep_last: fc.constant(3) })),
  on_divergence: some({ retries: fc.constant(5), learning_rate_factor: fc.constant(0.5) }),
  learning_curve: some({
    train_sizes: fc.constantFrom([0.1, 0.5], [0.2, 0.3, 1]),
    folds: fc.integer({ min: 2, max: 9 }),
    stratified: fc.boolean(),
  }),
  cross_validation: some({ folds: fc.integer({ min: 2, max: 9 }), stratified: fc.boolean(), seed: fc.nat() }),
  metrics: fc.subarray(['validation_macro_f1', 'validation_roc_auc', 'validation_balanced_accuracy']),
});
const named = {
  dataset: 'datasets/people',
  pipeline: { columns: [{ column: 'age' }], label: { column: 'x', kind: 'classes' } },
  split: { validation_fraction: 0.1 },
  publish: { model: 'models/people' },
};

describe('a spec on its way from a file to the engine', () => {
  it('is printed with all its defaults as the schema has it, and what is printed is resolved to itself', () => {
    const validate = new Ajv2020({ allowUnionTypes: true }).compile(specSchema('training-spec'));
    const print = (message: object) => {
      const { spec } = requestDeserialize(requestSerialize({ spec: message, requestId: '' }));
      return writeTrainingSpec(spec);
    };
    const property = fc.property(files, (given) => {
      const spec = resolveMessage(readTrainingSpec(JSON.stringify({ ...named, ...given })), fittedPipeline(numbers));
      const printed = print(toSpecMessage(spec));
      expect(validate(parse(printed)), JSON.stringify(validate.errors)).toBe(true);
      const again = resolveMessage(readTrainingSpec(printed), fittedPipeline(numbers));
      expect(again).toEqual(spec);
      expect(print(toSpecMessage(again))).toBe(printed);
    });
    fc.assert(property, { numRuns: 20 });
  });

  it.each(specs)('keeps its meaning: %s', async (_, yaml, label = 'classes') => {
    const spec = resolve(yaml, { label });
    // What a job tells of its spec gives the same job again.
    expect(resolveMessage(toSpecMessage(spec), fittedPipeline(numbers))).toEqual(spec);
    // So does what is printed of it.
    const { spec: sent } = requestDeserialize(requestSerialize({ spec: toSpecMessage(spec), requestId: '' }));
    const printed = readTrainingSpec(writeTrainingSpec(sent));
    expect(resolveMessage(printed, fittedPipeline(numbers))).toEqual(spec);
    // The engine takes it, without defaults of its own.
    const network = Network.create(toNetworkSpec(2, spec.layers), 1);
    const trainer = new Trainer(network, trainerOptions(spec, 1));
    expect(network.outputs).toBe(layerShapes(2, spec.layers).at(-1)!.outputs);
    const features = Float32Array.from({ length: 16 }, (_, i) => i % 4);
    const rows = Array.from({ length: 8 }, (_, i) => i % 2);
    const targets = label === 'classes' ? Int32Array.from(rows) : Float32Array.from(rows);
    const examples = { rows: 8, features: [{ type: 'float32' as const, columns: 2, data: features }], targets };
    const { loss } = await trainer.trainEpoch(examples, {
      ...{ epoch: 1, progressIntervalMs: 1_000, onProgress: null, signal: null },
    });
    expect(loss).toBeGreaterThan(0);
    const weights = network.toSafetensors({});
    const pipeline = fittedPipeline(numbers);
    const tested = { test: null, evaluation: null, scores: [] };
    const artifacts = createArtifacts({ spec, pipeline, weights, epochs: [], restoredEpoch: 1, tested });
    const file = parseNetworkFile(artifacts['network.json']!);
    expect(parseSignature(artifacts['signature.json']!, file).output.width).toBe(network.outputs);
    Network.fromSafetensors({ inputs: file.inputs, layers: file.layers }, weights).dispose();
    trainer.dispose();
    network.dispose();
  });

  it('counts parameters as the engine does, moving statistics aside', () => {
    const { layers } = resolve(specs.at(-1)![1]);
    const network = Network.create(toNetworkSpec(2, layers), 1);
    expect(network.parameterCount).toBe(parameterCount(2, layers) + 2 * 4);
    network.dispose();
  });

  it('refuses clipping of nothing, which a file cannot ask for', () => {
    const message = { ...readTrainingSpec(JSON.stringify(named)), clipping: {} };
    expect(() => resolveMessage(message, fittedPipeline(numbers))).toThrow(/exactly one of `spec.clipping.value`/);
  });

  it('gives schedules their length in steps', () => {
    // 100 rows in batches of 32: 4 steps an epoch, 16 in all.
    expect(resolve('schedule: { cosine: , warmup_epochs: 1 }').schedule).toEqual({
      ...{ type: 'cosine', warmupSteps: 4, steps: 12, alpha: 0 },
    });
    expect(resolve('schedule: { step: { epochs: 1.5 } }').schedule).toMatchObject({ steps: 6, factor: 0.1 });
    const oneCycle = 'optimizer: { sgd: { learning_rate: 0.2 } }\nschedule: { one_cycle: }';
    expect(resolve(oneCycle).schedule).toMatchObject({ steps: 16, maximumRate: 0.2 });
  });

  it('tells what a spec comes to, a block after the layers within it', () => {
    const spec = resolve(`network: { layers: [
      { units: 3, activation: relu }, { residual: { layers: [{ prelu: }] } }, { units: 2, activation: softmax }] }`);
    const { responseSerialize, responseDeserialize } = contracts.training.definition.ExplainTrainingSpec!;
    const message = toPlanMessage(planTraining(spec, fittedPipeline(numbers)));
    expect(responseDeserialize(responseSerialize(message))).toMatchObject({
      spec: { dataset: 'datasets/mnist/versions/3', batchSize: 32, sampling: 'SAMPLING_SHUFFLE' },
      layers: [
        { place: '0', kind: 'dense', outputs: 3, parameterCount: 9 },
        { place: '1.layers.0', kind: 'prelu', outputs: 3, parameterCount: 3 },
        { place: '1', kind: 'residual', outputs: 3, parameterCount: 0 },
        { place: '2', kind: 'dense', outputs: 2, parameterCount: 8 },
      ],
      ...{ featureNames: ['age', 'city'], classes: ['no', 'yes'], parameterCount: 20 },
      ...{ trainRowCount: 100, validationRowCount: 10, testRowCount: 10, stepsPerEpoch: 4, steps: 16 },
    });
  });

  it('takes a batch of all rows where there are fewer than 32', () => {
    const rowCounts = { train: 20, validation: 0, test: 0 };
    expect(resolve('', { pipeline: { ...numbers, rowCounts } }).batchSize).toBe(20);
  });

  it('needs an end, and the steps of a schedule where only time is one', () => {
    const open = resolveFields('');
    expect(open).toEqual(['spec.epochs']);
    expect(resolveFields('seconds: 3\nschedule: { cosine: }')).toEqual(['spec.schedule.cosine.steps']);
    expect(resolveFields('seconds: 3\nschedule: { cosine: { epochs: 9 } }')).toEqual([]);
  });

  it('follows the training where there are no rows for validation', () => {
    const rowCounts = { train: 100, validation: 0, test: 0 };
    const stop = (metric: string) => resolve(`early_stopping: { ${metric} }`, { pipeline: { ...numbers, rowCounts } });
    expect(stop('').earlyStopping).toEqual({ metric: 'trainLoss', patience: 10, minimumDelta: 0, restoreBest: true });
    expect(() => stop('metric: validation_loss')).toThrow('no rows for validation');
  });

  it.each<[string, string, string, RegExp]>([
    ['a column that the pipeline has not', '{ tables: [{ column: cty, units: 2 }] }', '.tables[0].column', /city/],
    ['a column of numbers', '{ tables: [{ column: age, units: 2 }] }', '.tables[0].column', /`ordinal` \(city\)/],
    ['no table', '{ tables: [] }', '.tables', /at least one/],
    [
      'a column twice',
      '{ tables: [{ column: city, units: 2 }, { column: city, units: 1 }] }',
      '.tables[1].column',
      /again/,
    ],
  ])('refuses an embedding of %s', (_, embedding, field, reason) => {
    const layers = `network: { layers: [{ embedding: ${embedding} }, { units: 2, activation: softmax }] }`;
    expect(() => resolve(layers)).toThrow(
      expect.objectContaining({
        fieldViolations: [
          { field: `spec.network.layers[0].embedding${field}`, description: expect.stringMatching(reason) },
        ],
      }),
    );
  });

  it.each<[string, string, string]>([
    ['a layer of two kinds', '{ units: 3, dropout: { rate: 0.1 } }', '[0].units'],
    ['a dropout of everything', '{ dropout: { rate: 1 } }', '[0].dropout.rate'],
    ['a dropout without its rate', '{ dropout: }', '[0].dropout.rate'],
    [
      'a slope without leaky ReLU',
      '{ activation_layer: { activation: elu, negative_slope: 1 } }',
      '[0].activation_layer.negative_slope',
    ],
    ['softmax before the end', '{ activation_layer: { activation: softmax } }', '[0].activation_layer.activation'],
    ['an empty block', '{ residual: }', '[0].residual.layers'],
    ['a block of another width', '{ residual: { layers: [{ units: 3, activation: relu }] } }', '[0].residual.layers'],
    [
      'a layer of 0 units in a block',
      '{ residual: { layers: [{ activation: relu }] } }',
      '[0].residual.layers[0].units',
    ],
    [
      'a late embedding',
      '{ units: 2, activation: relu }, { embedding: { tables: [{ column: city, units: 1 }] } }',
      '[1].embedding',
    ],
  ])('refuses %s', (_, layers, field) => {
    const network = `network: { layers: [${layers}, { units: 2, activation: softmax }] }`;
    expect(() => resolve(network)).toThrow(
      expect.objectContaining({ fieldViolations: [expect.objectContaining({ field: `spec.network.layers${field}` })] }),
    );
  });

  it.each<[string, string, string, string?]>([
    ['a last layer that is not dense', 'network: { layers: [{ dropout: { rate: 0.1 } }] }', 'network.layers[0]'],
    ['a schedule in steps and epochs', 'schedule: { cosine: { steps: 3, epochs: 1 } }', 'schedule.cosine.epochs'],
    ['a warm-up in steps and epochs', 'schedule: { warmup_steps: 3, warmup_epochs: 1 }', 'schedule.warmup_epochs'],
    ['a step schedule without steps', 'schedule: { step: }', 'schedule.step.steps'],
    ['a plateau of factor 1', 'schedule: { plateau: { factor: 1 } }', 'schedule.plateau.factor'],
    ['a negative l2', 'regularization: { l2: -1 }', 'regularization.l2'],
    ['clipping at 0', 'clipping: { norm: 0 }', 'clipping.norm'],
    ['sizes that do not grow', 'learning_curve: { train_sizes: [0.5, 0.5] }', 'learning_curve.train_sizes'],
    ['one size', 'learning_curve: { train_sizes: [1] }', 'learning_curve.train_sizes'],
    ['a size of one row', 'learning_curve: { train_sizes: [0.01, 1] }', 'learning_curve.train_sizes[0]'],
    ['a curve of too many folds', 'learning_curve: { folds: 101 }', 'learning_curve.folds'],
    ['an average that keeps everything', 'averaging: { decay: 1 }', 'averaging.decay'],
    ['a weight for no class', 'class_weights: { yess: 2 }', 'class_weights["yess"]'],
    ['a negative weight', 'class_weights: { yes: -1 }', 'class_weights["yes"]'],
    ['a batch of more rows than there are', 'batch_size: 101', 'batch_size'],
    [
      'a batch size beside full',
      'batch_size: full\noptimizer: { adam: { amsgrad: true } }\nlabel_smoothing: 1',
      'label_smoothing',
    ],
    ['a patience of 0', 'early_stopping: { patience: 0 }', 'early_stopping.patience'],
    ['validation every 0 epochs', 'validation: { every_epochs: 0 }', 'validation.every_epochs'],
    ['a negative time', 'seconds: -1', 'seconds'],
    [
      'an accuracy of a number',
      `early_stopping: { metric: train_accuracy }\nloss: huber\n${one}linear }] }`,
      'early_stopping.metric',
      'number',
    ],
    ['a delta without huber', 'huber_delta: 1', 'huber_delta'],
    [
      'class weights of a number',
      `class_weights: balanced\nloss: huber\n${one}linear }] }`,
      'balanced_class_weights',
      'number',
    ],
    ['smoothing of a number', `label_smoothing: 0.1\nloss: huber\n${one}linear }] }`, 'label_smoothing', 'number'],
    ['stratified batches of a number', `sampling: stratified\nloss: huber\n${one}linear }] }`, 'sampling', 'number'],
    ['poisson after a linear layer', `loss: poisson\n${one}linear }] }`, 'network.layers[0].activation', 'number'],
  ])('refuses %s', (_, yaml, field, label = 'classes') => {
    expect(() => resolve(yaml, { label })).toThrow(
      expect.objectContaining({ fieldViolations: [expect.objectContaining({ field: `spec.${field}` })] }),
    );
  });
});
