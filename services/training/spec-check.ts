import { quote, type Violations } from '../platform/errors.js';
import { idRule, isId, ResourceName } from '../platform/resource-name.js';
import { activationNames, labelKindNames, lossNames } from './contract-names.js';
import {
  type Activation,
  type FittedPipeline,
  type LabelKind,
  type LayerDraft,
  type Loss,
  type OptimizerDraft,
  type PublishSpec,
  parameterCount,
  type SpecDraft,
} from './training-spec.js';

const datasetName = new ResourceName('datasets/{dataset}');
const datasetVersionName = new ResourceName('datasets/{dataset}/versions/{version}');
const modelName = new ResourceName('models/{model}');

const layersMax = 1_000;
const unitsMax = 1_000_000;
const epochsMax = 1_000_000;
const aliasesMax = 100;
/** The engine's limit. */
const parametersMax = 2 ** 31 - 1;
/** Adam keeps four numbers a parameter: weight, gradient, two moments. */
const bytesPerParameter = 4 * Float32Array.BYTES_PER_ELEMENT;

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
  const { epochs, seed } = draft;
  violations.check(inRange(epochs, 1, epochsMax), 'spec.epochs', 'from 1 to 1,000,000', epochs);
  violations.check(Number.isSafeInteger(seed) && seed >= 0, 'spec.seed', 'from 0 to 2^53 - 1', seed);
  checkPublish(draft.publish, violations);
}

function inRange(value: number, minimum: number, maximum: number): boolean {
  return Number.isInteger(value) && value >= minimum && value <= maximum;
}

function checkLayers(layers: LayerDraft[], violations: Violations): void {
  const rule = 'a list of 1 to 1,000 layers';
  if (!violations.check(inRange(layers.length, 1, layersMax), 'spec.network.layers', rule, layers.length)) {
    return;
  }
  for (const [i, { units, activation }] of layers.entries()) {
    const field = `spec.network.layers[${i}]`;
    violations.check(inRange(units, 1, unitsMax), `${field}.units`, 'from 1 to 1,000,000', units);
    if (activation === null) {
      const names = Object.values(activationNames).join(', ');
      violations.add(`${field}.activation`, `Expected \`${field}.activation\` to be one of ${names}.`);
    } else if (activation === 'softmax' && i < layers.length - 1) {
      const description = `Expected \`${field}.activation\` to be another than ACTIVATION_SOFTMAX, which only the last layer may have.`;
      violations.add(`${field}.activation`, description);
    }
  }
}

/** Losses that make sense for a kind of label, with the activations that the last layer may have. */
const fits: Record<LabelKind, { losses: Loss[]; activations: Activation[] }> = {
  classes: { losses: ['categoricalCrossEntropy'], activations: ['softmax'] },
  binary: { losses: ['binaryCrossEntropy', 'meanSquaredError'], activations: ['sigmoid'] },
  number: { losses: ['meanSquaredError'], activations: ['linear', 'sigmoid', 'tanh', 'relu'] },
  labels: { losses: ['binaryCrossEntropy', 'meanSquaredError'], activations: ['sigmoid'] },
};

function checkLoss({ loss, layers, pipeline }: SpecDraft, violations: Violations): void {
  if (loss === null) {
    const names = Object.values(lossNames).join(', ');
    violations.add('spec.loss', `Expected \`spec.loss\` to be one of ${names}.`);
  }
  const kind = pipeline?.labelKind ?? null;
  if (kind === null) {
    return;
  }
  const fit = fits[kind];
  if (loss !== null && !fit.losses.includes(loss)) {
    const names = fit.losses.map((name) => lossNames[name]).join(' or ');
    const description = `Expected \`spec.loss\` to be ${names}, which fits a label of ${labelKindNames[kind]}, but received ${lossNames[loss]}.`;
    violations.add('spec.loss', description);
  }
  const last = layers.at(-1)?.activation ?? null;
  if (last !== null && !fit.activations.includes(last)) {
    const field = `spec.network.layers[${layers.length - 1}].activation`;
    const names = fit.activations.map((name) => activationNames[name]).join(', ');
    const description = `Expected \`${field}\` to be ${names} in the last layer, which fits a label of ${labelKindNames[kind]}, but received ${activationNames[last]}.`;
    violations.add(field, description);
  }
}

function checkOptimizer(optimizer: OptimizerDraft | null, violations: Violations): void {
  if (optimizer === null) {
    const description =
      'Expected exactly one of `spec.optimizer.gradient_descent`, `spec.optimizer.sgd` and `spec.optimizer.adam` to be set.';
    violations.add('spec.optimizer', description);
    return;
  }
  const field = `spec.optimizer.${optimizer.type === 'gradientDescent' ? 'gradient_descent' : optimizer.type}`;
  const positive = (name: string, value: number | undefined) => {
    // The engine computes in float32: what is 0 or infinite there is so here.
    const inFloat32 = Math.fround(value ?? 1);
    const ok = Number.isFinite(inFloat32) && inFloat32 > 0;
    violations.check(ok, `${field}.${name}`, 'a finite number greater than 0', value);
  };
  const fraction = (name: string, value: number | undefined) => {
    const ok = value === undefined || (value >= 0 && Math.fround(value) < 1);
    violations.check(ok, `${field}.${name}`, 'in [0, 1)', value);
  };
  positive('learning_rate', optimizer.learningRate);
  if (optimizer.type === 'sgd') {
    fraction('momentum', optimizer.momentum);
  } else if (optimizer.type === 'adam') {
    fraction('beta1', optimizer.beta1);
    fraction('beta2', optimizer.beta2);
    positive('epsilon', optimizer.epsilon);
  }
}

function checkBatchSize({ optimizer, batchSize }: SpecDraft, violations: Violations): void {
  if (optimizer?.type === 'gradientDescent') {
    const rule = 'unset with `spec.optimizer.gradient_descent`, which takes all rows at once,';
    violations.check(batchSize === 0, 'spec.batch_size', rule, batchSize);
  } else {
    violations.check(Number.isInteger(batchSize) && batchSize >= 0, 'spec.batch_size', 'a positive integer', batchSize);
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

/** What can be said once the pipeline is fitted: the outputs against the classes, and the size of it all. */
export function checkAgainstPipeline(
  draft: SpecDraft,
  pipeline: FittedPipeline,
  memoryBytes: number,
  violations: Violations,
): void {
  const { layers } = draft;
  const lastUnits = layers.at(-1)?.units;
  if (lastUnits !== undefined && inRange(lastUnits, 1, unitsMax)) {
    const field = `spec.network.layers[${layers.length - 1}].units`;
    const kind = draft.pipeline?.labelKind;
    if (kind === 'classes' || kind === 'labels') {
      const count = pipeline.classes.length;
      violations.check(lastUnits === count, field, `${count}, one for each class of the label,`, lastUnits);
    } else {
      violations.check(lastUnits === 1, field, '1, for a label that is one number,', lastUnits);
    }
  }
  const last = layers.at(-1)?.activation ?? null;
  if (pipeline.labelUnits && last !== null) {
    const field = `spec.network.layers[${layers.length - 1}].activation`;
    const rule = `${activationNames.linear}, since the label is standardised and the last layer brings answers back,`;
    violations.check(last === 'linear', field, rule, activationNames[last]);
  }
  const rows = pipeline.rowCounts.train;
  violations.check(rows > 0, 'spec.split', 'a split that leaves rows for training', `${rows} rows`);
  const parameters = parameterCount(pipeline.featureCount, layers);
  const limit = 'at most 2,147,483,647 weights and biases';
  violations.check(parameters <= parametersMax, 'spec.network.layers', limit, parameters);
  const bytes = parameters * bytesPerParameter;
  const gigabytes = (count: number) => `${(count / 2 ** 30).toPrecision(3)} GiB`;
  const rule = `small enough to train within the ${gigabytes(memoryBytes)} of memory here`;
  violations.check(bytes <= memoryBytes, 'spec.network.layers', rule, `layers that need ${gigabytes(bytes)}`);
}
