import type { TrainingPlan as PlanMessage } from '../../proto/gen/millrace/v1/TrainingPlan.js';
import type { TrainingSpec as SpecMessage, TrainingSpec__Output } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import {
  activationNames,
  annealingNames,
  initializerNames,
  labelKindNames,
  lossNames,
  metricNames,
  samplingNames,
} from './contract-names.js';
import { type LayerDraft, layerFields } from './layer-settings.js';
import { type OptimizerDraft, optimizerFields } from './optimizer-settings.js';
import type { ScheduleDraft } from './schedule-settings.js';
import type { Draft } from './settings.js';
import type { TrainingPlan } from './training-plan.js';
import type { LayerSpec, SpecDraft, TrainingSpec } from './training-spec.js';

type Plain = Record<string, unknown>;
type LayerMessage = NonNullable<NonNullable<TrainingSpec__Output['network']>['layers']>[number];

/** Names of the contract for the values of a field, by the field. */
const enumFields: Record<string, Record<string, string>> = {
  activation: activationNames,
  kernelInitializer: initializerNames,
  biasInitializer: initializerNames,
  alphaInitializer: initializerNames,
  annealing: annealingNames,
  metric: metricNames,
};

/** Our word for an enum's value on the wire; null for the unspecified one, and for a number that no name stands for. */
function fromEnum<Word extends string>(names: Record<Word, string>, value: unknown): Word | null {
  const words = Object.keys(names) as Word[];
  return words.find((word) => names[word] === value) ?? null;
}

/** The settings of a message in our words. What is unset or unspecified is left out; a value without a name stays, to be refused. */
function fromMessage(message: object): Draft {
  const draft: Plain = {};
  for (const [name, value] of Object.entries(message)) {
    // With a leading `_`, the loader says which optional field is set.
    if (value === null || value === undefined || name === 'kind' || name.startsWith('_')) {
      continue;
    }
    const names = enumFields[name];
    if (names) {
      const isUnset = String(value).endsWith('_UNSPECIFIED');
      draft[name] = isUnset ? undefined : (fromEnum(names, value) ?? value);
    } else {
      draft[name] = typeof value === 'object' && !Array.isArray(value) ? fromMessage(value) : value;
    }
  }
  return draft;
}

/** The kind that is set, as `type`, with its settings; null when none is. @param fields of the contract by our words */
function fromKind<Type extends string>(
  message: object | null | undefined,
  fields: Record<Type, string>,
): (Draft & { type: Type }) | null {
  const kinds = (message ?? {}) as Plain;
  const types = Object.keys(fields) as Type[];
  const type = types.find((name) => kinds[camelCase(fields[name])]);
  return type === undefined ? null : { type, ...fromMessage(kinds[camelCase(fields[type])] as object) };
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const scheduleFields = {
  constant: 'constant',
  step: 'step',
  exponential: 'exponential',
  polynomial: 'polynomial',
  cosine: 'cosine',
  oneCycle: 'one_cycle',
  plateau: 'plateau',
} as const;

/** A spec as it came, nothing checked yet. */
export function toDraft(message: TrainingSpec__Output | null): SpecDraft {
  const pipeline = message?.pipeline ?? null;
  const split = message?.split ?? null;
  return {
    dataset: message?.dataset ?? '',
    pipeline: pipeline && { labelKind: fromEnum(labelKindNames, pipeline.label?.kind), message: pipeline },
    split: split && { message: split },
    layers: (message?.network?.layers ?? []).map(fromLayer),
    loss: fromEnum(lossNames, message?.loss),
    labelSmoothing: message?.labelSmoothing,
    huberDelta: message?.huberDelta,
    classWeights: message?.classWeights ?? {},
    balancedClassWeights: message?.balancedClassWeights ?? false,
    sampleWeight: message?.sampleWeight ?? '',
    optimizer: fromKind(message?.optimizer, optimizerFields) as OptimizerDraft | null,
    schedule: fromSchedule(message?.schedule),
    regularization: message?.regularization && fromMessage(message.regularization),
    clipping: message?.clipping && fromMessage(message.clipping),
    averaging: message?.averaging && fromMessage(message.averaging),
    sampling: fromEnum(samplingNames, message?.sampling),
    augmentation: message?.augmentation && fromMessage(message.augmentation),
    batchSize: message?.batchSize ?? 0,
    fullBatch: message?.fullBatch ?? false,
    epochs: message?.epochs ?? 0,
    steps: message?.steps ?? 0,
    seconds: message?.seconds ?? 0,
    earlyStopping: message?.earlyStopping && fromMessage(message.earlyStopping),
    validation: message?.validation && fromMessage(message.validation),
    onDivergence: message?.onDivergence && fromMessage(message.onDivergence),
    crossValidation: message?.crossValidation && fromMessage(message.crossValidation),
    learningCurve: message?.learningCurve && fromLearningCurve(message.learningCurve),
    metrics: (message?.metrics ?? []).map((metric) => fromEnum(metricNames, metric) ?? metric),
    checkpoints: message?.checkpoints && fromMessage(message.checkpoints),
    seed: message?.seed ?? 0,
    publish: message?.publish ?? null,
  };
}

/** A list on the wire is never unset. */
function fromLearningCurve({ trainSizes, ...curve }: NonNullable<TrainingSpec__Output['learningCurve']>): Draft {
  return { ...fromMessage(curve), ...(trainSizes.length > 0 ? { trainSizes } : {}) };
}

function fromLayer(message: LayerMessage): LayerDraft {
  const { units, activation, kernelInitializer, useBias, biasInitializer } = message;
  const dense = fromMessage({ units, activation, kernelInitializer, useBias, biasInitializer });
  const other = fromKind(message, layerFields) as LayerDraft | null;
  if (other === null) {
    return { type: 'dense', ...dense };
  }
  const [stray] = Object.entries(dense).find(([, value]) => value !== undefined && value !== 0) ?? [];
  const layer: LayerDraft = { ...other, ...(stray === undefined ? {} : { stray }) };
  return layer.type === 'residual' ? { ...layer, layers: (layer.layers as LayerMessage[]).map(fromLayer) } : layer;
}

function fromSchedule(message: TrainingSpec__Output['schedule'] | undefined): ScheduleDraft | null {
  if (!message) {
    return null;
  }
  const { warmupSteps, warmupEpochs } = message;
  const kind = fromKind(message, scheduleFields) ?? { type: 'constant' as const };
  return { ...kind, ...fromMessage({ warmupSteps, warmupEpochs }) } as ScheduleDraft;
}

/** A spec as it stands in a job and in the lineage of what the job made. */
export function toSpecMessage(spec: TrainingSpec): SpecMessage {
  const { regularization, clipping, averaging, classWeights, earlyStopping, validation, checkpoints, publish, seed } =
    spec;
  return {
    dataset: spec.dataset,
    pipeline: spec.pipeline.message,
    split: spec.split.message,
    network: { layers: spec.layers.map(toLayer) },
    loss: lossNames[spec.loss],
    labelSmoothing: spec.labelSmoothing || undefined,
    huberDelta: spec.huberDelta ?? undefined,
    classWeights: classWeights === 'balanced' ? {} : classWeights,
    balancedClassWeights: classWeights === 'balanced',
    sampleWeight: spec.sampleWeight ?? '',
    optimizer: toKind(spec.optimizer, optimizerFields),
    schedule: spec.schedule && toSchedule(spec.schedule),
    ...{ regularization, clipping, averaging },
    sampling: samplingNames[spec.sampling],
    augmentation: spec.augmentation && toAugmentation(spec.augmentation),
    batchSize: spec.batchSize === 'full' ? 0 : spec.batchSize,
    fullBatch: spec.batchSize === 'full',
    epochs: spec.epochs ?? 0,
    steps: spec.steps ?? 0,
    seconds: spec.seconds ?? 0,
    earlyStopping: earlyStopping && toMessage(earlyStopping),
    ...{ validation, checkpoints },
    onDivergence: spec.onDivergence,
    crossValidation: spec.crossValidation,
    learningCurve: spec.learningCurve,
    metrics: spec.metrics.map((metric) => metricNames[metric]),
    seed,
    publish,
  };
}

/** Where the images are follows from the pipeline. */
function toAugmentation({ images: _, ...settings }: NonNullable<TrainingSpec['augmentation']>): Plain {
  return settings;
}

function toMessage(settings: object): Plain {
  const entries = Object.entries(settings).map(([name, value]) => [name, enumFields[name]?.[value as string] ?? value]);
  return Object.fromEntries(entries);
}

function toKind<Type extends string>({ type, ...settings }: { type: Type }, fields: Record<Type, string>): Plain {
  return { [camelCase(fields[type])]: toMessage(settings) };
}

function toLayer(layer: LayerSpec): Plain {
  if (layer.type === 'dense') {
    const { type: _, ...settings } = layer;
    return toMessage(settings);
  }
  return layer.type === 'residual' ? { residual: { layers: layer.layers.map(toLayer) } } : toKind(layer, layerFields);
}

function toSchedule({ warmupSteps, ...schedule }: NonNullable<TrainingSpec['schedule']>): Plain {
  return { warmupSteps, ...toKind(schedule, scheduleFields) };
}

export function toPlanMessage({ spec, pipeline, layers, steps, ...sizes }: TrainingPlan): PlanMessage {
  const { train, validation, test } = pipeline.rowCounts;
  return {
    ...sizes,
    spec: toSpecMessage(spec),
    layers: layers.map(({ type, ...layer }) => ({ ...layer, kind: type === 'dense' ? type : layerFields[type] })),
    featureNames: pipeline.featureNames,
    classes: pipeline.classes,
    ...{ trainRowCount: train, validationRowCount: validation, testRowCount: test },
    steps: steps ?? 0,
  };
}
