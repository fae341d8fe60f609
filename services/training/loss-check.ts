import { quote, type Violations } from '../platform/errors.js';
import { nearest } from '../platform/nearest-name.js';
import { activationNames, labelKindNames, lossNames, samplingNames } from './contract-names.js';
import { checkSettings, fraction, positive, unset } from './settings.js';
import type { Activation, FittedPipeline, LabelKind, Loss, SpecDraft } from './training-spec.js';

const notNegative: Activation[] = ['softplus', 'relu', 'sigmoid', 'hardSigmoid'];
const anyNumber = (Object.keys(activationNames) as Activation[]).filter((name) => name !== 'softmax');
const toNumbers: [Loss, Activation[]][] = [
  ['meanSquaredError', anyNumber],
  ['meanAbsoluteError', anyNumber],
  ['huber', anyNumber],
  ['logCosh', anyNumber],
  ['poisson', notNegative],
];

const toProbabilities: [Loss, Activation[]][] = (
  ['binaryCrossEntropy', 'meanSquaredError', 'meanAbsoluteError', 'huber', 'logCosh'] as const
).map((loss) => [loss, ['sigmoid']]);

/** Losses that make sense for a kind of label, each with the activations that the last layer may have. */
const fits: Record<LabelKind, Map<Loss, Activation[]>> = {
  classes: new Map([['categoricalCrossEntropy', ['softmax']]]),
  binary: new Map(toProbabilities),
  number: new Map(toNumbers),
  numbers: new Map(toNumbers),
  labels: new Map(toProbabilities),
};

/** Loss and last activation against the label, and the settings of the loss. */
export function checkLoss(draft: SpecDraft, violations: Violations): void {
  const { loss, labelSmoothing, huberDelta } = draft;
  if (loss === null) {
    const names = Object.values(lossNames).join(', ');
    violations.add('spec.loss', `Expected \`spec.loss\` to be one of ${names}.`);
  }
  checkSettings(
    { labelSmoothing: fraction(unset), huberDelta: positive(unset) },
    { labelSmoothing, huberDelta },
    'spec',
    violations,
  );
  if (loss !== null) {
    const smooths = loss === 'categoricalCrossEntropy' || loss === 'binaryCrossEntropy';
    const crossEntropy = 'unset unless the loss is one of cross-entropy';
    violations.check(smooths || !labelSmoothing, 'spec.label_smoothing', crossEntropy, labelSmoothing);
    const huber = `unset unless the loss is ${lossNames.huber}`;
    violations.check(loss === 'huber' || huberDelta === undefined, 'spec.huber_delta', huber, huberDelta);
  }
  const kind = draft.pipeline?.labelKind ?? null;
  if (kind !== null) {
    checkFit(draft, kind, violations);
    checkClasses(draft, kind, violations);
  }
}

function checkFit({ loss, layers }: SpecDraft, kind: LabelKind, violations: Violations): void {
  const fit = fits[kind];
  const label = `which fits a label of ${labelKindNames[kind]},`;
  if (loss !== null && !fit.has(loss)) {
    const names = [...fit.keys()].map((name) => lossNames[name]).join(' or ');
    const description = `Expected \`spec.loss\` to be ${names}, ${label} but received ${lossNames[loss]}.`;
    violations.add('spec.loss', description);
  }
  const allowed = (loss !== null && fit.get(loss)) || [...fit.values()][0]!;
  const last = layers.at(-1);
  const activation = last?.activation as Activation | undefined;
  if (last?.type === 'dense' && activation !== undefined && Object.hasOwn(activationNames, activation)) {
    const field = `spec.network.layers[${layers.length - 1}].activation`;
    const names = allowed.map((name) => activationNames[name]).join(', ');
    const rule = `${names} in the last layer, which fits a label of ${labelKindNames[kind]},`;
    violations.check(allowed.includes(activation), field, rule, activationNames[activation]);
  }
}

/** What is about classes needs a label that has one of them. */
function checkClasses(draft: SpecDraft, kind: LabelKind, violations: Violations): void {
  const { classWeights = {}, balancedClassWeights = false, sampling } = draft;
  const given = Object.entries(classWeights);
  const hasClass = kind === 'classes' || kind === 'binary';
  const onlyClasses = `unset with a label of ${labelKindNames[kind]}`;
  violations.check(hasClass || given.length === 0, 'spec.class_weights', onlyClasses, classWeights);
  violations.check(hasClass || !balancedClassWeights, 'spec.balanced_class_weights', onlyClasses, true);
  const either = 'empty beside `spec.balanced_class_weights`';
  violations.check(!balancedClassWeights || given.length === 0, 'spec.class_weights', either, classWeights);
  for (const [name, weight] of given) {
    const allowed = Number.isFinite(Math.fround(weight)) && weight >= 0;
    violations.check(allowed, `spec.class_weights[${quote(name)}]`, 'a finite number from 0', weight);
  }
  if (sampling === 'stratified') {
    const rule = `${samplingNames.stratified} only with a label of ${labelKindNames.classes}`;
    violations.check(kind === 'classes', 'spec.sampling', rule, labelKindNames[kind]);
  }
}

/** Whether the classes with weights of their own are classes of the label. */
export function checkWeightedClasses(draft: SpecDraft, { classes }: FittedPipeline, violations: Violations): void {
  if (classes.length === 0) {
    return;
  }
  for (const name of Object.keys(draft.classWeights ?? {})) {
    const close = nearest(name, classes);
    const shown =
      classes.length > 20 ? `${classes.slice(0, 20).join(', ')} and ${classes.length - 20} more` : classes.join(', ');
    const rule = `a class of the label (${shown})${close ? `, perhaps ${quote(close)},` : ''}`;
    violations.check(classes.includes(name), `spec.class_weights[${quote(name)}]`, rule, name);
  }
}
