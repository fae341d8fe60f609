import type { OptimizerSpec } from '../../native/index.js';
import type { Violations } from '../platform/errors.js';
import {
  checkSettings,
  type Draft,
  epsilon,
  flag,
  fraction,
  notNegative,
  positive,
  type Settings,
  withDefaults,
} from './settings.js';

/** As the contract says it. */
export type OptimizerDraft = Draft & { type: OptimizerSpec['type'] };

const weightDecay = notNegative(0);
const moments = { beta1: fraction(0.9), beta2: fraction(0.999), epsilon: epsilon(1e-7), amsgrad: flag(false) };

const optimizers: Record<OptimizerSpec['type'], Settings> = {
  gradientDescent: { learningRate: positive(0.01), weightDecay },
  sgd: { learningRate: positive(0.01), momentum: fraction(0), nesterov: flag(false), weightDecay },
  adam: { learningRate: positive(0.001), ...moments, weightDecay },
  adamW: { learningRate: positive(0.001), ...moments, weightDecay: notNegative(0.004) },
  rmsprop: {
    learningRate: positive(0.001),
    rho: fraction(0.9),
    momentum: fraction(0),
    epsilon: epsilon(1e-7),
    centered: flag(false),
    weightDecay,
  },
  adagrad: {
    learningRate: positive(0.001),
    initialAccumulator: notNegative(0.1),
    epsilon: epsilon(1e-7),
    weightDecay,
  },
  adadelta: { learningRate: positive(0.001), rho: fraction(0.95), epsilon: epsilon(1e-7), weightDecay },
  lion: { learningRate: positive(0.001), beta1: fraction(0.9), beta2: fraction(0.99), weightDecay },
};

/** Fields of the contract, by our words. */
export const optimizerFields: Record<OptimizerSpec['type'], string> = {
  gradientDescent: 'gradient_descent',
  sgd: 'sgd',
  adam: 'adam',
  adamW: 'adamw',
  rmsprop: 'rmsprop',
  adagrad: 'adagrad',
  adadelta: 'adadelta',
  lion: 'lion',
};

export function checkOptimizer(optimizer: OptimizerDraft | null, violations: Violations): void {
  if (optimizer === null) {
    const fields = Object.values(optimizerFields).map((field) => `\`spec.optimizer.${field}\``);
    violations.add('spec.optimizer', `Expected exactly one of ${fields.join(', ')} to be set.`);
    return;
  }
  const field = `spec.optimizer.${optimizerFields[optimizer.type]}`;
  checkSettings(optimizers[optimizer.type], optimizer, field, violations);
}

export function resolveOptimizer(draft: OptimizerDraft): OptimizerSpec {
  return { type: draft.type, ...withDefaults(optimizers[draft.type], draft) } as OptimizerSpec;
}
