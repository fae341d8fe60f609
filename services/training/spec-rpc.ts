import type { Optimizer__Output } from '../../proto/gen/millrace/v1/Optimizer.js';
import type { TrainingSpec as SpecMessage, TrainingSpec__Output } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import { activationNames, initializerNames, labelKindNames, lossNames } from './contract-names.js';
import type { Optimizer, OptimizerDraft, SpecDraft, TrainingSpec } from './training-spec.js';

/** Our word for an enum's value on the wire; null for the unspecified one, and for a number that no name stands for. */
function fromEnum<Word extends string>(names: Record<Word, string>, value: unknown): Word | null {
  const words = Object.keys(names) as Word[];
  return words.find((word) => names[word] === value) ?? null;
}

/** A spec as it came, nothing checked yet. */
export function toDraft(message: TrainingSpec__Output | null): SpecDraft {
  const pipeline = message?.pipeline ?? null;
  const split = message?.split ?? null;
  return {
    dataset: message?.dataset ?? '',
    pipeline: pipeline && { labelKind: fromEnum(labelKindNames, pipeline.label?.kind), message: pipeline },
    split: split && { message: split },
    layers: (message?.network?.layers ?? []).map(({ units, activation, kernelInitializer }) => ({
      units,
      activation: fromEnum(activationNames, activation),
      kernelInitializer: fromEnum(initializerNames, kernelInitializer),
    })),
    loss: fromEnum(lossNames, message?.loss),
    optimizer: fromOptimizer(message?.optimizer ?? null),
    batchSize: message?.batchSize ?? 0,
    epochs: message?.epochs ?? 0,
    seed: message?.seed ?? 0,
    publish: message?.publish ?? null,
  };
}

function fromOptimizer(message: Optimizer__Output | null): OptimizerDraft | null {
  const { gradientDescent, sgd, adam } = message ?? {};
  if (gradientDescent) {
    return { type: 'gradientDescent', learningRate: gradientDescent.learningRate };
  }
  if (sgd) {
    return { type: 'sgd', learningRate: sgd.learningRate, momentum: sgd.momentum, nesterov: sgd.nesterov };
  }
  if (adam) {
    const { learningRate, beta1, beta2, epsilon } = adam;
    return { type: 'adam', learningRate, beta1, beta2, epsilon };
  }
  return null;
}

/** A spec as it stands in a job and in the lineage of what the job made. */
export function toSpecMessage(spec: TrainingSpec): SpecMessage {
  return {
    dataset: spec.dataset,
    pipeline: spec.pipeline.message,
    split: spec.split.message,
    network: {
      layers: spec.layers.map(({ units, activation, kernelInitializer }) => ({
        units,
        activation: activationNames[activation],
        kernelInitializer: initializerNames[kernelInitializer],
      })),
    },
    loss: lossNames[spec.loss],
    optimizer: toOptimizer(spec.optimizer),
    batchSize: spec.batchSize === 'full' ? 0 : spec.batchSize,
    epochs: spec.epochs,
    seed: spec.seed,
    publish: spec.publish,
  };
}

function toOptimizer({ type, ...settings }: Optimizer): SpecMessage['optimizer'] {
  return { [type]: settings };
}
