import { quote, type Violations } from '../platform/errors.js';
import { idRule, isId, ResourceName } from '../platform/resource-name.js';
import { activationNames, labelKindNames } from './contract-names.js';
import { checkEmbedding, embeddingTables } from './embedding-tables.js';
import { type CrossValidation, foldTrainRows, type LearningCurve, sizeRows } from './folds.js';
import { checkAugmentation, checkImages } from './image-augmentation.js';
import { checkLayers, resolveLayer } from './layer-settings.js';
import { checkLoss, checkWeightedClasses } from './loss-check.js';
import { networkBytes } from './memory-estimate.js';
import { parameterCount, unevenBlocks } from './network-shape.js';
import { checkOptimizer, resolveOptimizer } from './optimizer-settings.js';
import { checkPromoteIf, checkTestRows } from './promotion-condition.js';
import { checkSchedule } from './schedule-settings.js';
import {
  checkSettings,
  type Draft,
  fraction,
  notNegative,
  positive,
  type Settings,
  snakeCase,
  unset,
  withDefaults,
} from './settings.js';
import {
  checkpointSettings,
  crossValidationSettings,
  divergenceSettings,
  earlyStoppingSettings,
  learningCurveSettings,
  validationSettings,
} from './stopping-settings.js';
import { type FittedPipeline, hasClass, type PublishSpec, type SpecDraft } from './training-spec.js';
import { checkMeasurable, checkMetrics } from './validation-metric.js';

const datasetName = new ResourceName('datasets/{dataset}');
const datasetVersionName = new ResourceName('datasets/{dataset}/versions/{version}');
const modelName = new ResourceName('models/{model}');

const epochsMax = 1_000_000;
const aliasesMax = 100;
/** The engine's limit. */
const parametersMax = 2 ** 31 - 1;

/** What can be said of a spec without its dataset. Notes every violation, under the names of the contract. */
export function checkSpec(draft: SpecDraft, violations: Violations): void {
  const isDataset = datasetName.match(draft.dataset) ?? datasetVersionName.match(draft.dataset);
  const datasetRule = 'like datasets/{dataset} or datasets/{dataset}/versions/{version}';
  violations.check(isDataset !== null, 'spec.dataset', datasetRule, draft.dataset);
  if (!draft.pipeline) {
    violations.add('spec.pipeline', 'Expected `spec.pipeline` to be set: columns and label say what is learned.');
  }
  checkLayers(draft.layers, violations);
  checkLoss(draft, violations);
  checkOptimizer(draft.optimizer, violations);
  checkBatchSize(draft, violations);
  checkOptimization(draft, violations);
  checkAugmentation(draft.augmentation ?? null, violations);
  checkEnd(draft, violations);
  const { seed } = draft;
  violations.check(Number.isSafeInteger(seed) && seed >= 0, 'spec.seed', 'from 0 to 2^53 - 1', seed);
  checkPublish(draft.publish, violations);
  checkPromoteIf(draft, violations);
}

function inRange(value: number, minimum: number, maximum: number): boolean {
  return Number.isInteger(value) && value >= minimum && value <= maximum;
}

function checkBatchSize({ optimizer, batchSize, fullBatch = false }: SpecDraft, violations: Violations): void {
  if (optimizer?.type === 'gradientDescent' || fullBatch) {
    const field = fullBatch ? 'spec.full_batch' : 'spec.optimizer.gradient_descent';
    const rule = `unset with \`${field}\`, which takes all rows at once,`;
    violations.check(batchSize === 0, 'spec.batch_size', rule, batchSize);
  } else {
    violations.check(inRange(batchSize, 0, 2 ** 31 - 1), 'spec.batch_size', 'a positive integer', batchSize);
  }
}

/** Epochs, steps and seconds, at least one of them; early stopping; validation. */
function checkEnd(draft: SpecDraft, violations: Violations): void {
  const { epochs, steps = 0, seconds = 0, earlyStopping, validation } = draft;
  const isOpen = steps === 0 && seconds === 0;
  const rule = `from 1 to 1,000,000${isOpen ? ', or `spec.steps` or `spec.seconds` to be set,' : ''}`;
  violations.check(inRange(epochs, isOpen ? 1 : 0, epochsMax), 'spec.epochs', rule, epochs);
  violations.check(inRange(steps, 0, Number.MAX_SAFE_INTEGER), 'spec.steps', 'an integer from 1', steps);
  violations.check(Number.isFinite(seconds) && seconds >= 0, 'spec.seconds', 'a finite number greater than 0', seconds);
  checkSettings(validationSettings, validation ?? {}, 'spec.validation', violations);
  checkCheckpoints(draft.checkpoints ?? {}, violations);
  checkFolds('cross_validation', draft.crossValidation, crossValidationSettings, draft, violations);
  checkFolds('learning_curve', draft.learningCurve, learningCurveSettings, draft, violations);
  if (draft.onDivergence) {
    checkSettings(divergenceSettings, draft.onDivergence, 'spec.on_divergence', violations);
  }
  if (earlyStopping) {
    checkSettings(earlyStoppingSettings, earlyStopping, 'spec.early_stopping', violations);
  }
  checkMetrics(draft, violations);
}

/** Folds share rows out one by one: that must make sense for the split and the label. */
function checkFolds(
  name: string,
  given: Draft | null | undefined,
  settings: Settings,
  { split, pipeline }: SpecDraft,
  violations: Violations,
): void {
  if (!given) {
    return;
  }
  const field = `spec.${name}`;
  checkSettings(settings, given, field, violations);
  const kind = pipeline?.labelKind ?? null;
  if (kind !== null && !hasClass(kind)) {
    const rule = `unset or false with a label of ${labelKindNames[kind]}`;
    violations.check(given.stratified !== true, `${field}.stratified`, rule, given.stratified);
  }
  const { groupColumn, timeColumn } = (split?.message ?? {}) as { groupColumn?: string; timeColumn?: string };
  for (const [name, column] of Object.entries({ group_column: groupColumn, time_column: timeColumn })) {
    if (column) {
      violations.add(
        field,
        `Expected \`${field}\` to be unset with \`spec.split.${name}\`: folds would part such rows.`,
      );
    }
  }
}

function checkCheckpoints(checkpoints: Draft, violations: Violations): void {
  const field = 'spec.checkpoints';
  checkSettings(checkpointSettings, checkpoints, field, violations);
  const given = ['everyEpochs', 'everySteps', 'everySeconds'].filter((name) => checkpoints[name] !== undefined);
  if (given.length > 1) {
    const names = given.map((name) => `\`${field}.${snakeCase(name)}\``);
    violations.add(field, `Expected only one of ${names.join(', ')} to be set.`);
  }
}

function checkOptimization(draft: SpecDraft, violations: Violations): void {
  const { schedule, regularization, clipping, averaging, epochs, steps } = draft;
  checkSchedule(schedule ?? null, !epochs && !steps, violations);
  if (regularization) {
    const settings = { l1: notNegative(0), l2: notNegative(0) };
    checkSettings(settings, regularization, 'spec.regularization', violations);
  }
  if (clipping) {
    const settings = { value: positive(unset), norm: positive(unset), globalNorm: positive(unset) };
    checkSettings(settings, clipping, 'spec.clipping', violations);
    if (Object.keys(settings).every((name) => clipping[name] === undefined)) {
      violations.add(
        'spec.clipping',
        'Expected exactly one of `spec.clipping.value`, `spec.clipping.norm` and `spec.clipping.global_norm` to be set.',
      );
    }
  }
  if (averaging) {
    checkSettings({ decay: fraction(0.99) }, averaging, 'spec.averaging', violations);
  }
}

function checkPublish(publish: PublishSpec | null, violations: Violations): void {
  const model = publish?.model ?? '';
  violations.check(modelName.match(model) !== null, 'spec.publish.model', 'like models/{model}', model);
  const aliases = publish?.aliases ?? [];
  violations.check(
    aliases.length <= aliasesMax,
    'spec.publish.aliases',
    `a list of at most ${aliasesMax}`,
    aliases.length,
  );
  for (const [i, alias] of aliases.slice(0, aliasesMax).entries()) {
    const field = `spec.publish.aliases[${i}]`;
    if (violations.check(isId(alias), field, idRule, alias) && aliases.indexOf(alias) < i) {
      violations.add(field, `Expected \`${field}\` to be named once but received ${quote(alias)} again.`);
    }
  }
}

/** What can be said once the pipeline is fitted: outputs and class weights against the classes, rows, and the size of it all. */
export function checkAgainstPipeline(
  draft: SpecDraft,
  pipeline: FittedPipeline,
  memoryBytes: number,
  violations: Violations,
): void {
  checkWeightedClasses(draft, pipeline, violations);
  checkRows(draft, pipeline, violations);
  checkMeasurable(draft, pipeline, violations);
  checkTestRows(draft, pipeline, violations);
  checkImages(draft.augmentation ?? null, pipeline, violations);
  if (!violations.hasWithin('spec.network')) {
    checkLastLayer(draft, pipeline, violations);
    checkEmbedding(draft.layers, pipeline, violations);
  }
  if (!violations.hasWithin('spec.network')) {
    checkSize(draft, pipeline, memoryBytes, violations);
  }
}

function checkRows(draft: SpecDraft, pipeline: FittedPipeline, violations: Violations): void {
  const { batchSize, crossValidation } = draft;
  const rows = pipeline.rowCounts.train;
  if (!violations.check(rows > 0, 'spec.split', 'a split that leaves rows for training', `${rows} rows`)) {
    return;
  }
  checkCurveRows(draft, rows, violations);
  if (crossValidation && !violations.hasWithin('spec.cross_validation')) {
    const { folds } = withDefaults(crossValidationSettings, crossValidation) as unknown as CrossValidation;
    const fewer = `at most ${rows}, the rows of the training split,`;
    if (!violations.check(folds <= rows, 'spec.cross_validation.folds', fewer, folds)) {
      return;
    }
    const left = foldTrainRows(rows, folds);
    const rule = `at most ${left}, the rows that a fold leaves for training, or full,`;
    violations.check(!(batchSize > left), 'spec.batch_size', rule, batchSize);
    return;
  }
  const rule = `at most ${rows}, the rows of the training split, or full,`;
  violations.check(!(batchSize > rows), 'spec.batch_size', rule, batchSize);
}

/** That each fold leaves rows for each size. */
function checkCurveRows({ learningCurve }: SpecDraft, rows: number, violations: Violations): void {
  const field = 'spec.learning_curve';
  if (!learningCurve || violations.hasWithin(field)) {
    return;
  }
  const { folds, trainSizes } = withDefaults(learningCurveSettings, learningCurve) as unknown as LearningCurve;
  const fewer = `at most ${rows}, the rows of the training split,`;
  if (violations.check(folds <= rows, `${field}.folds`, fewer, folds)) {
    const left = foldTrainRows(rows, folds);
    const rule = `a share that leaves 2 rows of the ${left} without a fold`;
    violations.check(sizeRows(left, trainSizes[0]!) >= 2, `${field}.train_sizes[0]`, rule, trainSizes[0]);
  }
}

function checkLastLayer(
  { layers, pipeline: asked }: SpecDraft,
  pipeline: FittedPipeline,
  violations: Violations,
): void {
  const last = layers.at(-1)!;
  const field = `spec.network.layers[${layers.length - 1}]`;
  const kind = asked?.labelKind;
  if (kind === 'classes' || kind === 'labels') {
    const count = pipeline.classes.length;
    violations.check(last.units === count, `${field}.units`, `${count}, one for each class of the label,`, last.units);
  } else if (kind === 'numbers') {
    const { numbers = [] } = pipeline;
    const rule = `${numbers.length}, one for each number of the label (${numbers.slice(0, 20).join(', ')}),`;
    violations.check(last.units === numbers.length, `${field}.units`, rule, last.units);
  } else {
    violations.check(last.units === 1, `${field}.units`, '1, for a label that is one number,', last.units);
  }
  if (pipeline.labelUnits) {
    const reason = 'since the label is standardised and the last layer brings answers back,';
    const rule = `${activationNames.linear}, ${reason}`;
    violations.check(
      last.activation === 'linear',
      `${field}.activation`,
      rule,
      activationNames[last.activation as 'relu'],
    );
    violations.check(last.useBias !== false, `${field}.use_bias`, `true, ${reason}`, last.useBias);
  }
}

function checkSize(draft: SpecDraft, pipeline: FittedPipeline, memoryBytes: number, violations: Violations): void {
  const layers = draft.layers.map((layer) => resolveLayer(layer, (tables) => embeddingTables(tables, pipeline)));
  const field = 'spec.network.layers';
  for (const block of unevenBlocks(pipeline.featureCount, layers)) {
    const rule = `layers that end with ${block.inputs} columns, as many as go into the block,`;
    violations.check(false, block.field, rule, block.outputs);
  }
  const parameters = parameterCount(pipeline.featureCount, layers);
  const limit = 'at most 2,147,483,647 weights and biases';
  violations.check(parameters <= parametersMax, field, limit, parameters);
  if (draft.optimizer) {
    const optimizer = resolveOptimizer(draft.optimizer);
    const bytes = networkBytes(parameters, optimizer, Boolean(draft.averaging));
    const gigabytes = (count: number) => `${(count / 2 ** 30).toPrecision(3)} GiB`;
    const rule = `small enough to train within the ${gigabytes(memoryBytes)} of memory here`;
    violations.check(bytes <= memoryBytes, field, rule, `layers that need ${gigabytes(bytes)}`);
  }
}
