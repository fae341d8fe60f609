import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../services/platform/database.js';
import { migrations, type Schema } from '../../../services/training/schema.js';
import { resolveSpec } from '../../../services/training/spec-resolution.js';
import { toSpecMessage } from '../../../services/training/spec-rpc.js';
import { trialSpec } from '../../../services/training/tuning/trial-spec.js';
import type { RangeDraft, TuneDraft } from '../../../services/training/tuning/tune-spec.js';
import { createTuning } from '../../../services/training/tuning/tuning-creation.js';
import { TuningStore } from '../../../services/training/tuning/tuning-store.js';
import { toSpecDraft } from '../../../services/training/tuning-rpc.js';
import { tempFolder } from '../../support/temp-folder.js';
import { fittedPipeline, validDraft } from './spec-draft.js';

const range = (changes: Partial<RangeDraft>): RangeDraft => ({
  ...{ type: null, low: 0, high: 0, step: 0, log: false, options: [], when: [], ...changes },
});
const rate = range({ type: 'logUniform', low: 1e-4, high: 1e-1 });
const count = (low: number, high: number) => range({ type: 'integer', low, high });
const choice = (...options: RangeDraft['options']) => range({ type: 'choice', options });

/** The message of a spec with two layers of 128 and 10 units, and Adam. */
function specMessage(): object {
  return toSpecMessage(resolveSpec(validDraft(), fittedPipeline()));
}

describe('createTuning', () => {
  let store: TuningStore;

  beforeEach(async () => {
    const database = await openDatabase<Schema>(path.join(tempFolder(), 'training.db'), migrations);
    store = new TuningStore(database, () => 0);
    return () => database.destroy();
  });

  const create = (tune: Partial<TuneDraft>, { requestId = null as string | null, rows = 6_000, spec = {} } = {}) => {
    const rowCounts = { train: 54_000, validation: rows, test: 10_000 };
    const dependencies = {
      ...{ tunings: store, preprocessing: { fit: async () => fittedPipeline({ rowCounts }) } },
      ...{ memoryBytes: 2 ** 30, toDraft: toSpecDraft, parallelDefault: 2 },
    };
    const draft = {
      ...{ space: { 'optimizer.learning_rate': rate }, spaceMessage: {}, method: null, trials: 0, parallel: 0 },
      ...{ objective: null, stopEarly: null, seconds: 0, seed: 0, asha: null, hyperband: null, ...tune },
    };
    const request = { requestId, owner: '', priority: 0, labels: {} };
    return createTuning(dependencies, { ...specMessage(), ...spec }, draft, request, new AbortController().signal);
  };
  const violationsOf = async (creation: Promise<unknown>) => {
    const error = await creation.then(
      () => ({ fieldViolations: [] }),
      (failure) => failure as { fieldViolations: { description: string }[] },
    );
    return error.fieldViolations.map(({ description }) => description);
  };

  it('fills in defaults, pins the dataset, and answers the same to a repeated request', async () => {
    const made = await create({}, { requestId: 'r1' });
    expect(made).toMatchObject({
      state: 'tuning',
      tune: { method: 'tpe', trials: 50, parallel: 2, objective: 'validationLoss', stopEarly: 'asha' },
      spec: { dataset: 'datasets/mnist/versions/3' },
    });
    expect((await create({}, { requestId: 'r1' })).id).toBe(made.id);
    await expect(create({ trials: 3 }, { requestId: 'r1' })).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('tells all that is wrong at once, with the nearest spelling', async () => {
    const found = await violationsOf(
      create({
        ...{ trials: 1_001, objective: 'trainLoss', asha: { minimumValidations: 1, reductionFactor: 1 } },
        space: {
          'optimizer.adma.beta1': range({ type: 'uniform', low: 0, high: 0.9 }),
          'optimizer.sgd.momentum': range({ type: 'uniform', low: 0, high: 0.9 }),
          'network.layers[0].activation': choice('relu', 'rellu'),
          'network.layers[0].units': range({ type: 'uniform', low: 1, high: 2 }),
          'network.width[3]': count(1, 8),
          'optimizer.learning_rate': range({ type: 'logUniform', low: 0, high: 1 }),
          batch_size: range({ type: 'integer', low: 64, high: 32, when: [{ path: 'network.dept', oneOf: [2] }] }),
          'network.depth': range({}),
          seed: count(1, 4),
          sample_weight: choice('a', 'b'),
          'network.widht[1]': count(8, 4),
          'optimizer.sgd.nesterov': choice(true, 'no'),
        },
      }),
    );
    expect(found).toEqual([
      'Expected `tune.trials` to be from 1 to 1,000 but received 1001.',
      'Expected `tune.asha.reduction_factor` to be from 2 to 100 but received 1.',
      'Expected `tune.objective` to be a metric of the validation rows but received "METRIC_TRAIN_LOSS".',
      expect.stringContaining('`optimizer` has no `adma` that can be searched. Did you mean `optimizer.adam`?'),
      expect.stringContaining('`the training spec` has no `seed` that can be searched.'),
      expect.stringContaining('`the training spec` has no `sample_weight` that can be searched.'),
      expect.stringContaining(
        'no `widht[1]` that can be searched. Did you mean `network.width`? Allowed are layers, depth, width.',
      ),
      'Expected `tune.space["network.widht[1]"].integer.high` to be greater than low, 8, but received 4.',
      'Expected `spec.optimizer` to be sgd, or `optimizer` to be searched too with sgd among its choices, since `optimizer.sgd.momentum` is searched.',
      expect.stringMatching(/choice\[1\]` to be one of .* but received "rellu". Did you mean `relu`\?/),
      'Expected `tune.space["network.layers[0].units"]` to be integer or a choice of whole numbers, but received "uniform".',
      'Expected `tune.space["optimizer.learning_rate"].log_uniform.low` to be greater than 0 but received 0.',
      'Expected `tune.space["batch_size"].integer.high` to be greater than low, 64, but received 32.',
      expect.stringContaining('but received "network.dept". Did you mean `network.depth`?'),
      'Expected exactly one of uniform, log_uniform, integer and choice in `tune.space["network.depth"]`.',
      'Expected `tune.space["optimizer.sgd.nesterov"].choice[1]` to be true or false but received "no".',
      expect.stringContaining('since `optimizer.sgd.nesterov` is searched.'),
    ]);
  });

  it('takes what Hyperband needs from the spec, and asks for it where that does not say it', async () => {
    const hyperband = (maximumValidations: number) => ({ maximumValidations, reductionFactor: 0 });
    const made = await create({ stopEarly: 'hyperband' }, { spec: { epochs: 40, validation: { everyEpochs: 3 } } });
    expect(made.tune.hyperband).toEqual({ maximumValidations: 14, reductionFactor: 3 });
    const { tune } = await create(
      { stopEarly: 'hyperband', hyperband: hyperband(9) },
      { spec: { epochs: 0, steps: 90 } },
    );
    expect(tune.hyperband).toEqual({ maximumValidations: 9, reductionFactor: 3 });
    const found = await violationsOf(create({ stopEarly: 'hyperband' }, { spec: { epochs: 0, steps: 90 } }));
    expect(found).toEqual([
      'Expected `tune.hyperband.maximum_validations` to be given, since `spec.epochs` does not say how often a trial is validated.',
    ]);
    expect(await violationsOf(create({ stopEarly: 'hyperband', hyperband: hyperband(2) }))).toEqual([
      'Expected `tune.hyperband.maximum_validations` to be at least 3, the reduction factor, without which no trial would be stopped, but received 2.',
    ]);
  });

  it('refuses ranges whose ends no training could have', async () => {
    const space = {
      batch_size: count(16, 100_000),
      'optimizer.adam.beta1': range({ type: 'uniform', low: 0.5, high: 1 }),
    };
    expect(await violationsOf(create({ space }))).toEqual([
      'Expected `spec.optimizer.adam.beta1` to be in [0, 1) but received 1.',
      'Expected `spec.batch_size` to be at most 54000, the rows of the training split, or full, but received 100000.',
    ]);
  });

  it('has what is compared measured, if there is such a metric for the label', async () => {
    const { spec } = await create({ objective: 'validationMacroF1' });
    expect(spec).toMatchObject({ metrics: ['METRIC_VALIDATION_MACRO_F1'] });
    expect(await violationsOf(create({ objective: 'validationRmse' }))).toEqual([
      expect.stringContaining('which there are for a label of KIND_CLASSES, but received "METRIC_VALIDATION_RMSE"'),
    ]);
  });

  it('refuses to tell trials apart without validation rows, or conditions in a circle', async () => {
    expect(await violationsOf(create({}, { rows: 0 }))).toEqual([
      'Expected `spec.split` to be a split that leaves rows for validation, by which trials are told apart, but received "0 rows".',
    ]);
    const space = {
      'network.depth': range({ type: 'integer', low: 1, high: 2, when: [{ path: 'network.width', oneOf: [2] }] }),
      'network.width': range({ type: 'integer', low: 1, high: 2, when: [{ path: 'network.depth', oneOf: [2] }] }),
    };
    expect(await violationsOf(create({ space }))).toContainEqual(expect.stringContaining('not to go round in circles'));
  });
});

describe('trialSpec', () => {
  const spec = {
    network: { layers: [{ units: 8 }, { dropout: { rate: 0.1 } }, { units: 3 }] },
    optimizer: { adam: { beta1: 0.8 }, kind: 'adam' },
  };

  it('repeats the layers before the last, each as wide as its trial says', () => {
    const values = {
      'network.depth': 2,
      'network.width': 16,
      'network.width[1]': 4,
      'network.layers[1].dropout.rate': 0.4,
    };
    expect(trialSpec(spec, values)).toMatchObject({
      network: {
        layers: [{ units: 16 }, { dropout: { rate: 0.4 } }, { units: 4 }, { dropout: { rate: 0.4 } }, { units: 3 }],
      },
    });
    expect(spec.network.layers).toHaveLength(3);
  });

  it('puts one kind of optimizer in the place of another, and keeps the settings of the one that was there', () => {
    const sgd = { optimizer: 'sgd', 'optimizer.sgd.momentum': 0.9, 'optimizer.learning_rate': 0.1 };
    expect(trialSpec(spec, sgd)).toMatchObject({
      optimizer: { adam: null, sgd: { momentum: 0.9, learningRate: 0.1 } },
    });
    const adam = { optimizer: 'adam', 'optimizer.learning_rate': 0.1 };
    expect(trialSpec(spec, adam)).toMatchObject({ optimizer: { adam: { beta1: 0.8, learningRate: 0.1 }, sgd: null } });
  });

  it('does not repeat an embedding, and makes residual layers as wide as the others', () => {
    const deep = { network: { layers: [{ embedding: {} }, { residual: { layers: [{ units: 8 }] } }, { units: 1 }] } };
    expect(trialSpec(deep, { 'network.depth': 2, 'network.width': 4 })).toEqual({
      network: {
        layers: [
          { embedding: {} },
          { residual: { layers: [{ units: 4 }] } },
          { residual: { layers: [{ units: 4 }] } },
          { units: 1 },
        ],
      },
    });
  });

  it('writes words of the contract, and makes settings that were not there', () => {
    expect(trialSpec(spec, { sampling: 'stratified', 'regularization.l2': 0.01 })).toMatchObject({
      ...{ sampling: 'SAMPLING_STRATIFIED', regularization: { l2: 0.01 } },
    });
  });
});
